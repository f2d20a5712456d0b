//! A pack that the user named: a directory, an archive, or a pack at a place.

use std::path::{Path, PathBuf};

use crate::adapters::published::PublishedPack;
use crate::ops::Context;
use crate::ops::pack::source::Source;
use crate::refusal::Result;

/// A pack that the user named, ready to be read.
pub enum GivenPack {
    /// A directory.
    Directory(PathBuf),
    /// An archive, or a pack at a place.
    Published(Box<dyn PublishedPack>),
}

impl GivenPack {
    /// Finds the pack that `name` stands for.
    pub fn of(ctx: &Context, name: &Path) -> Result<Self> {
        Ok(Self::Directory(ctx.cwd.join(name)))
    }

    /// Returns where it is read from.
    pub fn source(&self) -> Source<'_> {
        match self {
            Self::Directory(root) => Source::Directory(root),
            Self::Published(pack) => Source::Published(&**pack),
        }
    }
}
