//! A git repository: discovery, commits, configuration and directories.

pub mod attached_blobs;
pub mod attributes;
pub mod blobs;
mod bounded_run;
pub mod budget;
pub mod canary;
mod changes;
#[cfg(feature = "network")]
pub mod credential;
mod delta;
mod descent;
mod drivers;
mod excludes;
mod exposure;
mod families;
mod first_commits;
mod grafts;
pub mod history;
pub mod holders;
pub mod hooks_dir;
mod ignore_rules;
pub mod index;
mod index_update;
mod lfs;
mod listing;
pub mod merge_text;
mod nested;
mod objects;
mod ownership;
mod pack_order;
pub mod pack_tree;
mod peel;
mod quarantine;
mod raw_tree;
mod refs;
pub mod remote_refs;
pub mod remotes;
pub mod run_refs;
mod settled;
pub mod ssh_settings;
mod steps;
mod sweep;
mod tracked;
pub mod tree;
mod tree_order;
pub mod walk;
pub mod work_tree;
mod written;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use blobs::Room;
use budget::Budget;
use excludes::IgnoreConfig;
pub use exposure::Exposure;
use objects::Joined;
pub use objects::{ObjectPlaces, PassingObjects};
pub use ownership::{Foreign, Surroundings};
use pack_order::PackIndices;
pub use peel::Peeled;
use refs::{Storage, Unresolved};

use gix::bstr::ByteSlice;

use crate::adapters::clone::PrivateState;
use crate::adapters::files::platform::canonicalize;
use crate::format::budget::Bound;
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::format::path_bytes::os_str_of_bytes;
use crate::refusal::config::ConfigFault;
use crate::refusal::corrupt::Corrupt;
use crate::refusal::revision::RevisionFault;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// The delta-base cache of each thread. With this size a pack is read in one pass; without a cache it takes twice as
/// long.
const DELTA_CACHE: &str = "core.deltaBaseCacheLimit=25165824";

/// The largest object that the library reads into memory: [`crate::format::budget::MEMORY_IN_A_CLONE`], whoever owns
/// the repository. Larger blobs are streamed.
const MEMORY: &str = "gitoxide.objects.allocLimit=2147483648";

/// Skips the checksum of the index when reading it, as git does everywhere but in `git fsck`.
const SKIP_INDEX_HASH: &str = "index.skipHash=true";

/// An open repository, to be shared among threads.
pub struct Repository {
    shared: gix::ThreadSafeRepository,
    /// How it keeps its refs.
    storage: Storage,
    /// The indices of all packs, read when they are first needed.
    packs: OnceLock<PackIndices>,
    /// The directory that joins several object directories, if git named any in the environment.
    joined: Option<Joined>,
    /// What git-pack keeps in this clone.
    private: PrivateState,
    /// Which part of the repository belongs to another user, if any.
    foreign: Option<Foreign>,
    /// Bounds what is read, and counts it.
    budget: Budget,
    /// The objects behind tags already peeled, so that a chain of tags is followed once.
    peeled: Mutex<HashMap<gix::ObjectId, Peeled>>,
    /// Memory for blobs that are held whole.
    room: Room,
    /// The value of `GIT_GRAFT_FILE`.
    graft_file: Option<PathBuf>,
    /// The file of ignore rules that git reads if its configuration names no other.
    default_excludes: Option<PathBuf>,
    /// What the configuration says about ignored files, read when it is first needed.
    ignore_config: OnceLock<IgnoreConfig>,
}

/// The parts of a commit that git-pack needs.
#[derive(Clone, Copy, Debug)]
pub struct Commit {
    /// Id of the commit.
    pub id: ObjectId,
    /// Id of its tree.
    pub tree: ObjectId,
    /// Committer time in seconds since the epoch.
    pub committed: i64,
}

