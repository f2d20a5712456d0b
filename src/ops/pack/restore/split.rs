//! Restores the text files of a commit from the files of a split, and proves that they are those of its state.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;

use crate::adapters::files;
use crate::adapters::staging::Access;
use crate::format::canonical_json::parse_strict_into;
use crate::format::digest::{Digest, Hasher, Hashing};
use crate::format::dump::layout::{bucket_number, prefix_of_index};
use crate::format::dump::read::{Heading, digest};
use crate::format::dump::{OtherEntry, TextEntry};
use crate::format::manifest::ManifestDocument;
use crate::format::member_path::MemberPath;
use crate::format::repo_state::RepoState;
use crate::format::run_record::MAX_BYTES;
use crate::format::tree_meta::{REPO_STATE, SPLIT};
use crate::ops::Context;
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::output::OutputPlace;
use crate::ops::pack::restore::full::refusal;
use crate::ops::pack::restore::target::Target;
use crate::ops::pack::restore::{RestoreReport, RestoreRequest, Restored, canon};
use crate::ops::pack::sealed_pack::ensure_sound;
use crate::ops::pack::source::Source;
use crate::ops::pack::texts::texts;
use crate::ops::pack::verify::verify_source;
use crate::refusal::pack::PackFault;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::places::in_directory;

/// A text that is being written.
struct Open {
    file: Box<dyn Write + Send>,
    hasher: Hasher,
    bytes: u64,
}

impl Open {
    fn finish(self, heading: &Heading) -> TextEntry {
        TextEntry {
            path: heading.path.clone(),
            size: self.bytes,
            executable: heading.executable,
            hash: self.hasher.finish(),
            shown: self.bytes,
            encoding: None,
            part: None,
        }
    }
}

/// Restores the text files: all of them, or none.
pub(super) fn restore(ctx: &Context, request: &RestoreRequest, output: Option<&OutputPlace>) -> Result<RestoreReport> {
    let given = GivenPack::reached(ctx, &request.from, &request.reach())?;
    let source = given.source();
    if let (Some(output), Some(directory)) = (output, source.directory()) {
        output.ensure_outside(directory)?;
    }
    let verdict = verify_source(&source)?;
    ensure_sound(&verdict, &request.from)?;
    canon::ensure_same(ctx, &request.from, verdict.state.as_ref())?;
    let manifest = source.manifest()?;
    let members = members(&manifest);
    let (Some(state), false) = (&verdict.state, members.is_empty()) else {
        return Err(Refusal::Usage(Misuse::NoSplit {
            pack: request.from.clone(),
        }));
    };
    let other = || Refusal::BadPack {
        path: request.from.clone(),
        fault: PackFault::OtherTexts,
    };
    let target = Target::of(output, request.dry_run, Access::Shared)?;
    let mut texts = Texts {
        target: &target,
        written: Vec::new(),
        open: None,
    };
    for (member, hash) in members {
        let place = request.from.join(member);
        let mut found = None;
        source.member(member, &mut |content, _| {
            found = Some(texts.add(content, &place));
            Ok(())
        })?;
        if hash != found.transpose()? {
            return Err(other());
        }
    }
    let written = texts.written;
    let missing = missing(&source, &written, &request.from)?;
    let all = || written.iter().map(TextEntry::in_state);
    if digest(all().chain(missing.iter().map(OtherEntry::in_state))) != state.digest {
        return Err(other());
    }
    let output = target.publish()?;
    Ok(RestoreReport {
        input_hash: verdict.manifest_hash,
        input_bytes: verdict.manifest_bytes,
        files: written.len() as u64,
        bytes: written.iter().map(|text| text.size).sum(),
        digest: digest(all()),
        commit: state.commit.clone().unwrap_or_default(),
        what: Restored::Texts {
            state: state.digest,
            missing,
        },
        pack_id: Some(verdict.pack_id),
        output,
    })
}

/// The texts of the members that were read so far. A text may go on in the next member.
struct Texts<'a> {
    target: &'a Target,
    written: Vec<TextEntry>,
    open: Option<Open>,
}

impl Texts<'_> {
    /// Writes the texts of a member, whose name in errors is `place`. Returns the hash of the member.
    fn add(&mut self, content: &mut dyn Read, place: &Path) -> Result<Digest> {
        let mut hashing = Hashing::new(content);
        let document = texts(&mut hashing, false, &mut |heading, content| {
            let path = MemberPath::parse(&heading.path).expect("unsafe paths are refused where they are read");
            let begins = heading.part.is_none_or(|part| part.number == 1);
            let mut text = match self.open.take().filter(|_| !begins) {
                Some(text) => text,
                None => Open {
                    file: self.target.create(&path)?.0,
                    hasher: Hasher::default(),
                    bytes: 0,
                },
            };
            files::copy(&mut *content.original, place, &mut text, place)?;
            if heading.part.is_some_and(|part| part.number < part.of) {
                self.open = Some(text);
                return Ok(());
            }
            if heading.executable {
                self.target.make_executable(&path)?;
            }
            self.written.push(text.finish(heading));
            Ok(())
        });
        document.map_err(|why| refusal(why, place))?;
        Ok(hashing.finish().1)
    }
}

/// Returns the members with texts, in their order, with the hashes that the pack declares.
fn members(manifest: &ManifestDocument) -> Vec<(&str, Option<Digest>)> {
    let paths = manifest.members.iter().map(|member| member.path);
    let prefix = paths.clone().find_map(prefix_of_index).unwrap_or_default();
    let members = manifest.members.iter();
    let members = members.filter(|member| in_directory(member.path, SPLIT) && prefix_of_index(member.path).is_none());
    let mut members: Vec<_> = members
        .map(|member| (member.path, member.bytes_hash.digest()))
        .collect();
    members.sort_by_key(|(path, _)| bucket_number(prefix, path));
    members
}

/// Returns the entries of the state that are not among the texts.
fn missing(source: &Source<'_>, texts: &[TextEntry], name: &Path) -> Result<Vec<OtherEntry>> {
    let document = source
        .read(REPO_STATE, MAX_BYTES)
        .ok_or_else(|| Refusal::ChangedWhileRead {
            path: name.join(REPO_STATE),
        })?;
    let state: RepoState = parse_strict_into(&document).map_err(|e| Refusal::BadPack {
        path: name.to_owned(),
        fault: PackFault::Invalid {
            document: REPO_STATE,
            said: e.to_string(),
        },
    })?;
    let known: BTreeSet<&str> = texts.iter().map(|text| text.path.as_str()).collect();
    let others = state.files.iter().filter(|file| !known.contains(&*file.path));
    Ok(others.map(OtherEntry::of).collect())
}

impl Write for Open {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
