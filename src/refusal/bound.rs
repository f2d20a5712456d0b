//! The quantities that are bounded while a repository is read, with the configuration keys that set the bounds.

/// A bounded quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bound {
    /// Entries of trees, counted at each of their paths. A directory counts as four.
    Entries,
    /// Bytes of the paths of these entries.
    PathBytes,
    /// Levels to which trees and tags nest.
    Depth,
    /// Bytes of commits, trees and tags together.
    TreeBytes,
    /// Bytes of memory for one object while it is read.
    ObjectBytes,
    /// Bytes of blobs together.
    BlobBytes,
    /// Bytes of configurations, plus a fixed amount for each.
    ConfigBytes,
    /// Refs that one push changes.
    Refs,
    /// Bytes of memory that the process holds.
    Memory,
    /// Seconds of processor time.
    Seconds,
}

impl Bound {
    /// All bounds.
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

    /// Returns the key in git's configuration that sets the bound.
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

    /// Returns the name of the quantity, in the plural.
    pub fn measure(self) -> &'static str {
        match self {
            Self::Entries => "tree entries",
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