impl Repository {
    /// Opens the repository that git would use in `directory`, also when `GIT_DIR` and similar variables name it,
    /// whoever owns it.
    pub fn discover(directory: &Path, surroundings: &Surroundings) -> Result<Self> {
        let mut trust = gix::sec::trust::Mapping::<gix::open::Options>::default();
        for options in [&mut trust.full, &mut trust.reduced] {
            // Read a repository of another owner like any other: nothing in it is executed, and every object must be
            // judged.
            options.modify(|o| o.cli_overrides([DELTA_CACHE, MEMORY, SKIP_INDEX_HASH]));
        }
        let upwards = gix::discover::upwards::Options {
            match_ceiling_dir_or_error: false,
            ..Default::default()
        };
        let mut shared = gix::ThreadSafeRepository::discover_with_environment_overrides_opts(directory, upwards, trust)
            .map_err(|e| {
                let absent = e.downcast_any_ref::<gix::discover::upwards::Error>().is_some();
                let from_environment = e.is_not_found();
                if absent || from_environment {
                    return Refusal::NotARepository {
                        path: directory.to_owned(),
                    };
                }
                Refusal::Unsupported(Unsupported::Repository { said: explain(&e) })
            })?;
        let joined = objects::join(&mut shared, directory, &surroundings.objects)?;
        let common_dir = shared.to_thread_local().common_dir().to_owned();
        let (git_dir, work_tree) = (shared.refs.git_dir(), shared.work_tree.as_deref());
        let foreign = ownership::foreign(directory, git_dir, &common_dir, work_tree, surroundings);
        let private = match &foreign {
            Some(_) => PrivateState::none(&common_dir),
            None => PrivateState::open(&common_dir, surroundings.memory.clone())?,
        };
        Ok(Self {
            storage: Storage::of(&shared.to_thread_local()),
            shared,
            packs: OnceLock::new(),
            joined,
            private,
            foreign,
            budget: Budget::unbounded(),
            peeled: Mutex::default(),
            room: Room::default(),
            graft_file: surroundings.objects.grafts.as_ref().map(|path| directory.join(path)),
            default_excludes: surroundings.default_excludes.clone(),
            ignore_config: OnceLock::new(),
        })
    }

    /// Refuses a repository that belongs to another user: that user's configuration must not decide what git-pack does.
    pub fn ensure_ours(&self) -> Result<()> {
        match &self.foreign {
            Some(Foreign { path, owner }) => Err(Refusal::NotYours {
                path: path.clone(),
                owner: *owner,
            }),
            None => Ok(()),
        }
    }

    /// Returns what git-pack keeps in this clone.
    pub fn private(&self) -> &PrivateState {
        &self.private
    }

    /// Returns a handle for one thread. It ignores replacement objects, which are local to a clone.
    fn local(&self) -> gix::Repository {
        let mut repo = self.shared.to_thread_local();
        repo.objects.ignore_replacements = true;
        repo
    }

    /// Returns a handle for a thread that reads many objects. It does not look for new packs.
    fn worker(&self) -> gix::Repository {
        let mut repo = self.local();
        repo.objects.refresh_never();
        repo
    }

    /// Returns the root of the work tree, as an absolute path without links. `None` in a bare repository.
    pub fn work_tree(&self) -> Option<PathBuf> {
        let work_tree = self.shared.work_tree.as_deref()?;
        Some(canonicalize(work_tree).unwrap_or_else(|_| work_tree.to_owned()))
    }

    /// Returns the git directory that all worktrees of the clone share.
    pub fn common_dir(&self) -> PathBuf {
        self.local().common_dir().to_owned()
    }

    /// Returns the git directory of this worktree.
    pub fn git_dir(&self) -> PathBuf {
        self.shared.refs.git_dir().to_owned()
    }

    /// Returns a path from the git configuration, with `~` expanded.
    pub fn config_path(&self, key: &str) -> Result<Option<PathBuf>> {
        self.local()
            .config_snapshot()
            .trusted_path(key)
            .map_err(|e| Refusal::BadConfig {
                origin: "git config".into(),
                line: None,
                fault: ConfigFault::NotAPath {
                    key: key.to_owned(),
                    said: explain(&e),
                },
            })
    }

    /// Returns a value of the git configuration as text.
    pub fn config_text(&self, key: &str) -> Option<String> {
        let value = self.local().config_snapshot().string(key)?;
        Some(value.to_str_lossy().into_owned())
    }

    /// Returns the name of a configured remote, the first in alphabetical order. `None` if there is none.
    pub fn any_remote(&self) -> Option<String> {
        let repo = self.local();
        let names = repo.remote_names();
        names.iter().next().map(|name| name.to_str_lossy().into_owned())
    }

