//! Why a file is not an archive of a pack.

use std::error::Error;
use std::fmt;

use crate::refusal::path::PathFault;
use crate::refusal::shown::shown;

/// Why a file is not an archive of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveFault {
    /// It does not begin like an archive.
    NotAnArchive,
    /// It is a tar file that is not compressed as an archive is.
    PlainTar,
    /// A part of it is not a zstd frame, or one with other options than an archive has.
    Frame {
        /// Its place in the file, in bytes.
        at: u64,
    },
    /// A zstd frame cannot be decoded.
    Damaged {
        /// Its place in the file, in bytes.
        at: u64,
        /// What the decoder said.
        said: String,
    },
    /// A zstd frame ends in another place than between two entries, or too early.
    FrameEnd {
        /// Its place in the file, in bytes.
        at: u64,
    },
    /// It ends too early.
    Short,
    /// Something follows its end.
    Trailing,
    /// The first entry is not the manifest.
    NoManifest {
        /// What it is instead.
        found: String,
    },
    /// An entry is not a regular file.
    Kind {
        /// Its path.
        path: String,
        /// What it is instead.
        kind: &'static str,
    },
    /// An entry is not in the directory of the pack.
    Outside {
        /// Its path.
        path: String,
        /// That directory.
        directory: String,
    },
    /// The path of an entry is unsafe.
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// Two entries are not in order, or have the same path.
    Order {
        /// The path of the second one.
        path: String,
    },
    /// A field of a header is not as in an archive.
    Header {
        /// The path of the entry.
        path: String,
        /// The field.
        field: &'static str,
    },
    /// A size in a header is not a number.
    Size {
        /// The path of the entry.
        path: String,
    },
    /// A pax header is not as in an archive.
    Pax,
    /// Something other than zeros follows the content of an entry in its last block.
    Padding {
        /// The path of the entry.
        path: String,
    },
    /// Its content is too large for a file of its size.
    TooMuch {
        /// Most bytes of content that are read.
        allowed: u64,
    },
    /// A file that is attached to the pack is not as in an archive.
    Attached {
        /// The path of the entry.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It holds too many files that its manifest does not declare.
    Undeclared {
        /// The number of such files that are read.
        allowed: usize,
    },
}

impl fmt::Display for ArchiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnArchive => f.write_str("it is neither a directory nor an archive of a pack"),
            Self::PlainTar => f.write_str("it is neither a directory nor an archive of a pack, but a plain tar file"),
            Self::Frame { at } => write!(
                f,
                "at byte {at}, it has something other than a zstd frame of an archive"
            ),
            Self::Damaged { at, said } => write!(f, "its zstd frame at byte {at} is damaged: {said}"),
            Self::FrameEnd { at } => write!(f, "its zstd frame at byte {at} ends in the wrong place"),
            Self::Short => f.write_str("it ends too early"),
            Self::Trailing => f.write_str("something follows its end"),
            Self::NoManifest { found } => write!(
                f,
                "its first entry is {}; expected git-pack-<id>/manifest.json",
                shown(found.as_bytes())
            ),
            Self::Kind { path, kind } => write!(f, "its entry {} is {kind}", shown(path.as_bytes())),
            Self::Outside { path, directory } => write!(
                f,
                "its entry {} is outside of its directory {directory}",
                shown(path.as_bytes())
            ),
            Self::Path { path, fault } => write!(f, "its entry {} has an unsafe path: {fault}", shown(path.as_bytes())),
            Self::Order { path } => write!(
                f,
                "its entry {} is there twice, or is not in order",
                shown(path.as_bytes())
            ),
            Self::Header { path, field } => write!(
                f,
                "the header of its entry {} has an unexpected {field}",
                shown(path.as_bytes())
            ),
            Self::Size { path } => write!(f, "the size of its entry {} is malformed", shown(path.as_bytes())),
            Self::Pax => f.write_str("it has a malformed pax header"),
            Self::Padding { path } => write!(
                f,
                "something is hidden behind the content of its entry {}",
                shown(path.as_bytes())
            ),
            Self::TooMuch { allowed } => write!(
                f,
                "its content has more than the {allowed} bytes that are allowed for a file of its size"
            ),
            Self::Attached { path, why } => write!(f, "its entry {} {why}", shown(path.as_bytes())),
            Self::Undeclared { allowed } => write!(
                f,
                "it holds more than {allowed} files that its manifest.json does not declare"
            ),
        }
    }
}

impl Error for ArchiveFault {}
