//! Damage: stored content and records that are not what they should be.

use std::fmt;
use std::path::PathBuf;

/// What is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Corrupt {
    /// An object of git.
    Object {
        /// Its id.
        id: String,
        /// What git said.
        said: String,
    },
    /// A file or directory of git's object database.
    ObjectFile {
        /// The file or directory.
        path: PathBuf,
        /// What git said.
        said: String,
    },
    /// Content in a store.
    Stored {
        /// Its ref.
        content: String,
        /// The name of the store.
        store: &'static str,
        /// What is wrong with it.
        fault: String,
        /// The damaged file, if it is in the way of the sound content.
        in_the_way: Option<PathBuf>,
    },
    /// A stored seal that is not the one its receipt names.
    Sealing {
        /// The file.
        path: PathBuf,
    },
    /// The list of pins.
    Pins {
        /// The file.
        path: PathBuf,
        /// What its parser said.
        said: String,
    },
    /// The roots of a run, while garbage is collected.
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        said: String,
    },
    /// Objects, and no root at all, while garbage is collected.
    NoRoots {
        /// How many objects.
        objects: u64,
        /// The directory of the content store.
        store: PathBuf,
    },
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object { id, said } => write!(f, "object {id} cannot be read: {said}"),
            Self::ObjectFile { path, said } => write!(f, "{} cannot be read: {said}", path.display()),
            Self::Stored {
                content, store, fault, ..
            } => write!(f, "{content} in {store}: {fault}"),
            Self::Sealing { path } => {
                write!(f, "{}: it is not the seal that its receipt names", path.display())
            }
            Self::Pins { path, said } => write!(f, "{}: {said}", path.display()),
            Self::Roots { path, said } => write!(f, "{}: {said}; nothing was removed", path.display()),
            Self::NoRoots { objects, .. } => write!(
                f,
                "the content store has {objects} objects but no roots that say which are needed; nothing was removed"
            ),
        }
    }
}
