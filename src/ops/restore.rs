//! `git pack restore --from-full`: the text files of a commit from the one file that holds them all, and proof that it does.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::adapters::staging::{Access, Publish, Staging};
use crate::format::digest::Digest;
use crate::format::dump::OtherEntry;
use crate::format::dump::read::{Document, ReadError};
use crate::format::member_path::MemberPath;
use crate::format::refusal::{Refusal, Result};
use crate::format::tree_meta::FULL;
use crate::ops::rekey::ensure_outside;
use crate::ops::sealed_pack::ensure_sound;
use crate::ops::texts::texts;
use crate::ops::verify::verify_directory;
use crate::ops::{Context, seal};
use crate::rules::seals::in_directory;

/// What to restore, and where to.
#[derive(Clone, Debug)]
pub struct RestoreRequest {
    /// A pack's directory, or a file from under `FULL/` by itself.
    pub from: PathBuf,
    /// A new directory.
    pub output: PathBuf,
}

/// What was restored.
#[derive(Debug)]
pub struct RestoreReport {
    /// The pack's id; none of a single file.
    pub pack_id: Option<String>,
    /// SHA-256 of the pack's manifest, or of the single file.
    pub input_hash: Digest,
    /// Its bytes.
    pub input_bytes: u64,
    /// Number of files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The state digest over them.
    pub digest: Digest,
    /// The commit that they say they are from.
    pub commit: String,
    /// The state digest of that commit, over the files and what is missing.
    pub state: Digest,
    /// The entries of that state that are no text, and so are not there.
    pub missing: Vec<OtherEntry>,
    /// Where the files are, absolute.
    pub output: PathBuf,
}

/// Rebuilds the text files; all of them, or nothing is left.
pub fn restore(ctx: &Context, request: &RestoreRequest) -> Result<RestoreReport> {
    let from = ctx.cwd.join(&request.from);
    let output = ctx.cwd.join(&request.output);
    seal::check_output(&output, false)?;
    let pack = match files::is_directory(&from) {
        true => Some(verify_directory(&from)?),
        false => None,
    };
    if let Some(pack) = &pack {
        ensure_sound(pack, &request.from)?;
        ensure_outside(&from, &output)?;
    }
    let full = match &pack {
        Some(_) => full_of(&from, &request.from)?,
        None => from,
    };
    let staging = Staging::beside(&output, Access::Shared)?;
    let mut opened = files::open_regular(&full)?;
    let mut hashing = crate::format::digest::Hashing::new(&mut opened.file);
    let mut executable = Vec::new();
    let document = texts(&mut hashing, true, &mut |heading, content| {
        let path = MemberPath::parse(&heading.path).expect("unsafe paths are refused where they are read");
        let target = staging.member(&path);
        let mut file = staging.create(&path)?;
        copy(content, &mut file).map_err(|(deed, e)| {
            let path = if deed == "reading" { &full } else { &target };
            Refusal::io(deed, path)(e)
        })?;
        if heading.executable {
            executable.push(path);
        }
        Ok(())
    });
    let document = document.map_err(|why| refusal(why, &full))?;
    let (_, hash, bytes) = hashing.finish();
    opened.ensure_unchanged()?;
    let state = pack.as_ref().and_then(|pack| pack.repo_state.as_ref());
    if pack.is_some() && state.is_none_or(|state| state.digest != document.subject.state) {
        return Err(Refusal::BadPack {
            path: request.from.clone(),
            reason: "what it has under FULL/ is not its state".into(),
        });
    }
    for path in &executable {
        staging.make_executable(path)?;
    }
    staging.publish(&output, Publish::New)?;
    let input = pack.map(|pack| (pack.pack_id, pack.manifest_hash, pack.manifest_bytes));
    Ok(report(document, input, (hash, bytes), output))
}

fn report(
    document: Document,
    pack: Option<(String, Digest, u64)>,
    file: (Digest, u64),
    output: PathBuf,
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
        state: document.subject.state,
        missing: document.whole.map(|(_, others)| others).unwrap_or_default(),
        output,
    }
}

/// Returns the one member of a pack that holds all texts.
fn full_of(root: &Path, name: &Path) -> Result<PathBuf> {
    let manifest = crate::adapters::pack_dir::manifest(root)?;
    let mut members = manifest
        .members
        .iter()
        .filter(|member| in_directory(&member.path, FULL));
    match members.next() {
        // An evidence pack may have such a directory too: what is in it says whether it is one of ours.
        Some(member) => Ok(root.join(&member.path)),
        None => Err(Refusal::Usage {
            problem: format!("{} has no member under {FULL}/ to restore from", name.display()),
            next: Some("git pack seal --emit repo,full".into()),
        }),
    }
}

fn copy(from: &mut dyn Read, to: &mut dyn io::Write) -> std::result::Result<(), (&'static str, io::Error)> {
    let mut buffer = vec![0; 128 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => to.write_all(&buffer[..n]).map_err(|e| ("writing", e))?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(("reading", e)),
        }
    }
}

fn refusal(why: ReadError, full: &Path) -> Refusal {
    match why {
        ReadError::Io(e) => Refusal::io("reading", full)(e),
        ReadError::Refused(refused) => refused,
        ReadError::Bad(line, problem) => Refusal::BadPack {
            path: full.to_owned(),
            reason: format!("line {line}: {problem}"),
        },
    }
}
