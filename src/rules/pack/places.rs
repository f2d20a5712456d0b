//! Where in a pack a member lies, and what that says of it.

use crate::format::sealed::DIRECTORY;
use crate::format::tree_meta::{FULL, OF_TREE_PACKS, REPO, SPLIT};

/// Returns whether a member path lies under a directory at the top of the pack.
pub fn in_directory(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns whether a member path lies under `sealed/`.
pub fn in_sealed(path: &str) -> bool {
    in_directory(path, DIRECTORY)
}

/// Returns whether a member of a tree pack is one that texts are written to.
pub fn is_of_texts(path: &str) -> bool {
    in_directory(path, FULL) || in_directory(path, SPLIT)
}

/// Returns the path of the entry that a member under `repo/` copies.
pub fn copied(member: &str) -> Option<&str> {
    member.strip_prefix(REPO)?.strip_prefix('/')
}

/// Returns whether a pack with these members is one of a commit's tree: it has copies of entries, or a document that only
/// such packs have.
pub fn is_tree_pack<'a>(mut members: impl Iterator<Item = &'a str>) -> bool {
    members.any(|path| in_directory(path, REPO) || OF_TREE_PACKS.contains(&path))
}
