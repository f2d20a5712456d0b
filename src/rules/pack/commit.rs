//! What a commit holds, as far as a pack of it is held against it.

use std::collections::BTreeSet;

use crate::format::dump::layout::Layout;
use crate::format::object_id::ObjectId;
use crate::format::protected::Policy;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::StateFile;

/// A commit, in the scope and the mode of a pack.
pub struct Committed<'a> {
    /// Its id.
    pub id: ObjectId,
    /// The id of its tree.
    pub tree: ObjectId,
    /// Its canon version.
    pub canon_version: &'a str,
    /// The files that a pack of it has in the clear.
    pub files: &'a [StateFile],
    /// Those of them whose copy in the pack differs in its line ends alone.
    pub same_but_for_ends: BTreeSet<String>,
    /// The files that a pack of it seals.
    pub sealed: &'a [SealedFile],
    /// The settings of the scope.
    pub settings: Settings<'a>,
    /// Its registry, as a document.
    pub registry: &'a [u8],
}

/// The settings of a scope in a commit.
pub struct Settings<'a> {
    /// Its title.
    pub title: &'a str,
    /// How it is laid out.
    pub layout: &'a Layout,
    /// The globs of what is in it, and of what is left out.
    pub globs: &'a [Vec<String>; 2],
}

/// A file in a commit that a pack seals.
#[derive(Clone, Debug)]
pub struct SealedFile {
    /// Its path.
    pub path: RepoPath,
    /// The class that it has.
    pub class: String,
    /// The policy.
    pub policy: Policy,
}
