//! What is counted and bounded while a repository is read, with the keys that set the bounds.

/// Something that is counted, and bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bound {
    /// Entries of trees under their paths; a directory counts as four.
    Entries,
    /// Bytes of the paths of these entries.
    PathBytes,
    /// How deep trees and tags nest.
    Depth,
    /// Bytes of commits, trees and tags together.
    TreeBytes,
    /// Bytes of memory that one object takes while it is read.
    ObjectBytes,
    /// Bytes of blobs together.
    BlobBytes,
    /// Bytes of configurations; each counts as a fixed amount more than it has.
    ConfigBytes,
    /// Refs that one push changes.
    Refs,
    /// Bytes of memory that the process holds.
    Memory,
    /// Seconds of processor time.
    Seconds,
}

impl Bound {
    /// Every bound there is.
    pub const ALL: [Self; 10] = [
        Self::Entries,
        Self::PathBytes,
        Self::Depth,
        Self::TreeBytes,
        Self::ObjectBytes,
        Self::BlobBytes,
        Self::ConfigBytes,
        Self::Refs,
        Self::Memory,
        Self::Seconds,
    ];

    /// Returns the key in git's configuration that sets it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Entries => "gitpack.maxEntries",
            Self::PathBytes => "gitpack.maxPathBytes",
            Self::Depth => "gitpack.maxDepth",
            Self::TreeBytes => "gitpack.maxTreeBytes",
            Self::ObjectBytes => "gitpack.maxObjectBytes",
            Self::BlobBytes => "gitpack.maxBlobBytes",
            Self::ConfigBytes => "gitpack.maxConfigBytes",
            Self::Refs => "gitpack.maxRefs",
            Self::Memory => "gitpack.maxMemory",
            Self::Seconds => "gitpack.maxSeconds",
        }
    }

    /// Returns what it counts, in the plural.
    pub fn measure(self) -> &'static str {
        match self {
            Self::Entries => "entries of trees",
            Self::PathBytes => "bytes of paths",
            Self::Depth => "levels of trees or tags",
            Self::TreeBytes => "bytes of commits, trees and tags",
            Self::ObjectBytes => "bytes of memory for one object",
            Self::BlobBytes => "bytes of files",
            Self::ConfigBytes => "bytes of configurations",
            Self::Refs => "refs",
            Self::Memory => "bytes of memory",
            Self::Seconds => "seconds of processor time",
        }
    }
}
