//! The paths in the index, and what is known of them about a directory of the work tree.

use std::collections::HashMap;

use gix::index::entry::{Flags, Mode};

use crate::adapters::git::excludes::GITIGNORE;
use crate::adapters::git::ignore_rules::folded;
use crate::adapters::git::index::Index;
use crate::adapters::git::{Repository, from_gix};
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::refusal::Result;

/// All paths in the index. A directory of a sparse index is replaced by its content.
pub(super) struct Tracked {
    /// Sorted bytewise.
    paths: Vec<RepoPath>,
    /// The paths as git compares them, and whether each is a submodule. Sorted bytewise.
    names: Vec<(Vec<u8>, bool)>,
    /// Whether git ignores case.
    folds: bool,
    left_out: HashMap<RepoPath, ObjectId>,
}

/// What the index has of a directory.
pub(super) enum Kept {
    /// Something in the directory.
    Content,
    /// A submodule at its path.
    Submodule,
    Nothing,
}

impl Repository {
    /// Returns all paths in the index, sorted bytewise.
    pub fn tracked_paths(&self) -> Result<Vec<RepoPath>> {
        Ok(Tracked::of(&self.index()?, false)?.into_paths())
    }
}

impl Tracked {
    /// Reads all entries of the index, also those in conflict and those that are only intended to be added.
    pub(super) fn of(index: &Index<'_>, folds: bool) -> Result<Self> {
        let mut tracked = Self {
            paths: Vec::new(),
            names: Vec::new(),
            folds,
            left_out: HashMap::new(),
        };
        let state = index.state();
        for entry in state.entries() {
            let path = entry.path(state);
            let id = from_gix(&entry.id);
            match entry.mode {
                Mode::DIR => {
                    for below in index.below(path, &id)? {
                        let is_submodule = below.kind == EntryKind::Submodule;
                        tracked.add(below.path, is_submodule, Some(below.id));
                    }
                }
                mode => {
                    let is_left_out = entry.flags.contains(Flags::SKIP_WORKTREE);
                    tracked.add(RepoPath::new(path), mode == Mode::COMMIT, is_left_out.then_some(id));
                }
            }
        }
        tracked.paths.sort_unstable();
        tracked.paths.dedup();
        tracked.names.sort_unstable();
        Ok(tracked)
    }

    /// Returns the paths, sorted bytewise.
    pub(super) fn into_paths(self) -> Vec<RepoPath> {
        self.paths
    }

    /// Returns the blobs of the files of ignore rules that a sparse checkout leaves out of the work tree, by path.
    pub(super) fn left_out(&self) -> &HashMap<RepoPath, ObjectId> {
        &self.left_out
    }

    /// Returns whether the index has an entry at `path`.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        let name = folded(path, self.folds);
        self.names.binary_search_by(|(other, _)| other.cmp(&name)).is_ok()
    }

    /// Returns what the index has of a directory.
    pub(super) fn kept_of(&self, directory: &[u8]) -> Kept {
        let name = folded(directory, self.folds);
        let from = |name: &[u8]| self.names.partition_point(|(other, _)| &other[..] < name);
        let below = [&name[..], b"/"].concat();
        if self
            .names
            .get(from(&below))
            .is_some_and(|(other, _)| other.starts_with(&below))
        {
            return Kept::Content;
        }
        match self.names.get(from(&name)) {
            Some((other, true)) if *other == name => Kept::Submodule,
            _ => Kept::Nothing,
        }
    }

    fn add(&mut self, path: RepoPath, is_submodule: bool, left_out: Option<ObjectId>) {
        let bytes = path.as_bytes();
        self.names.push((folded(bytes, self.folds), is_submodule));
        if let Some(id) = left_out
            && bytes.rsplit(|byte| *byte == b'/').next() == Some(GITIGNORE)
        {
            self.left_out.insert(path.clone(), id);
        }
        self.paths.push(path);
    }
}
