//! `git pack man`: writes the manual pages into a directory, and removes them.

use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Durability};
use crate::adapters::manual_program;
use crate::format::manual::{ManualPage, is_ours, may_be_ours};
use crate::ops::Context;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};

/// The page that tells whether `man` finds the others.
const FIRST: &str = "git-pack";

/// The largest manual page that is looked at.
const MAX_BYTES: u64 = 4 << 20;

/// The sections that have pages of git-pack.
const SECTIONS: [&str; 2] = ["man1", "man7"];

/// Where the pages are now, and whether `man` finds them.
#[derive(Debug)]
pub struct ManualReport {
    /// The directory of manual pages.
    pub directory: PathBuf,
    /// How many pages were written or removed.
    pub pages: usize,
    /// What `man` finds.
    pub found: FoundPage,
}

/// Which page `man` shows.
#[derive(Debug, PartialEq, Eq)]
pub enum FoundPage {
    /// The one in the directory.
    Here,
    /// Another one.
    Elsewhere(PathBuf),
    /// No page.
    Nowhere,
    /// There is no `man`.
    NoProgram,
}

/// Writes the pages, in place of those that git-pack wrote before. Refuses to replace any other file. A dry run only refuses.
pub fn install(ctx: &Context, directory: Option<&Path>, pages: &[ManualPage], dry_run: bool) -> Result<ManualReport> {
    let directory = directory_of(ctx, directory)?;
    files::ensure_stays_in_tree(&directory)?;
    for page in pages {
        ensure_is_ours(&directory.join(&page.path))?;
    }
    if !dry_run {
        replace(&directory, pages)?;
    }
    Ok(ManualReport {
        pages: pages.len(),
        found: found(&directory),
        directory,
    })
}

/// Writes the pages, and removes those of ours that are no longer among them.
fn replace(directory: &Path, pages: &[ManualPage]) -> Result<()> {
    let kept: Vec<PathBuf> = pages.iter().map(|page| directory.join(&page.path)).collect();
    let old = ours_in(directory)?;
    for section in SECTIONS {
        create(&directory.join(section))?;
    }
    for page in pages {
        let path = directory.join(&page.path);
        files::write_whole(&path, page.text.as_bytes(), 0o644, Durability::Disposable)?;
    }
    old.iter()
        .filter(|page| !kept.contains(page))
        .try_for_each(|page| files::remove(page))
}

/// Removes the pages that git-pack wrote. A dry run only counts them.
pub fn uninstall(ctx: &Context, directory: Option<&Path>, dry_run: bool) -> Result<ManualReport> {
    let directory = directory_of(ctx, directory)?;
    files::ensure_stays_in_tree(&directory)?;
    let ours = ours_in(&directory)?;
    if !dry_run {
        for page in &ours {
            files::remove(page)?;
        }
    }
    if !dry_run && !ours.is_empty() {
        // Those with something of others stay.
        let sections = SECTIONS.map(|section| directory.join(section));
        sections
            .iter()
            .chain([&directory])
            .for_each(|place| files::remove_if_empty(place));
    }
    Ok(ManualReport {
        pages: ours.len(),
        found: found(&directory),
        directory,
    })
}

fn directory_of(ctx: &Context, named: Option<&Path>) -> Result<PathBuf> {
    match (named, &ctx.data_home) {
        (Some(named), _) => Ok(ctx.cwd.join(named)),
        (None, Some(data)) => Ok(data.join("man")),
        (None, None) => Err(Refusal::Usage(Misuse::NoPlaceForManual)),
    }
}

/// Creates a directory and those above it.
fn create(directory: &Path) -> Result<()> {
    if let Some(above) = directory.parent().filter(|above| !files::exists(above)) {
        create(above)?;
    }
    files::create_shared_dir(directory)
}

/// Refuses a file that git-pack did not write.
fn ensure_is_ours(path: &Path) -> Result<()> {
    if files::kind_at(path)?.is_none() {
        return Ok(());
    }
    match is_ours(&files::read(path, MAX_BYTES)?) {
        true => Ok(()),
        false => Err(Refusal::Usage(Misuse::OtherManual { path: path.to_owned() })),
    }
}

/// Returns the pages in a directory that git-pack wrote.
fn ours_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut ours = Vec::new();
    for section in SECTIONS.map(|section| directory.join(section)) {
        let names = match files::exists(&section) {
            true => files::names_in(&section)?,
            false => Vec::new(),
        };
        for name in names.iter().filter(|name| name.to_str().is_some_and(may_be_ours)) {
            let path = section.join(name);
            let is_file = files::kind_at(&path)?.is_some_and(|kind| kind.is_file());
            if is_file && is_ours(&files::read(&path, MAX_BYTES)?) {
                ours.push(path);
            }
        }
    }
    Ok(ours)
}

/// Returns which page `man` shows.
fn found(directory: &Path) -> FoundPage {
    let Ok(found) = manual_program::where_is(FIRST) else {
        return FoundPage::NoProgram;
    };
    let here = directory.join(format!("man1/{FIRST}.1"));
    match found {
        None => FoundPage::Nowhere,
        Some(found) if files::canonical(&found).ok() == files::canonical(&here).ok() => FoundPage::Here,
        Some(found) => FoundPage::Elsewhere(found),
    }
}
