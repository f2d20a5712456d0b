//! A pack that the user named: a directory, an archive, or a pack at a place.

use std::path::{Path, PathBuf};

use crate::adapters::archive::ArchivedPack;
use crate::adapters::published::PublishedPack;
use crate::format::destination::PlaceAddress;
use crate::ops::Context;
use crate::ops::pack::source::Source;
use crate::ops::share::place::{self, ReachRequest};
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
        Self::reached(ctx, name, &ReachRequest::default())
    }

    /// Finds the pack that `name` stands for. A dry run keeps nothing of what it fetches.
    pub fn of_run(ctx: &Context, name: &Path, dry_run: bool) -> Result<Self> {
        Self::reached(ctx, name, &ReachRequest::default().of_run(dry_run))
    }

    /// Finds the pack that `name` stands for. If it is at a place, the place is reached as `reach` says.
    pub fn reached(ctx: &Context, name: &Path, reach: &ReachRequest) -> Result<Self> {
        match name.to_str().filter(|text| PlaceAddress::is_address(text)) {
            Some(text) => {
                let address = place::parse(text)?;
                let opened = place::open(ctx, &address.place, reach)?;
                place::find(&*opened, address.which.as_ref()).map(Self::Published)
            }
            None => {
                let path = ctx.cwd.join(name);
                Ok(match ArchivedPack::at(&path)? {
                    Some(archive) => Self::Published(Box::new(archive)),
                    None => Self::Directory(path),
                })
            }
        }
    }

    /// Returns where it is read from.
    pub fn source(&self) -> Source<'_> {
        match self {
            Self::Directory(root) => Source::Directory(root),
            Self::Published(pack) => Source::Published(&**pack),
        }
    }
}
