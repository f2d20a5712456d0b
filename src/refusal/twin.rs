//! A file and its sealed twin that do not agree.

use std::fmt;

/// Why one of both files is not overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TwinConflict {
    /// The twin changed, and the plaintext did not.
    SealedChanged,
    /// The twin holds something else than the plaintext.
    SealedDiffers,
    /// What the twin holds is not known.
    SealedUnknown,
    /// The plaintext changed, and the twin did not.
    PlainChanged,
    /// The plaintext holds something else than the twin.
    PlainDiffers,
    /// Whether the plaintext holds something else than the twin is not known.
    PlainUnknown,
}

/// Why the two sides of a merge are in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeFault {
    /// The twin is unmerged.
    Twin,
    /// The twin is unmerged: our side deleted it, and theirs changed it.
    DeletedByUs,
    /// The twin is unmerged: their side deleted it, and ours changed it.
    DeletedByThem,
    /// The plaintext is unmerged, though it must not be tracked.
    Plain,
    /// The plaintext is unmerged, and on disk as the side has it that tracks it. The twin of the other side has changes too.
    PlainOfOneSide,
    /// The twin is not unmerged, so it has no sides.
    NoSides,
    /// The sides are not texts, or too long to be merged.
    NotText,
    /// The plaintext has conflict markers.
    Markers,
}

/// Why a name does not stand for one file that can be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOneFile {
    /// It is a directory.
    Directory,
    /// It is a glob that the shell did not expand.
    Glob,
}

impl NotOneFile {
    /// Returns what is wrong, with the name as given.
    pub(super) fn about(self, name: &str) -> String {
        match self {
            Self::Directory => format!("{name} is a directory; expected files"),
            Self::Glob => format!("there is no file {name}, and only a shell expands globs here"),
        }
    }
}

impl MergeFault {
    /// Returns what is in the way, with the names of the plaintext and of its twin.
    pub(super) fn about(self, plain: &str, sealed: &str) -> String {
        match self {
            Self::Twin => format!("{sealed} is unmerged"),
            Self::DeletedByUs => format!("{sealed} is unmerged: our side deleted it, and their side changed it"),
            Self::DeletedByThem => format!("{sealed} is unmerged: their side deleted it, and our side changed it"),
            Self::Plain => format!("{plain} is unmerged"),
            Self::PlainOfOneSide => {
                format!("{plain} is as one side has it, and lacks what the other side changed in {sealed}")
            }
            Self::NoSides => format!("{sealed} is not unmerged, so it has no sides"),
            Self::NotText => format!("the sides of {sealed} are not texts that can be merged"),
            Self::Markers => format!("{plain} still has conflict markers"),
        }
    }
}

impl fmt::Display for TwinConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SealedChanged => "it has changed, and this plaintext has not",
            Self::SealedDiffers => "its content differs from this plaintext",
            Self::SealedUnknown => "this clone does not know its content",
            Self::PlainChanged => "it changed since it was sealed",
            Self::PlainDiffers => "its content differs from its sealed twin",
            Self::PlainUnknown => "this clone cannot tell whether it differs from its sealed twin",
        })
    }
}
