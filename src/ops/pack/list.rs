//! `git pack list`: lists the packs in a directory without judging them.

use std::cmp::Reverse;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::format::attachment::AttachedCounts;
use crate::format::digest::Digest;
use crate::format::member_path::MANIFEST;
use crate::ops::Context;
use crate::ops::pack::inspect::{InspectReport, inspect_source};
use crate::ops::pack::source::Source;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::OUTPUT_DIRECTORY;

/// The packs in a directory or at a place.
#[derive(Debug)]
pub struct ListReport {
    /// Where they are.
    pub held_by: HeldBy,
    /// The packs, the newest first. Those that cannot be read come last.
    pub packs: Vec<ListedPack>,
}

/// What holds packs.
#[derive(Debug)]
pub enum HeldBy {
    /// A directory.
    Directory(PathBuf),
    /// The address of a place, without secrets.
    Place(String),
}

/// A pack that is listed.
#[derive(Debug)]
pub struct ListedPack {
    /// Name of its directory. At a place, its id or the name that was asked for.
    pub name: OsString,
    /// What the pack declares, or why it cannot be read.
    pub declared: Result<InspectReport>,
    /// How much is attached to it, as it is listed. `None` if that is not known.
    pub attached: Option<AttachedCounts>,
}

impl ListedPack {
    /// Lists a pack.
    pub fn of(name: OsString, source: &Source<'_>) -> Self {
        let declared = inspect_source(source);
        let id = declared
            .as_ref()
            .ok()
            .and_then(|declared| Digest::parse_ref(&declared.pack_id));
        Self {
            name,
            attached: id.and_then(|id| source.attached_counts(&id).ok()),
            declared,
        }
    }
}

/// Lists the packs in `place`, or in the repository's output directory if `place` is `None`. A place that is a pack is
/// listed itself.
pub fn list(ctx: &Context, place: Option<&Path>) -> Result<ListReport> {
    let (place, names) = match place {
        Some(place) => {
            let place = ctx.cwd.join(place);
            let kinds = files::kinds_in(&place)?;
            (place, kinds.into_iter().map(|(name, _)| name).collect())
        }
        None => {
            let place = output_directory(ctx)?;
            let names = files::names_in(&place)?;
            (place, names)
        }
    };
    let is_pack = files::exists(&place.join(MANIFEST));
    let mut packs: Vec<_> = match is_pack {
        true => vec![listed(&place)],
        false => {
            let directories = names.iter().map(|name| place.join(name));
            // A link would list a pack that lies elsewhere.
            let packs = directories.filter(|path| files::is_directory(path) && files::exists(&path.join(MANIFEST)));
            packs.map(|path| listed(&path)).collect()
        }
    };
    sort(&mut packs);
    Ok(ListReport {
        held_by: HeldBy::Directory(match is_pack {
            true => files::parent(&place).to_owned(),
            false => place,
        }),
        packs,
    })
}

/// Sorts the newest pack first, and those that cannot be read last.
pub fn sort(packs: &mut [ListedPack]) {
    packs.sort_by(|a, b| order(a).cmp(&order(b)));
}

fn listed(directory: &Path) -> ListedPack {
    let name = directory.file_name().unwrap_or(directory.as_os_str()).to_owned();
    ListedPack::of(name, &Source::Directory(directory))
}

/// Returns where `seal` puts packs by default.
fn output_directory(ctx: &Context) -> Result<PathBuf> {
    let action = WorkTreeUse::ListingFiles;
    let root = ctx.repository()?.work_tree().ok_or(Refusal::NoWorkTree { action })?;
    Ok(root.join(OUTPUT_DIRECTORY))
}

/// Returns a key that sorts the newest pack first. The times of manifests are all in one form, so their text sorts as
/// they do.
fn order(pack: &ListedPack) -> (bool, Reverse<&str>, &OsString) {
    let created = pack.declared.as_ref().map_or("", |declared| &declared.created);
    (pack.declared.is_err(), Reverse(created), &pack.name)
}
