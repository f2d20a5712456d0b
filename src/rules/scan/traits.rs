//! The findings about the content of a blob.

use std::fmt;

use crate::format::layers::Unread;
use crate::format::protected::Format;
use crate::rules::content::Pointer;
use crate::rules::known::KnownPart;

/// The findings about the content of a blob.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// The formats recognised, each with the layer in which it was found (`gzip`). `None` for the blob itself.
    pub formats: Vec<(Format, Option<String>)>,
    /// Whether the blob is an age file.
    pub seal: SealState,
    /// The Git LFS pointer that the blob is, if any.
    pub lfs_pointer: Option<Pointer>,
    /// Parts of the blob that were not examined.
    pub in_part: Vec<InPart>,
    /// Parts of files that this clone protected, found in the blob.
    pub known: Vec<KnownPart>,
}

/// A part of a blob that was not examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPart {
    /// The reason.
    pub why: Unexamined,
    /// The layer in which it is (`gzip`). `None` for the blob itself.
    pub within: Option<String>,
}

/// Why something was not examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unexamined {
    /// It could not be unpacked.
    Packed(Unread),
    /// It is a Git LFS pointer whose object is missing from this clone or cannot be read.
    LfsAbsent,
    /// It is a Git LFS pointer whose object in this clone does not match its hash.
    LfsOther,
}

impl fmt::Display for InPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.why {
            Unexamined::Packed(Unread::Bound) => "it unpacks to more than git-pack examines",
            Unexamined::Packed(Unread::Damaged) => "it is damaged or cut short",
            Unexamined::Packed(Unread::Encrypted) => "it is encrypted",
            Unexamined::Packed(Unread::Unsupported) => "it is packed in an unsupported way",
            Unexamined::Packed(Unread::Depth) => "it is nested in too many layers",
            Unexamined::LfsAbsent => "its Git LFS object is not in this clone",
            Unexamined::LfsOther => "its Git LFS object in this clone does not match its hash",
        })?;
        match &self.within {
            Some(within) => write!(f, " ({within})"),
            None => Ok(()),
        }
    }
}

/// Whether a blob is an age file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SealState {
    /// It does not look like an age file.
    #[default]
    No,
    /// Its header, stanzas and payload length are valid.
    Whole,
    /// It begins like an age file but is not a valid one. Holds the reason.
    Broken(String),
}

impl Traits {
    /// Returns whether there are no findings about the content.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}
