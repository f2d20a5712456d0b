//! Remembers for a clone what was judged clean under some rules: commits, trees and plain blobs. A plain blob has no format,
//! seal or known part, so its content needs no second look.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::adapters::clone::verdicts::Verdicts;
use crate::adapters::git::Repository;
use crate::adapters::git::blobs::{Contents, Proof};
use crate::format::id_set::IdSet;
use crate::format::object_id::ObjectId;
use crate::refusal::Result;
use crate::rules::scan::Traits;

/// Remembered verdicts are read only for at least so many commits or blobs. For fewer, judging them again is cheaper.
pub const WORTH_REMEMBERING: usize = 64;

/// The memory of what was judged clean.
pub struct CleanMemory {
    verdicts: Verdicts,
    /// The plain blobs. `None` until enough blobs are wanted.
    blobs: Option<IdSet>,
}

/// The result of looking into blobs.
pub struct ReadBlobs {
    /// Blobs that were not read, because they were plain before.
    pub remembered: Vec<ObjectId>,
    /// Blobs that were read and are plain.
    pub plain: Vec<ObjectId>,
    /// The traits of the other blobs that were read.
    pub traits: HashMap<ObjectId, Traits>,
    /// Size in bytes of all blobs that were read.
    pub bytes: u64,
}

impl CleanMemory {
    /// Takes the memory of some rules. Nothing is read yet.
    pub fn of(verdicts: Verdicts) -> Self {
        Self { verdicts, blobs: None }
    }

    /// Changes to the memory of other rules. Blobs that were loaded stay.
    pub fn change_to(&mut self, verdicts: Verdicts) {
        self.verdicts = verdicts;
    }

    /// Returns the commits that were judged clean before, if `count` is large enough to use the memory.
    pub fn commits(&mut self, count: usize) -> IdSet {
        if count < WORTH_REMEMBERING {
            return IdSet::default();
        }
        let log = self.verdicts.load();
        self.blobs = Some(log.blobs);
        log.commits
    }

    /// Loads the plain blobs, once, if `count` is large enough to use the memory.
    pub fn ask_for_blobs(&mut self, count: usize) {
        if self.blobs.is_none() && count >= WORTH_REMEMBERING {
            self.blobs = Some(self.verdicts.load().blobs);
        }
    }

    /// Passes the blobs that are not remembered to `look`, each checked against `proof`. Each is wanted once.
    pub fn read(
        &self,
        repo: &Repository,
        proof: Proof,
        mut wanted: Vec<ObjectId>,
        look: impl Fn(&ObjectId, Contents<'_>) -> Result<(Traits, u64)> + Sync,
    ) -> Result<ReadBlobs> {
        let mut remembered = Vec::new();
        if let Some(plain) = &self.blobs {
            remembered = wanted.iter().filter(|id| plain.contains(id)).copied().collect();
            wanted.retain(|id| !plain.contains(id));
        }
        // Hardly any blob has traits, so they are not kept for each.
        let (traits, bytes) = (Mutex::new(HashMap::new()), AtomicU64::new(0));
        repo.with_blobs_held_against(proof, &wanted, |at, contents| {
            let (seen, size) = look(&wanted[at], contents)?;
            bytes.fetch_add(size, Ordering::Relaxed);
            if !seen.is_plain() {
                let mut traits = traits.lock().unwrap_or_else(PoisonError::into_inner);
                traits.insert(wanted[at], seen);
            }
            Ok(())
        })?;
        let traits = traits.into_inner().unwrap_or_else(PoisonError::into_inner);
        wanted.retain(|id| !traits.contains_key(id));
        Ok(ReadBlobs {
            remembered,
            plain: wanted,
            traits,
            bytes: bytes.into_inner(),
        })
    }

    /// Remembers plain blobs, if there are enough of them.
    pub fn keep_blobs(&self, plain: &[ObjectId]) {
        if plain.len() >= WORTH_REMEMBERING {
            self.verdicts.add(&[], plain);
        }
    }

    /// Remembers commits that were judged clean, if there are enough of them.
    pub fn keep_commits(&self, commits: &[ObjectId]) {
        if commits.len() >= WORTH_REMEMBERING {
            self.verdicts.add(commits, &[]);
        }
    }

    /// Returns whether every entry of a tree was judged clean before.
    pub fn knows_tree(&self, tree: &ObjectId) -> bool {
        self.verdicts.knows_tree(tree)
    }

    /// Remembers that every entry of a tree was judged clean.
    pub fn keep_tree(&self, tree: &ObjectId) {
        self.verdicts.add_tree(tree);
    }
}

impl ReadBlobs {
    /// Returns the number of blobs that were read.
    pub fn count(&self) -> u64 {
        (self.plain.len() + self.traits.len()) as u64
    }
}
