//! `git pack agent open`: opens a private file of an agent.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::adapters::files::{Over, write_whole_over};
use crate::format::agent::private::PrivateKind;
use crate::ops::Context;
use crate::ops::agent::private::open_file;
use crate::ops::keys::identity;
use crate::ops::pack::output::OutputPlace;
use crate::refusal::{Refusal, Result};

/// What to open.
#[derive(Clone, Debug)]
pub struct OpenPrivateRequest {
    /// The encrypted file.
    pub file: PathBuf,
    /// Identity files instead of the one in force.
    pub identities: Vec<PathBuf>,
    /// Whether to open the file and write nothing.
    pub dry_run: bool,
}

/// The outcome.
#[derive(Debug)]
pub struct OpenPrivateReport {
    /// The absolute path of the plaintext.
    pub output: PathBuf,
    /// What it holds.
    pub kind: PrivateKind,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Writes the content of a private file to `out`, after all of it was verified.
pub fn open_private_to(ctx: &Context, request: &OpenPrivateRequest, out: &mut dyn Write) -> Result<()> {
    let identities = identity::load(ctx, &request.identities)?;
    let (_, content) = open_file(&ctx.cwd.join(&request.file), &request.file, &identities)?;
    out.write_all(&content)
        .and_then(|()| out.flush())
        .map_err(Refusal::io("writing", Path::new("standard output")))
}

/// Writes the content of a private file to a new file that only its owner can read, and that git cannot track.
pub fn open_private(ctx: &Context, request: &OpenPrivateRequest, output: &Path) -> Result<OpenPrivateReport> {
    let place = OutputPlace::file(ctx, output)?;
    place.ensure_file_untracked()?;
    let identities = identity::load(ctx, &request.identities)?;
    let (kind, content) = open_file(&ctx.cwd.join(&request.file), &request.file, &identities)?;
    // A plaintext there may be the only copy.
    place.over(false, |_| false)?;
    if !request.dry_run {
        write_whole_over(&place.path, 0o600, Over::Nothing, |file| {
            file.write_all(&content).map_err(Refusal::io("writing", &place.path))
        })
        .map_err(|refused| match refused {
            // Another process was faster.
            Refusal::OutputExists { path, .. } => Refusal::OutputExists {
                path,
                replaceable: false,
            },
            other => other,
        })?;
    }
    Ok(OpenPrivateReport {
        output: place.path,
        kind,
        bytes: content.len() as u64,
    })
}
