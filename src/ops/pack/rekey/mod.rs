//! `git pack rekey`: other recipients for what is sealed already.

mod file;
mod pack;
mod remains;
mod turn;

use std::path::{Path, PathBuf};

pub use remains::{Remaining, Remains};

use crate::adapters::cipher::{Identities, Recipients};
use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::digest::Digest;
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded};
use crate::ops::keys::{identity, recipients};
use crate::refusal::{Refusal, Result};

/// What to rekey, for whom, and where to.
#[derive(Clone, Debug, Default)]
pub struct RekeyRequest {
    /// A pack's directory, or an age file.
    pub what: PathBuf,
    /// Where the new one goes.
    pub output: PathBuf,
    /// Whether another pack, or another age file, at the output is swapped for this one.
    pub replace: bool,
    /// Whether everything is encrypted anew, under new file keys.
    pub reencrypt: bool,
    /// Recipients instead of the configured ones.
    pub recipients: Vec<String>,
    /// Files that name recipients, beside them.
    pub recipients_files: Vec<PathBuf>,
    /// Identity files instead of the one in force.
    pub identities: Vec<PathBuf>,
}

/// What was rekeyed.
#[derive(Debug)]
pub struct RekeyReport {
    /// The new pack's id; none for a file.
    pub pack_id: Option<Digest>,
    /// SHA-256 of the old manifest or, for a file, of the old ciphertext.
    pub input_hash: Digest,
    /// Bytes of that.
    pub input_bytes: u64,
    /// Number of artifacts.
    pub artifacts: u64,
    /// Number of recipients that they are sealed for now.
    pub recipients: usize,
    /// Whether they have new file keys.
    pub reencrypted: bool,
    /// Where the new one is, absolute.
    pub output: PathBuf,
    /// Whether it is the sealed twin of a file here, so that git is to be told of it.
    pub is_twin: bool,
    /// Where the old ciphertexts remain.
    pub remains: Remains,
}

/// Seals what a pack or an age file holds for other recipients; the new one stands whole at its output, or nothing does.
///
/// The file keys stay as they are, and so do the payloads, unless everything is to be encrypted anew.
pub fn rekey(ctx: &Context, request: &RekeyRequest) -> Result<RekeyReport> {
    let what = ctx.cwd.join(&request.what);
    match files::is_directory(&files::canonical(&what)?) {
        true => pack::rekey(ctx, request),
        false => file::rekey(ctx, request),
    }
}

/// Those who can open, and those who will be able to.
struct Change {
    repo: Option<Repository>,
    identities: Identities,
    recipients: Recipients,
    reencrypt: bool,
}

impl Change {
    fn of(ctx: &Context, request: &RekeyRequest) -> Result<Self> {
        let repo = match ctx.repository() {
            Err(Refusal::NotARepository { .. }) => None,
            other => Some(other?),
        };
        let flags = (&request.recipients, &request.recipients_files);
        let loaded = match &repo {
            Some(repo) if flags.0.is_empty() && flags.1.is_empty() => configuration::here(repo)?,
            _ => Loaded::none(),
        };
        Ok(Self {
            recipients: recipients::of_flags_or_config(ctx, flags.0, flags.1, &loaded)?,
            identities: identity::load(ctx, &request.identities)?,
            reencrypt: request.reencrypt,
            repo,
        })
    }

    /// Refuses if there is nobody to seal `artifacts` to.
    fn ensure_somebody(&self, artifacts: impl Iterator<Item = String>) -> Result<()> {
        match self.recipients.names().is_empty() {
            true => Err(Refusal::NoRecipients {
                artifacts: artifacts.collect(),
                uncommitted: false,
            }),
            false => Ok(()),
        }
    }
}

/// Returns whether both paths lead to the same thing.
fn is_same(a: &Path, b: &Path) -> bool {
    match (files::canonical(a), files::canonical(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
