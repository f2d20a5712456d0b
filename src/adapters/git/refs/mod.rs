//! The refs of a repository: reads them with the library where they are kept in files, and else through git.

mod files;
mod process;

use gix::bstr::{BString, ByteSlice};

use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::format::reflog::Reflog;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// How a repository keeps its refs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// In files, which the library reads.
    Files,
    /// In the format of this name, which only git reads.
    Other(String),
}

/// A ref.
#[derive(Clone, Debug)]
pub(super) struct Ref {
    /// Full name.
    pub name: BString,
    /// The name of the ref that it points to, if it is symbolic.
    pub symbolic: Option<String>,
    /// The id that it resolves to, also if this clone does not have the object. `None` if it leads to nothing.
    pub id: Option<ObjectId>,
}

/// What `HEAD` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeadRef {
    /// Full name of the current branch. `None` if `HEAD` is detached.
    pub branch: Option<String>,
    /// Whether `HEAD` leads to a commit.
    pub is_born: bool,
}

/// Sets a ref to an id, or removes it if there is none. A symbolic ref is not followed.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// Full name.
    pub name: String,
    /// Its new id.
    pub id: Option<ObjectId>,
}

/// Why a revision has no id.
pub(super) enum Unresolved {
    /// Nothing has that name.
    NotFound,
    /// Something has that name, but this clone does not have it.
    Missing(ObjectId),
    /// It names a range or a list of commits.
    Several,
    /// It cannot be parsed, or is ambiguous.
    Said(String),
    /// The refs cannot be read.
    Fault(RefFault),
}

/// Why refs cannot be read or written.
#[derive(Debug)]
pub(super) enum RefFault {
    /// The library says this.
    Library(String),
    /// git says this, or could not be run. The repository keeps its refs in the format of this name.
    Git {
        /// Name of the format.
        storage: String,
        /// What was said.
        said: String,
    },
}

impl RefFault {
    /// Returns the refusal: `otherwise` for a fault that the library found.
    pub(super) fn refuse(self, otherwise: impl FnOnce(String) -> Unsupported) -> Refusal {
        Refusal::Unsupported(match self {
            Self::Library(said) => otherwise(said),
            Self::Git { storage, said } => Unsupported::RefStorage { storage, said },
        })
    }
}

impl Storage {
    /// Returns how a repository keeps its refs, by its own configuration. Like git, ignores all other configuration
    /// files, also those that this one includes.
    pub(super) fn of(repo: &gix::Repository) -> Self {
        let is_own = |meta: &gix::config::file::Metadata| meta.source == gix::config::Source::Local && meta.level == 0;
        let config = repo.config_snapshot();
        match config.plumbing().string_filter("extensions.refStorage", is_own) {
            Some(storage) if storage.as_slice() != b"files" => Self::Other(storage.to_str_lossy().into_owned()),
            _ => Self::Files,
        }
    }
}

impl Repository {
    /// Returns the refs whose full names begin with `prefix`, which ends in a slash. Returns an empty list if refs
    /// cannot have such a name.
    pub(super) fn refs_below(&self, prefix: &str) -> Result<Vec<Ref>, RefFault> {
        match &self.storage {
            Storage::Files => files::below(&self.local(), prefix),
            Storage::Other(storage) => process::below(self, storage, prefix),
        }
    }

    /// Returns those of the refs with these full names that exist, in the order of the names.
    pub(super) fn refs_named(&self, names: &[String]) -> Result<Vec<Ref>, RefFault> {
        match &self.storage {
            Storage::Files => files::named(&self.local(), names),
            Storage::Other(storage) => process::named(self, storage, names),
        }
    }

    /// Returns what `HEAD` is.
    pub(super) fn head(&self) -> Result<HeadRef, RefFault> {
        match &self.storage {
            Storage::Files => files::head(&self.local()),
            Storage::Other(storage) => process::head(self, storage),
        }
    }

    /// Returns the id that a revision names.
    pub(super) fn resolve(&self, rev: &str) -> Result<ObjectId, Unresolved> {
        match &self.storage {
            Storage::Files => files::resolve(self, rev),
            Storage::Other(storage) => process::resolve(self, storage, rev),
        }
    }

    /// Makes all of these changes or none of them.
    pub(super) fn change_refs(&self, changes: &[Change]) -> Result<(), RefFault> {
        match &self.storage {
            Storage::Files => files::change(&self.local(), changes),
            Storage::Other(storage) => process::change(self, storage, changes),
        }
    }

    /// Returns the ends of the reflogs of these refs, in their order. `None` for a ref without a readable reflog.
    pub fn reflogs(&self, names: &[String]) -> Result<Vec<Option<Reflog>>> {
        match &self.storage {
            Storage::Files => {
                let repo = self.local();
                Ok(names.iter().map(|name| files::reflog(&repo, name)).collect())
            }
            Storage::Other(storage) => process::reflogs(self, storage, names)
                .map_err(|fault| fault.refuse(|said| Unsupported::References { said })),
        }
    }

    /// Returns the short name of the current branch.
    pub fn branch(&self) -> Result<Option<String>> {
        let branch = self.head_or_refusal()?.branch;
        Ok(branch.map(|name| short(&name)))
    }

    /// Returns whether `HEAD` points to a commit.
    pub fn has_commit(&self) -> Result<bool> {
        Ok(self.head_or_refusal()?.is_born)
    }

    /// Returns whether `HEAD` names a branch that does not exist yet.
    pub(super) fn is_unborn(&self) -> Result<bool> {
        match &self.storage {
            Storage::Files => Ok(self.local().head().is_ok_and(|head| head.is_unborn())),
            Storage::Other(_) => Ok(!self.has_commit()?),
        }
    }

    fn head_or_refusal(&self) -> Result<HeadRef> {
        self.head()
            .map_err(|fault| fault.refuse(|said| Unsupported::References { said }))
    }
}

fn short(name: &str) -> String {
    match <&gix::refs::FullNameRef>::try_from(name) {
        Ok(name) => name.shorten().to_str_lossy().into_owned(),
        Err(_) => name.to_owned(),
    }
}
