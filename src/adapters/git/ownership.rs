//! Whose a repository is, by git's own rule (`safe.directory` in git-config(1)): one that belongs to somebody else is read,
//! but nothing in it is believed, executed or written.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::adapters::clone::Memory;
use crate::adapters::git::ObjectPlaces;

/// What the environment says about where a repository and what belongs to it are.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where git said that objects are: `GIT_OBJECT_DIRECTORY` and its alternates.
    pub objects: ObjectPlaces,
    /// Whether `GIT_DIR` names the repository. Git asks nothing about the owner of one that is named.
    pub names_git_dir: bool,
    /// The user who became root by sudo; git trusts that user's repositories too.
    pub sudo_uid: Option<u32>,
    /// The key of the user's memory.
    pub memory: Memory,
}

impl Default for Surroundings {
    /// Returns those of an empty environment.
    fn default() -> Self {
        Self {
            objects: ObjectPlaces::default(),
            names_git_dir: false,
            sudo_uid: None,
            memory: Memory::none(),
        }
    }
}

/// A repository that belongs to somebody else, in whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its work tree or, if it is bare, its git directory: what `safe.directory` would have to name.
    pub path: PathBuf,
    /// Who owns the work tree, the git directory or what leads to it.
    pub owner: u32,
}

/// Returns who else owns the repository; none if git takes it for ours.
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
        let owner = std::fs::symlink_metadata(path).ok()?.uid();
        (!is_ours(owner, surroundings.sudo_uid)).then(|| Foreign {
            path: work_tree.unwrap_or(git_dir).to_owned(),
            owner,
        })
    });
    // Only git knows what safe.directory says in the configuration that it believes.
    found.filter(|_| !git_takes_it_for_ours(directory))
}

fn is_ours(owner: u32, sudo_uid: Option<u32>) -> bool {
    let user = rustix::process::geteuid();
    owner == user.as_raw() || (user.is_root() && sudo_uid == Some(owner))
}

/// Asks git itself. It refuses before it reads the configuration of a repository that is not ours.
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
