//! The places in a pack, and the role of the members in each.

use crate::format::sealed::DIRECTORY;
use crate::format::tree_meta::{FULL, OF_TREE_PACKS, REPO, SPLIT};

/// Returns whether a member path is below this top-level directory.
pub fn in_directory(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns whether a member path is below `sealed/`.
pub fn in_sealed(path: &str) -> bool {
    in_directory(path, DIRECTORY)
}

/// Returns whether a member of a tree pack holds texts.
pub fn is_of_texts(path: &str) -> bool {
    in_directory(path, FULL) || in_directory(path, SPLIT)
}

/// Returns the path of the entry that a member below `repo/` is a copy of.
pub fn copied(member: &str) -> Option<&str> {
    member.strip_prefix(REPO)?.strip_prefix('/')
}

/// Returns whether a pack with these members is a tree pack: it has copies of entries, or a document that only tree
/// packs have.
pub fn is_tree_pack<'a>(mut members: impl Iterator<Item = &'a str>) -> bool {
    members.any(|path| in_directory(path, REPO) || OF_TREE_PACKS.contains(&path))
}
