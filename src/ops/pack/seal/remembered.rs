//! The entries of the last sealed tree that were fit to be in the clear: they are neither judged nor hashed again.

use crate::adapters::clone::clear_trees::ClearTrees;
use crate::adapters::git::Repository;
use crate::format::clear_entries::{ClearEntries, ClearEntry};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::{EntryKind, Mode, TreeEntry};
use crate::ops::pack::seal::guarded::Guarded;
use crate::rules::content;
use crate::rules::protect::Registry;
use crate::rules::scope::Selection;

/// So many entries must be new, and so large a part of all, before all are written to the memory again.
const FEW: usize = 64;
const PART: usize = 100;

/// What is remembered of one way to judge.
pub struct Remembered {
    trees: ClearTrees,
    way: Digest,
    entries: Option<ClearEntries>,
}

impl Remembered {
    /// Reads what was remembered of these rules. `guarded` tells what else forbids an entry.
    pub(super) fn of(
        repo: &Repository,
        registry: &Registry,
        guarded: &Guarded,
        mode: Mode,
        selection: &Selection,
    ) -> Self {
        let program = (env!("CARGO_PKG_VERSION"), content::VERSION);
        let rules = (registry.fingerprint(), guarded.generation(), mode);
        // The scope changes no judgement, but each scope has its own entries.
        let scope = (&selection.globs, selection.is_whole());
        let way = serde_json::to_vec(&(program, rules, scope)).expect("texts and lists of them are JSON");
        let (trees, way) = (repo.private().clear_trees(), Digest::of(&way));
        Self {
            entries: trees.entries(&way),
            trees,
            way,
        }
    }

    /// Returns for each entry, in the order of the tree, whether it was judged before and is fit to be in the clear.
    pub(super) fn were_judged(&self, entries: &[TreeEntry]) -> Vec<bool> {
        let wanted = entries.iter();
        let wanted = wanted.map(|entry| (entry.path.as_bytes(), entry.kind, entry.id));
        match &self.entries {
            Some(remembered) => remembered.look_up(wanted).map(|known| known.is_some()).collect(),
            None => vec![false; entries.len()],
        }
    }

    /// Returns digest and size of the content of each entry that was judged before. The entries come in the order of the tree.
    pub(super) fn digests<'a>(
        &self,
        entries: impl Iterator<Item = (&'a [u8], EntryKind, ObjectId)>,
    ) -> Vec<Option<(Digest, u64)>> {
        match &self.entries {
            Some(remembered) => remembered.look_up(entries).collect(),
            None => entries.map(|_| None).collect(),
        }
    }

    /// Remembers these entries instead, if many of all are new. They have no finding and passed every check, and come in the order of
    /// the tree.
    pub(super) fn keep<'a>(&mut self, (new, all): (usize, usize), entries: impl Iterator<Item = ClearEntry<'a>>) {
        self.entries = None;
        if new >= FEW && new >= all / PART {
            self.trees.keep(&self.way, entries);
        }
    }
}
