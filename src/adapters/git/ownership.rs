//! Determines the owner of a repository by git's own rule (`safe.directory` in git-config(1)).
//!
//! A repository of another user is read, but nothing in it is trusted, executed or written.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::adapters::clone::Memory;
use crate::adapters::files::platform::ensure_ours;
use crate::adapters::git::ObjectPlaces;

/// What the environment says about the repository and its owner.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The object directories that git named: `GIT_OBJECT_DIRECTORY` and its alternates.
    pub objects: ObjectPlaces,
    /// Whether `GIT_DIR` names the repository. git does not check the owner of a repository that is named explicitly.
    pub names_git_dir: bool,
    /// Id of the user who became root by sudo. git trusts that user's repositories too.
    pub sudo_uid: Option<u32>,
    /// The file of ignore rules that git reads if its configuration names no other.
    pub default_excludes: Option<PathBuf>,
    /// The user's key for what git-pack remembers in a clone.
    pub memory: Memory,
}

impl Default for Surroundings {
    /// Returns the surroundings for an empty environment.
    fn default() -> Self {
        Self {
            objects: ObjectPlaces::default(),
            names_git_dir: false,
            sudo_uid: None,
            default_excludes: None,
            memory: Memory::none(),
        }
    }
}

/// A repository that belongs to another user, in whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its work tree or, if it is bare, its git directory. This is the path that `safe.directory` would have to name.
    pub path: PathBuf,
    /// Id of the user who owns the work tree, the git directory, or the `.git` entry, where the system tells.
    pub owner: Option<u32>,
}

/// Returns the other user who owns the repository. `None` if git accepts it as the current user's.
pub(super) fn foreign(
    directory: &Path,
    git_dir: &Path,
    common_dir: &Path,
    work_tree: Option<&Path>,
    surroundings: &Surroundings,
) -> Option<Foreign> {
    if surroundings.names_git_dir {
        return None;
    }
    let dot_git = work_tree.map(|top| top.join(".git"));
    let places = [Some(git_dir), Some(common_dir), work_tree, dot_git.as_deref()];
    let found = places.into_iter().flatten().find_map(|path| {
        let owner = ensure_ours(path, surroundings.sudo_uid).err()?;
        Some(Foreign {
            path: work_tree.unwrap_or(git_dir).to_owned(),
            owner,
        })
    });
    // Only git knows which configuration files count for `safe.directory`, so ask it.
    found.filter(|_| !git_takes_it_for_ours(directory))
}

/// Asks git. It refuses a repository of another user before it reads that repository's configuration.
fn git_takes_it_for_ours(directory: &Path) -> bool {
    let asked = Command::new("git")
        .args(["-c", "core.fsmonitor=false", "rev-parse", "--git-dir"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}
