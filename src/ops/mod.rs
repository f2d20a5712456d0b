//! The use cases, one in each file: observe, judge, act.

pub mod agent;
mod clean_memory;
pub mod completion;
pub mod configuration;
pub mod contents;
pub mod guard;
pub mod keys;
pub mod manual;
pub mod pack;
pub mod protection;
pub mod share;
pub mod state;
pub mod store;
pub mod tour;
pub mod witness;

use std::path::PathBuf;

pub use crate::adapters::cipher::{Ask, Asker, Silence};
pub use crate::adapters::clone::Memory;
use crate::adapters::files;
use crate::adapters::git::Repository;
pub use crate::adapters::git::{ObjectPlaces, Surroundings};
pub use crate::adapters::place::CredentialPlaces;
pub use crate::adapters::{interruption, meter};
use crate::format::timestamp::Timestamp;
use crate::refusal::Result;

/// Everything that a command may know of its surroundings.
#[derive(Clone, Debug)]
pub struct Context {
    /// The directory it was started in, absolute.
    pub cwd: PathBuf,
    /// What the environment says about the repository.
    pub surroundings: Surroundings,
    /// The present time.
    pub now: Timestamp,
    /// `SOURCE_DATE_EPOCH`.
    pub source_date_epoch: Option<Timestamp>,
    /// `GIT_PACK_IDENTITY`.
    pub identity: Option<PathBuf>,
    /// Where a user's configuration lives: `XDG_CONFIG_HOME` or `~/.config`.
    pub config_home: Option<PathBuf>,
    /// Where a user's data lives: `XDG_DATA_HOME` or `~/.local/share`.
    pub data_home: Option<PathBuf>,
    /// Where credentials for places of packs are kept.
    pub credentials: CredentialPlaces,
    /// `PACK_DATA_FABRIC_BASE_URL`.
    pub data_fabric: Option<String>,
    /// The witness ledger: `EPISTEMIC_WITNESS`, else a file below the home directory.
    pub ledger: Option<PathBuf>,
    /// Answers when a passphrase is needed, or a plugin asks.
    pub ask: Asker,
    /// The path of this program, which installed hooks contain.
    pub binary: PathBuf,
}

impl Context {
    /// Returns what an empty environment tells of `cwd`, which is absolute: there are no keys and no ledger, nothing is
    /// remembered, and no question is answered. Hooks that are installed from here look for `git-pack` on the `PATH`.
    pub fn new(cwd: impl Into<PathBuf>, now: Timestamp) -> Self {
        Self {
            cwd: cwd.into(),
            surroundings: Surroundings::default(),
            now,
            source_date_epoch: None,
            identity: None,
            config_home: None,
            data_home: None,
            credentials: CredentialPlaces::default(),
            data_fabric: None,
            ledger: None,
            ask: Silence::asker(),
            binary: PathBuf::new(),
        }
    }

    /// Opens the repository at the command's directory. Refuses a repository of another user: its configuration could
    /// run code or choose recipients.
    pub fn repository(&self) -> Result<Repository> {
        let repo = self.repository_to_read()?;
        repo.ensure_ours()?;
        Ok(repo)
    }

    /// Returns how many directories the command's directory is below the top of the work tree. 0 outside of one.
    pub fn depth_below_top(&self) -> usize {
        let depth = || {
            let top = files::canonical(&self.repository().ok()?.work_tree()?).ok()?;
            let here = files::canonical(&self.cwd).ok()?;
            Some(here.strip_prefix(top).ok()?.components().count())
        };
        depth().unwrap_or(0)
    }

    /// Opens the repository at the command's directory even if it belongs to another user. Use it only to read commits:
    /// nothing is remembered in a repository of another user, and its configuration must not be used.
    pub fn repository_to_read(&self) -> Result<Repository> {
        Repository::discover(&self.cwd, &self.surroundings)
    }
}