    /// Resolves a revision to a commit, following tags.
    pub fn commit(&self, rev: &str) -> Result<Commit> {
        let bad = |fault| Refusal::BadRevision {
            rev: rev.to_owned(),
            fault,
        };
        let id = match self.resolve(rev) {
            Ok(id) => id,
            Err(Unresolved::Missing(id)) => {
                return Err(Refusal::MissingObject {
                    count: 1,
                    example: id.to_string(),
                });
            }
            Err(Unresolved::Fault(fault)) => return Err(fault.refuse(|said| Unsupported::References { said })),
            Err(_) if rev == "HEAD" && self.is_unborn()? => return Err(Refusal::NoCommit),
            Err(Unresolved::NotFound) => return Err(bad(RevisionFault::NotFound)),
            Err(Unresolved::Several) => return Err(bad(RevisionFault::Several)),
            Err(Unresolved::Said(said)) => return Err(bad(RevisionFault::Said(said))),
        };
        match self.peel(&id)? {
            Peeled::Commit(id) => self.commit_of(&id),
            Peeled::Tree(_) => Err(bad(RevisionFault::Tree)),
            Peeled::Blob(_) => Err(bad(RevisionFault::Blob)),
        }
    }

    /// Returns the commit with this id.
    pub fn commit_of(&self, id: &ObjectId) -> Result<Commit> {
        match walk::read_commit(self, &self.local(), to_gix(id), &mut Vec::new())? {
            Some(named) => Ok(Commit {
                id: *id,
                tree: from_gix(&named.tree),
                committed: named.committed,
            }),
            None => Err(Refusal::MissingObject {
                count: 1,
                example: id.to_string(),
            }),
        }
    }

    /// Returns a `git` command that uses this repository, fetches nothing, and runs neither hooks nor a file system
    /// monitor: somebody else may have prepared the clone.
    fn git(&self) -> Command {
        let mut command = self.git_with_hooks();
        command.args(["-c", "core.hooksPath=/dev/null"]);
        for hook in hooks_dir::configured(&self.local()) {
            // Other than `-c`, this takes names with an equals sign.
            let mut setting = OsString::from("--config-env=hook.");
            setting.push(os_str_of_bytes(&hook));
            setting.push(".enabled=GITPACK_RUNS_HOOKS");
            command.arg(setting).env("GITPACK_RUNS_HOOKS", "false");
        }
        command
    }

    /// Returns the same command with the hooks of the clone. Only for what its user does anyway, and expects them to
    /// judge.
    fn git_with_hooks(&self) -> Command {
        let mut command = Command::new("git");
        command
            .arg("--git-dir")
            .arg(self.shared.refs.git_dir())
            .args(["-c", "core.fsmonitor=false"])
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(std::process::Stdio::null());
        command
    }
}

/// Converts an id of the library.
fn from_gix(id: &gix::oid) -> ObjectId {
    ObjectId::from_bytes(id.as_bytes()).expect("git object ids have 20 or 32 bytes")
}

/// Converts an id for the library.
fn to_gix(id: &ObjectId) -> gix::ObjectId {
    gix::ObjectId::from_bytes_or_panic(id.as_bytes())
}

/// Joins an error and its causes into one line.
fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !next.is_empty() && !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

/// Returns the refusal for an object that is missing, too large for the memory bound, or unreadable.
fn object_error(id: gix::ObjectId, error: &gix::Error) -> Refusal {
    if error.is_not_found() {
        return Refusal::MissingObject {
            count: 1,
            example: id.to_string(),
        };
    }
    match error.is_resource_exhausted() {
        true => Refusal::Budget {
            bound: Bound::ObjectBytes,
            allowed: None,
        },
        false => corrupt_object(id, &explain(error)),
    }
}

/// Refuses an object whose content does not hash to its id.
fn ensure_intact(id: gix::ObjectId, kind: &str, content: &[u8]) -> Result<()> {
    let expected = from_gix(&id);
    let mut hasher = ObjectHasher::new(&expected, kind, content.len() as u64);
    hasher.update(content);
    match hasher.finish() == expected {
        true => Ok(()),
        false => Err(corrupt_object(id, "its content does not match its id")),
    }
}

fn corrupt_object(id: gix::ObjectId, why: &str) -> Refusal {
    Refusal::Corrupt(Corrupt::Object {
        id: id.to_string(),
        said: why.to_owned(),
    })
}
