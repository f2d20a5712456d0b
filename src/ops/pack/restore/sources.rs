//! Finds contents: in the pack, in the content store, in the commit, and at a place that the user names.

use std::collections::HashSet;

use crate::adapters::place::PackPlace;
use crate::adapters::store::Store;
use crate::adapters::store::git::GitStore;
use crate::adapters::store::memory::MemoryStore;
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::ops::pack::restore::here::Here;
use crate::ops::pack::restore::listing::ContentListing;
use crate::refusal::shown::brief;
use crate::refusal::{CommitHere, Refusal, Result};
use crate::rules::restore::{Form, Item};

/// A store, and the items that it has.
pub(super) struct Supply<'a> {
    /// The store.
    pub(super) store: Box<dyn Store + 'a>,
    /// The indices of its items.
    pub(super) items: Vec<usize>,
}

/// Finds every content. Refuses if one is missing.
pub(super) fn locate<'a>(
    listing: &'a ContentListing<'a>,
    here: Option<&'a Here>,
    place: Option<&'a dyn PackPlace>,
    items: &[Item],
) -> Result<Vec<Supply<'a>>> {
    let mut search = Search {
        items,
        open: (0..items.len()).collect(),
        found: Vec::new(),
    };
    if let Some(pack) = &listing.pack {
        search.look_in(Box::new(pack))?;
    }
    let Some(here) = here else {
        search.look_at(place)?;
        return search.finish(CommitHere::NoClone);
    };
    search.look_in(Box::new(&here.disk))?;
    if search.open.is_empty() {
        return search.finish(CommitHere::Whole);
    }
    let tree = here.tree_of(&listing.name, &listing.manifest.repo_state)?;
    let commit = match tree {
        Some(_) => CommitHere::Whole,
        None => CommitHere::Missing,
    };
    let wanted: HashSet<&str> = search.open.iter().map(|at| items[*at].path.as_str()).collect();
    let mut entries = tree.unwrap_or_default();
    entries.retain(|entry| wanted.contains(&*entry.path.text()));
    let files = entries.iter().filter(|entry| entry.kind != EntryKind::Submodule);
    let mut blobs: Vec<ObjectId> = files.map(|entry| entry.id).collect();
    blobs.sort_unstable();
    blobs.dedup();
    search.look_in(Box::new(GitStore::of_blobs(&here.repo, &here.cache, &blobs)))?;
    let submodules = entries.iter().filter(|entry| entry.kind == EntryKind::Submodule);
    let ids = submodules.map(|entry| entry.id.hex().into_bytes());
    search.look_in(Box::new(MemoryStore::of(ids)))?;
    // The place is not believed: each content is compared with its hash.
    search.look_at(place)?;
    // No other blob of the clone is searched. It could be a protected file, named by its hash in a hostile manifest.
    search.ensure_not_damaged(here, &entries)?;
    search.finish(commit)
}

struct Search<'a, 'i> {
    items: &'i [Item],
    /// The indices of the items that are not found yet.
    open: Vec<usize>,
    found: Vec<Supply<'a>>,
}

impl<'a> Search<'a, '_> {
    fn hashes(&self) -> Vec<Digest> {
        self.open.iter().map(|at| self.items[*at].content).collect()
    }

    fn look_in(&mut self, store: Box<dyn Store + 'a>) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let there = store.contains_all(&self.hashes())?;
        let open = std::mem::take(&mut self.open).into_iter().zip(there);
        let (here, open): (Vec<_>, Vec<_>) = open.partition(|(_, there)| *there);
        let places = |list: Vec<(usize, bool)>| list.into_iter().map(|(at, _)| at).collect();
        self.open = places(open);
        self.found.push(Supply {
            store,
            items: places(here),
        });
        Ok(())
    }

    fn look_at(&mut self, place: Option<&'a dyn PackPlace>) -> Result<()> {
        match place {
            Some(place) => self.look_in(Box::new(place)),
            None => Ok(()),
        }
    }

    /// Refuses with the damage if git has a missing content in a damaged object. Fetching it would not repair it.
    fn ensure_not_damaged(&self, here: &Here, entries: &[TreeEntry]) -> Result<()> {
        let missing: HashSet<&str> = self.open.iter().map(|at| self.items[*at].path.as_str()).collect();
        let blobs = entries
            .iter()
            .filter(|entry| entry.kind != EntryKind::Submodule && missing.contains(&*entry.path.text()));
        let blobs: Vec<ObjectId> = blobs.map(|entry| entry.id).collect();
        match here.repo.hash_blobs(&blobs) {
            Err(damaged @ Refusal::Corrupt(_)) => Err(damaged),
            _ => Ok(()),
        }
    }

    fn finish(self, here: CommitHere) -> Result<Vec<Supply<'a>>> {
        let Some(first) = self.open.first().map(|at| &self.items[*at]) else {
            return Ok(self.found);
        };
        let sealed = |at: &&usize| self.items[**at].form != Form::File;
        Err(Refusal::MissingContent {
            count: self.open.len() as u64,
            sealed: self.open.iter().filter(sealed).count() as u64,
            example: brief(first.path.as_str()),
            content: first.content.to_string(),
            here,
        })
    }
}
