//! Why a revision does not name a commit.

use std::fmt;

/// Why a revision does not name a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisionFault {
    /// Nothing in the repository has that name.
    NotFound,
    /// It names a tree.
    Tree,
    /// It names a blob.
    Blob,
    /// It names a range or a list of commits, such as `main..HEAD` or `HEAD^!`.
    Several,
    /// It cannot be parsed, or is ambiguous.
    Said(String),
}

impl fmt::Display for RevisionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is no such revision"),
            Self::Tree => f.write_str("it names a tree"),
            Self::Blob => f.write_str("it names a blob"),
            Self::Several => f.write_str("it names a range or a list of commits"),
            Self::Said(said) => f.write_str(said),
        }
    }
}
