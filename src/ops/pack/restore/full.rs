//! Restores the text files of a commit from the one file that holds them all, and proves that it does.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::adapters::archive::is_archive;
use crate::adapters::files;
use crate::adapters::staging::Access;
use crate::format::destination::PlaceAddress;
use crate::format::digest::{Digest, Hashing};
use crate::format::dump::read::{ParsedTexts, ReadError};
use crate::format::member_path::MemberPath;
use crate::format::tree_meta::FULL;
use crate::ops::Context;
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::output::OutputPlace;
use crate::ops::pack::restore::canon;
use crate::ops::pack::restore::target::Target;
use crate::ops::pack::restore::{RestoreReport, RestoreRequest, Restored};
use crate::ops::pack::sealed_pack::ensure_sound;
use crate::ops::pack::source::Source;
use crate::ops::pack::texts::texts;
use crate::ops::pack::verify::verify_source;
use crate::refusal::pack::PackFault;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::places::in_directory;

/// Restores the text files: all of them, or none.
pub(super) fn restore(ctx: &Context, request: &RestoreRequest, output: Option<&OutputPlace>) -> Result<RestoreReport> {
    let path = ctx.cwd.join(&request.from);
    let is_address = request.from.to_str().is_some_and(PlaceAddress::is_address);
    if !is_address && !files::is_directory(&path) && !is_archive(&path) {
        return of_file(request, &path, output);
    }
    let given = GivenPack::reached(ctx, &request.from, &request.reach())?;
    of_pack(ctx, request, &given.source(), output)
}

/// Restores from a single file, which the user vouches for.
fn of_file(request: &RestoreRequest, full: &Path, output: Option<&OutputPlace>) -> Result<RestoreReport> {
    let target = Target::of(output, request.dry_run, Access::Shared)?;
    let mut opened = files::open_regular(full)?;
    let read = write_texts(&target, &mut opened.file, full)?;
    opened.ensure_unchanged()?;
    read.publish(target, None)
}

/// Restores from the member of a pack, which must verify.
fn of_pack(
    ctx: &Context,
    request: &RestoreRequest,
    source: &Source<'_>,
    output: Option<&OutputPlace>,
) -> Result<RestoreReport> {
    if let (Some(output), Some(directory)) = (output, source.directory()) {
        output.ensure_outside(directory)?;
    }
    let pack = verify_source(source)?;
    ensure_sound(&pack, &request.from)?;
    canon::ensure_same(ctx, &request.from, pack.state.as_ref())?;
    let (path, hash) = full_of(source, &request.from)?;
    let full = request.from.join(&path);
    let target = Target::of(output, request.dry_run, Access::Shared)?;
    let mut read = None;
    source.member(&path, &mut |content, _| {
        read = Some(write_texts(&target, content, &full));
        Ok(())
    })?;
    let read = read.ok_or_else(|| Refusal::ChangedWhileRead { path: full.clone() })??;
    if hash != Some(read.hash) {
        return Err(Refusal::ChangedWhileRead { path: full });
    }
    if pack
        .state
        .as_ref()
        .is_none_or(|state| state.digest != read.document.subject.state)
    {
        return Err(Refusal::BadPack {
            path: request.from.clone(),
            fault: PackFault::OtherTexts,
        });
    }
    read.publish(target, Some((pack.pack_id, pack.manifest_hash, pack.manifest_bytes)))
}

/// Texts that were written.
struct WrittenTexts {
    document: ParsedTexts,
    executable: Vec<MemberPath>,
    /// Of all that was read.
    hash: Digest,
    bytes: u64,
}

/// Writes the texts of a file under `FULL/`, whose name in errors is `full`.
fn write_texts(target: &Target, content: &mut dyn Read, full: &Path) -> Result<WrittenTexts> {
    let mut hashing = Hashing::new(content);
    let mut executable = Vec::new();
    let document = texts(&mut hashing, true, &mut |heading, content| {
        let path = MemberPath::parse(&heading.path).expect("unsafe paths are refused where they are read");
        let (file, place) = target.create(&path)?;
        files::copy(&mut *content.original, full, file, &place)?;
        if heading.executable {
            executable.push(path);
        }
        Ok(())
    });
    let document = document.map_err(|why| refusal(why, full))?;
    let (_, hash, bytes) = hashing.finish();
    Ok(WrittenTexts {
        document,
        executable,
        hash,
        bytes,
    })
}

impl WrittenTexts {
    fn publish(self, target: Target, pack: Option<(String, Digest, u64)>) -> Result<RestoreReport> {
        for path in &self.executable {
            target.make_executable(path)?;
        }
        let output = target.publish()?;
        Ok(report(self.document, pack, (self.hash, self.bytes), output))
    }
}

fn report(
    document: ParsedTexts,
    pack: Option<(String, Digest, u64)>,
    file: (Digest, u64),
    output: Option<PathBuf>,
) -> RestoreReport {
    let (input_hash, input_bytes) = pack.as_ref().map_or(file, |(_, hash, bytes)| (*hash, *bytes));
    RestoreReport {
        pack_id: pack.map(|(id, ..)| id),
        input_hash,
        input_bytes,
        files: document.texts.len() as u64,
        bytes: document.texts.iter().map(|text| text.size).sum(),
        digest: document.texts_digest(),
        commit: document.subject.commit,
        what: Restored::Texts {
            state: document.subject.state,
            missing: document.whole.map(|(_, others)| others).unwrap_or_default(),
        },
        output,
    }
}

/// Returns the single member of a pack that holds all texts, and its declared hash.
fn full_of(source: &Source<'_>, name: &Path) -> Result<(String, Option<Digest>)> {
    let manifest = source.manifest()?;
    let mut members = manifest.members.iter().filter(|member| in_directory(member.path, FULL));
    match members.next() {
        // An evidence pack may have such a directory, too. The content shows whether the file is one of ours.
        Some(member) => Ok((member.path.to_owned(), member.bytes_hash.digest())),
        None => Err(Refusal::Usage(Misuse::NoTexts { pack: name.to_owned() })),
    }
}

pub(super) fn refusal(why: ReadError, full: &Path) -> Refusal {
    match why {
        ReadError::Io(e) => Refusal::io("reading", full)(e),
        ReadError::Refused(refused) => refused,
        ReadError::Bad(line, said) => Refusal::BadPack {
            path: full.to_owned(),
            fault: PackFault::BadText { line, said },
        },
    }
}
