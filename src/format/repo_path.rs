//! Paths of tracked entries, as the bytes that git stores.

use std::borrow::Cow;
use std::fmt;

use crate::format::tree_name;
use crate::refusal::shown::shown;

/// A path relative to the repository's root: `/`-separated bytes without a leading slash, ordered bytewise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(Box<[u8]>);

impl RepoPath {
    /// Wraps the bytes that git returns.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text by which documents name the path.
    pub fn text(&self) -> Cow<'_, str> {
        tree_name::text_of(&self.0)
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}
