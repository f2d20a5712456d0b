//! The repository in which a pack is restored, and its content.

use crate::adapters::clone::digests::DigestCache;
use crate::adapters::clone::runs::Runs;
use crate::adapters::git::Repository;
use crate::adapters::store::disk::{DiskStore, HeldStore};
use crate::format::repo_state::TreeEntry;
use crate::format::run_record::CommitRef;
use crate::refusal::manifest::ManifestFault;
use crate::refusal::{Refusal, Result};

/// The current repository.
pub(super) struct Here {
    /// Its content store.
    pub(super) disk: DiskStore,
    /// Its runs.
    pub(super) runs: Runs,
    pub(super) repo: Repository,
    /// The digests of its blobs.
    pub(super) cache: DigestCache,
    /// Held, so that nothing is collected meanwhile.
    _lock: Option<HeldStore>,
}

impl Here {
    /// Opens a repository. Nothing is written to it if it may only be read.
    pub(super) fn of(repo: Repository, reading_only: bool) -> Result<Self> {
        let disk = repo.private().store();
        let cache = repo.private().digests();
        Ok(Self {
            runs: repo.private().runs(),
            cache: match reading_only {
                true => cache.reading_only(),
                false => cache.clone(),
            },
            _lock: disk.lock_to_read()?,
            disk,
            repo,
        })
    }

    /// Returns the entries of the commit that a manifest names; none if this clone lacks the commit or part of its
    /// tree. Refuses a commit with another tree than the manifest names.
    pub(super) fn tree_of(&self, manifest: &str, state: &CommitRef) -> Result<Option<Vec<TreeEntry>>> {
        let commit = match self.repo.commit(&state.commit) {
            Ok(commit) => commit,
            Err(Refusal::BadRevision { .. } | Refusal::MissingObject { .. }) => return Ok(None),
            Err(other) => return Err(other),
        };
        if commit.tree.hex() != state.tree {
            return Err(Refusal::BadManifest {
                name: manifest.to_owned(),
                fault: ManifestFault::OtherTree {
                    commit: state.commit.clone(),
                    listed: state.tree.clone(),
                    found: commit.tree.hex(),
                },
            });
        }
        match self.repo.tree_entries(&commit.tree) {
            Err(Refusal::MissingObject { .. }) => Ok(None),
            other => other.map(Some),
        }
    }
}
