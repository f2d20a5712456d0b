//! What needs a work tree, which a bare repository does not have.

use std::fmt;

/// An action that needs a work tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkTreeUse {
    /// Reading or changing the recipients of the configuration.
    Recipients,
    /// Setting up a work tree.
    Init,
    /// Protecting files.
    Protect,
    /// Revealing files.
    Reveal,
    /// Merging sealed twins.
    Merge,
    /// Noting that a sealed twin was rekeyed.
    Twin,
    /// Scanning the files of the work tree.
    Scan,
    /// Scanning what the next commit would hold.
    Staged,
    /// Allowing what a scan found.
    Allow,
    /// Attaching files to a pack.
    Attach,
    /// Changing the index.
    Staging,
    /// Listing the files of the work tree.
    ListingFiles,
}

impl fmt::Display for WorkTreeUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recipients => "the list of recipients",
            Self::Init => "setting up",
            Self::Protect => "protecting files",
            Self::Reveal => "revealing files",
            Self::Merge => "merging sealed twins",
            Self::Twin => "a sealed twin",
            Self::Scan => "a scan of the work tree",
            Self::Staged => "a scan of what is staged",
            Self::Allow => "allowing what a scan found",
            Self::Attach => "attaching files",
            Self::Staging => "staging",
            Self::ListingFiles => "listing files",
        })
    }
}
