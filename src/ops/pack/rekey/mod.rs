//! `git pack rekey`: changes the recipients of a pack or file that is sealed already.

mod file;
mod pack;
mod remains;
mod turn;

use std::path::{Path, PathBuf};

pub use remains::{Remaining, Remains};

use crate::adapters::archive::is_archive;
use crate::adapters::cipher::{Identities, Recipients};
use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::config::is_same_recipient;
use crate::format::digest::Digest;
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded};
use crate::ops::keys::{identity, recipients};
use crate::refusal::keys::RecipientsElsewhere;
use crate::refusal::pack::PackFault;
use crate::refusal::{Refusal, Result};

/// What to rekey, for which recipients, and the output.
#[derive(Clone, Debug, Default)]
pub struct RekeyRequest {
    /// A pack's directory, or an age file.
    pub what: PathBuf,
    /// The output.
    pub output: PathBuf,
    /// Whether to replace another pack, or another age file, at the output.
    pub replace: bool,
    /// Whether to encrypt everything again under new file keys.
    pub reencrypt: bool,
    /// Recipients instead of the configured ones.
    pub recipients: Vec<String>,
    /// Files that name further recipients.
    pub recipients_files: Vec<PathBuf>,
    /// Identity files instead of the one in force.
    pub identities: Vec<PathBuf>,
    /// Whether to do everything but put the result at its output.
    pub dry_run: bool,
}

/// The outcome.
#[derive(Debug)]
pub struct RekeyReport {
    /// The new pack's id; none for a file.
    pub pack_id: Option<Digest>,
    /// SHA-256 of the old manifest or, for a file, of the old ciphertext.
    pub input_hash: Digest,
    /// Size of that in bytes.
    pub input_bytes: u64,
    /// Number of artifacts.
    pub artifacts: u64,
    /// Number of recipients of the new seals.
    pub recipients: usize,
    /// Whether the artifacts have new file keys.
    pub reencrypted: bool,
    /// The absolute path of the output.
    pub output: PathBuf,
    /// Whether the identities that opened the old seals are among the recipients of the new ones. `None` if that is not
    /// known.
    pub still_opens: Option<bool>,
    /// Whether the `.gitpack.toml` of the work tree differs from that of `HEAD`, which was used.
    pub config_differs: bool,
    /// Whether the output is the sealed twin of a file here, so that the user must still stage it.
    pub is_twin: bool,
    /// Where the old ciphertexts remain.
    pub remains: Remains,
}

/// Seals a pack or an age file for other recipients. Either the whole result is at the output afterwards, or nothing
/// is.
///
/// Keeps file keys and payloads, unless everything is to be encrypted again.
pub fn rekey(ctx: &Context, request: &RekeyRequest) -> Result<RekeyReport> {
    let what = ctx.cwd.join(&request.what);
    match files::is_directory(&files::canonical(&what)?) {
        true => pack::rekey(ctx, request),
        false if is_archive(&what) => Err(Refusal::BadPack {
            path: request.what.clone(),
            fault: PackFault::IsArchive,
        }),
        false => file::rekey(ctx, request),
    }
}

/// The identities that open the old seals, and the new recipients.
struct Change {
    repo: Option<Repository>,
    identities: Identities,
    recipients: Recipients,
    reencrypt: bool,
    /// Whether the configuration in the work tree differs from the committed one, and whether it names recipients.
    differs: Option<bool>,
}

impl Change {
    /// Reads who can open, and for whom to seal. A pack goes by the configuration of `HEAD`, as in a seal; the sealed twin of
    /// a file by that of the work tree, with which it is committed.
    fn of(ctx: &Context, request: &RekeyRequest, config: ConfigOf) -> Result<Self> {
        let repo = match ctx.repository() {
            Err(Refusal::NotARepository { .. }) => None,
            other => Some(other?),
        };
        let flags = (&request.recipients, &request.recipients_files);
        let (loaded, differs) = match &repo {
            Some(repo) if flags.0.is_empty() && flags.1.is_empty() => match config {
                ConfigOf::Head if repo.has_commit()? => committed(repo)?,
                ConfigOf::Head | ConfigOf::WorkTree => (configuration::here(repo)?, None),
            },
            _ => (Loaded::none(), None),
        };
        Ok(Self {
            differs,
            recipients: recipients::of_flags_or_config(ctx, flags.0, flags.1, &loaded)?,
            identities: identity::load(ctx, &request.identities)?,
            reencrypt: request.reencrypt,
            repo,
        })
    }

    /// Refuses if there are artifacts but no recipients.
    fn ensure_somebody(&self, artifacts: impl Iterator<Item = String>) -> Result<()> {
        match self.recipients.names().is_empty() {
            true => Err(Refusal::NoRecipients {
                artifacts: artifacts.collect(),
                elsewhere: match self.differs {
                    Some(true) => RecipientsElsewhere::Uncommitted,
                    _ => RecipientsElsewhere::Nowhere,
                },
            }),
            false => Ok(()),
        }
    }

    /// Returns whether one of the identities opens what is sealed for the recipients.
    fn still_opens(&self) -> Option<bool> {
        let own = self.identities.recipients().ok().filter(|own| !own.is_empty())?;
        let mut new = self.recipients.names().iter();
        Some(new.any(|new| own.iter().any(|own| is_same_recipient(own, new))))
    }
}

/// Which configuration names the recipients.
#[derive(Clone, Copy)]
enum ConfigOf {
    /// That of `HEAD`.
    Head,
    /// That of the work tree.
    WorkTree,
}

/// Returns the configuration of `HEAD` and, if that of the work tree differs, whether the latter names recipients.
fn committed(repo: &Repository) -> Result<(Loaded, Option<bool>)> {
    let loaded = configuration::in_commit(repo, &repo.commit("HEAD")?)?;
    let Some(root) = repo.work_tree() else {
        return Ok((loaded, None));
    };
    let differs = match configuration::on_disk(&root) {
        Ok(other) if other.is_that_of(&loaded) => None,
        Ok(other) => Some(other.names_recipients()),
        // A configuration that cannot be read differs.
        Err(_) => Some(false),
    };
    Ok((loaded, differs))
}

/// Returns whether both paths lead to the same file.
fn is_same(a: &Path, b: &Path) -> bool {
    match (files::canonical(a), files::canonical(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
