//! Why the files of a manifest of contents cannot be restored.

use std::fmt;

use crate::refusal::path::PathFault;
use crate::refusal::seal::SealFault;
use crate::refusal::shown::{brief, told};

/// Why the files of a manifest of contents cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManifestFault {
    /// It is malformed.
    Invalid {
        /// What its parser said.
        said: String,
    },
    /// It has another version.
    Version {
        /// The known version.
        expected: &'static str,
        /// Its version.
        found: String,
    },
    /// Its entries are not sorted by path, or a path occurs twice.
    Unsorted,
    /// Its buckets are not the directories at the top of its entries.
    Buckets,
    /// It does not name a commit and its tree.
    NoCommit,
    /// The sizes of its entries add up to more than a number can hold.
    TooManyBytes,
    /// The extension of an entry is not that of its name.
    Extension {
        /// The path of the entry.
        path: String,
    },
    /// The path of an entry is unsafe.
    BadPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// Two entries have one path.
    Duplicate {
        /// The path.
        path: String,
    },
    /// The path of an entry is also a directory above another.
    FileAndDirectory {
        /// The path.
        path: String,
    },
    /// A content has another size than its entry.
    Size {
        /// The path of the entry.
        path: String,
        /// The size of the entry in bytes.
        listed: u64,
        /// The size of the content in bytes. `None` if it is larger than listed.
        found: Option<u64>,
    },
    /// The commit that it names has another tree.
    OtherTree {
        /// The commit.
        commit: String,
        /// The tree that the manifest names.
        listed: String,
        /// The tree of the commit.
        found: String,
    },
    /// The sealed index that names its artifacts is not as declared.
    Seal(SealFault),
}

impl fmt::Display for ManifestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { said } => f.write_str(&brief(said)),
            Self::Version { expected, found } => {
                write!(f, "version: expected {expected}, found {}", told(found))
            }
            Self::Unsorted => f.write_str("its entries are not sorted bytewise by path, or a path occurs twice"),
            Self::Buckets => f.write_str("its buckets are not the top-level directories of its entries, each once"),
            Self::NoCommit => f.write_str("repo_state: expected the ids of a commit and its tree"),
            Self::TooManyBytes => f.write_str("the sizes of its entries add up to more than 64 bits can hold"),
            Self::Extension { path } => write!(f, "{}: ext is not that of its name", told(path)),
            Self::BadPath { path, fault } => write!(f, "{} cannot be restored: {fault}", told(path)),
            Self::Duplicate { path } => write!(f, "{} occurs twice", told(path)),
            Self::FileAndDirectory { path } => {
                write!(f, "{} cannot be both a file and a directory", told(path))
            }
            Self::Size { path, listed, found } => {
                let path = told(path);
                match found {
                    Some(found) => write!(f, "{path} has {found} bytes, but its entry says {listed}"),
                    None => write!(f, "{path} has more bytes than the {listed} of its entry"),
                }
            }
            Self::OtherTree { commit, listed, found } => write!(f, "the tree of {commit} is {found}, not {listed}"),
            Self::Seal(fault) => fault.fmt(f),
        }
    }
}
