//! Restores the text files of a commit from the one file that holds them all, and proves that it does.

use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::adapters::pack_dir;
use crate::adapters::staging::Access;
use crate::format::digest::{Digest, Hashing};
use crate::format::dump::read::{ParsedTexts, ReadError};
use crate::format::member_path::MemberPath;
use crate::format::tree_meta::FULL;
use crate::ops::Context;
use crate::ops::pack::output::OutputPlace;
use crate::ops::pack::restore::canon;
use crate::ops::pack::restore::target::Target;
use crate::ops::pack::restore::{RestoreReport, RestoreRequest, Restored};
use crate::ops::pack::sealed_pack::ensure_sound;
use crate::ops::pack::texts::texts;
use crate::ops::pack::verify::verify_directory;
use crate::refusal::pack::PackFault;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::places::in_directory;

/// Restores the text files: all of them, or none.
pub(super) fn restore(ctx: &Context, request: &RestoreRequest, output: Option<&OutputPlace>) -> Result<RestoreReport> {
    let from = ctx.cwd.join(&request.from);
    let pack = match files::is_directory(&from) {
        true => {
            if let Some(output) = output {
                output.ensure_outside(&from)?;
            }
            Some(verify_directory(&from)?)
        }
        false => None,
    };
    let full = match &pack {
        Some(verdict) => {
            ensure_sound(verdict, &request.from)?;
            canon::ensure_same(ctx, &request.from, verdict.state.as_ref())?;
            full_of(&from, &request.from)?
        }
        None => from,
    };
    let target = Target::of(output, request.dry_run, Access::Shared)?;
    let mut opened = files::open_regular(&full)?;
    let mut hashing = Hashing::new(&mut opened.file);
    let mut executable = Vec::new();
    let document = texts(&mut hashing, true, &mut |heading, content| {
        let path = MemberPath::parse(&heading.path).expect("unsafe paths are refused where they are read");
        let (file, place) = target.create(&path)?;
        files::copy(&mut *content.original, &full, file, &place)?;
        if heading.executable {
            executable.push(path);
        }
        Ok(())
    });
    let document = document.map_err(|why| refusal(why, &full))?;
    let (_, hash, bytes) = hashing.finish();
    opened.ensure_unchanged()?;
    let state = pack.as_ref().and_then(|pack| pack.state.as_ref());
    if pack.is_some() && state.is_none_or(|state| state.digest != document.subject.state) {
        return Err(Refusal::BadPack {
            path: request.from.clone(),
            fault: PackFault::OtherTexts,
        });
    }
    for path in &executable {
        target.make_executable(path)?;
    }
    let output = target.publish()?;
    let input = pack.map(|pack| (pack.pack_id, pack.manifest_hash, pack.manifest_bytes));
    Ok(report(document, input, (hash, bytes), output))
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

/// Returns the single member of a pack that holds all texts.
fn full_of(root: &Path, name: &Path) -> Result<PathBuf> {
    let manifest = pack_dir::manifest(root)?;
    let mut members = manifest
        .members
        .iter()
        .filter(|member| in_directory(&member.path, FULL));
    match members.next() {
        // An evidence pack may have such a directory, too. The content shows whether the file is one of ours.
        Some(member) => Ok(root.join(&member.path)),
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
