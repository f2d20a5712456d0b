//! The contents of a commit that a pack is compared with.

use std::collections::BTreeSet;

use crate::format::dump::layout::Layout;
use crate::format::object_id::ObjectId;
use crate::format::protected::Policy;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::StateFile;

/// A commit, in the scope and the mode of the pack to compare.
pub struct Committed<'a> {
    /// Its object id.
    pub id: ObjectId,
    /// The id of its tree.
    pub tree: ObjectId,
    /// Its canon version.
    pub canon_version: &'a str,
    /// The files that a pack of the commit holds in the clear.
    pub files: &'a [StateFile],
    /// Paths of the files whose copy in the pack differs in line endings only.
    pub same_but_for_ends: BTreeSet<String>,
    /// The files that a pack of the commit seals.
    pub sealed: &'a [SealedFile],
    /// The settings of the scope.
    pub settings: Settings<'a>,
    /// Its registry, as the bytes of `meta/PROTECTED.json`.
    pub registry: &'a [u8],
}

/// The settings of a scope in the commit's configuration.
pub struct Settings<'a> {
    /// Its title.
    pub title: &'a str,
    /// Its layout.
    pub layout: &'a Layout,
    /// Its include globs, then its exclude globs.
    pub globs: &'a [Vec<String>; 2],
}

/// A file in a commit that a pack seals.
#[derive(Clone, Debug)]
pub struct SealedFile {
    /// Its path.
    pub path: RepoPath,
    /// Its protection class.
    pub class: String,
    /// Its policy.
    pub policy: Policy,
}
