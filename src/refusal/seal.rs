//! What is wrong with a seal, or with the sealed index that names the artifacts.

use std::fmt;

use crate::refusal::path::PathFault;
use crate::refusal::shown::told;

/// What is wrong with a seal that was opened, or with the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealFault {
    /// It is not a file that can be read.
    Unreadable,
    /// It is not the file that was verified.
    Changed,
    /// The content does not end with valid padding.
    BadPadding,
    /// The index is longer than any that is opened.
    IndexTooLong {
        /// The most bytes that it may have.
        allowed: u64,
    },
    /// The index is malformed.
    BadIndex {
        /// What its parser said.
        said: String,
    },
    /// The index has another version.
    IndexVersion {
        /// The known version.
        expected: &'static str,
        /// Its version.
        found: String,
    },
    /// The index is not in canonical form.
    IndexNotCanonical,
    /// The index has more or fewer entries than there are other seals.
    IndexCount {
        /// The number of its entries.
        entries: usize,
        /// The number of other seals.
        seals: usize,
    },
    /// The index names a ciphertext that is not declared, or names it twice.
    IndexUnknown {
        /// The path of the ciphertext.
        path: String,
    },
    /// The path of an artifact is unsafe.
    BadName {
        /// The path.
        path: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// Two seals are of one artifact.
    Duplicate {
        /// The path of the artifact.
        path: String,
    },
    /// The path of an artifact is also a directory above another.
    FileAndDirectory {
        /// The path.
        path: String,
    },
}

impl fmt::Display for SealFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("it is not a readable file"),
            Self::Changed => f.write_str("it changed since the pack was verified"),
            Self::BadPadding => f.write_str("its padding is not valid"),
            Self::IndexTooLong { allowed } => write!(f, "the index has more than {allowed} bytes"),
            Self::BadIndex { said } => write!(f, "the index: {said}"),
            Self::IndexVersion { expected, found } => {
                write!(f, "the index: version: expected {expected}, found {}", told(found))
            }
            Self::IndexNotCanonical => f.write_str("the index is not in canonical form"),
            Self::IndexCount { entries, seals } => {
                write!(f, "the index has {entries} entries, but there are {seals} other seals")
            }
            Self::IndexUnknown { path } => {
                write!(f, "the index names {} twice, or it is not declared", told(path))
            }
            Self::BadName { path, fault } => write!(f, "{} cannot be an artifact: {fault}", told(path)),
            Self::Duplicate { path } => write!(f, "two seals are of {}", told(path)),
            Self::FileAndDirectory { path } => {
                write!(f, "{} cannot be both a file and a directory", told(path))
            }
        }
    }
}
