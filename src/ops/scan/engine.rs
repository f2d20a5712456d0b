//! The engine under every surface of the guard: contents read once, judged by path and content, and what was clean kept.

use std::collections::{HashMap, HashSet};

use crate::adapters::git::Repository;
use crate::adapters::git::blobs::{Proof, reading};
use crate::adapters::verdicts::Verdicts;
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::refusal::Result;
use crate::format::repo_state::EntryKind;
use crate::ops::contents::{examine, follow_pointer};
use crate::ops::scan::{Found, PartlyExamined};
use crate::rules::content::{self, Budget, Look};
use crate::rules::protect::Registry;
use crate::rules::scan::{Candidate, Destination, Traits, is_in_part, judge_guarded};

/// The memory is read only for so many commits or blobs: for fewer, looking again is cheaper.
const WORTH_REMEMBERING: usize = 64;

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Commits whose changes were judged.
    pub commits: u64,
    /// Entries that were judged.
    pub entries: u64,
    /// Blobs whose content was read.
    pub blobs: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Commits known to be clean from an earlier look under the same rules.
    pub remembered_commits: u64,
    /// Blobs known to be clean likewise.
    pub remembered_blobs: u64,
}

impl std::ops::AddAssign for Examined {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.entries += other.entries;
        self.blobs += other.blobs;
        self.bytes += other.bytes;
        self.remembered_commits += other.remembered_commits;
        self.remembered_blobs += other.remembered_blobs;
    }
}

/// The rules in force for entries that go to one place, and what was judged clean under them before.
pub struct Judge<'a> {
    repo: &'a Repository,
    registry: &'a Registry,
    destination: Destination,
    /// What unpacking may cost, all judgements of one call together.
    budget: &'a Budget,
    /// The rules of the new side alone.
    alone: Option<&'a Registry>,
    verdicts: Verdicts,
    remembered: Option<HashSet<ObjectId>>,
    /// What was looked at so far.
    pub examined: Examined,
    /// Entries that could not be examined whole, unless that makes them leaks.
    pub in_part: Vec<PartlyExamined>,
}

impl<'a> Judge<'a> {
    /// Makes a judge; nothing is read yet.
    pub fn new(repo: &'a Repository, registry: &'a Registry, destination: Destination, budget: &'a Budget) -> Self {
        Self::of_both_sides(repo, registry, None, destination, budget)
    }

    /// Makes a judge by the rules of both sides of a change, which also knows those of the new side alone.
    pub fn of_both_sides(
        repo: &'a Repository,
        registry: &'a Registry,
        alone: Option<&'a Registry>,
        destination: Destination,
        budget: &'a Budget,
    ) -> Self {
        let rules = registry.fingerprint();
        let version = env!("CARGO_PKG_VERSION");
        let key = Digest::of(format!("{version} {} {rules} {destination:?}", content::VERSION).as_bytes());
        Self {
            repo,
            registry,
            destination,
            budget,
            alone,
            verdicts: Verdicts::of(&repo.common_dir(), key),
            remembered: None,
            examined: Examined::default(),
            in_part: Vec::new(),
        }
    }

    /// Returns the commits that were judged clean before, if it is worth asking for `count`.
    pub fn clean_commits(&mut self, count: usize) -> HashSet<ObjectId> {
        if count < WORTH_REMEMBERING {
            return HashSet::new();
        }
        let log = self.verdicts.load();
        self.remembered = Some(log.blobs);
        log.commits
    }

    /// Judges entries by path and content, and returns the leaks in their order.
    ///
    /// Every blob is read, whatever its path says, but for those that were plain before.
    pub fn judge(&mut self, entries: &[Candidate]) -> Result<Vec<Found>> {
        if self.remembered.is_none() && entries.len() >= WORTH_REMEMBERING {
            self.remembered = Some(self.verdicts.load().blobs);
        }
        let mut wanted = HashSet::new();
        let mut known = HashSet::new();
        for entry in entries.iter().filter(|entry| entry.kind != EntryKind::Submodule) {
            match self.remembered.as_ref().is_some_and(|plain| plain.contains(&entry.id)) {
                true => known.insert(entry.id),
                false => wanted.insert(entry.id),
            };
        }
        let wanted: Vec<ObjectId> = wanted.into_iter().collect();
        let read = self
            .repo
            .with_blobs_held_against(Proof::Checksum, &wanted, |at, contents| {
                let examined = examine(contents, Look::within(self.budget));
                let (mut traits, size) = examined.map_err(|e| reading(&wanted[at], &e))?;
                follow_pointer(self.repo, &mut traits, Look::within(self.budget))?;
                Ok((traits, size))
            })?;
        self.examined.entries += entries.len() as u64;
        self.examined.blobs += wanted.len() as u64;
        self.examined.remembered_blobs += known.len() as u64;
        let mut traits: HashMap<ObjectId, Traits> = HashMap::new();
        let mut plain = Vec::new();
        for (id, (found, bytes)) in wanted.into_iter().zip(read) {
            self.examined.bytes += bytes;
            match found.is_plain() {
                true => plain.push(id),
                false => drop(traits.insert(id, found)),
            }
        }
        if plain.len() >= WORTH_REMEMBERING {
            self.verdicts.add(&[], &plain);
        }
        let none = Traits::default();
        for entry in entries.iter().filter(|entry| entry.kind != EntryKind::Submodule) {
            if let Some(traits) = traits.get(&entry.id)
                && is_in_part(self.registry, entry, traits)
                && !self.registry.blocks_in_part()
            {
                self.in_part.push(PartlyExamined {
                    path: entry.path.clone(),
                    why: traits.in_part.clone(),
                });
            }
        }
        let judged = entries.iter().filter_map(|entry| {
            let traits = traits.get(&entry.id).unwrap_or(&none);
            let leak = judge_guarded(self.registry, entry, traits, self.destination)?;
            let released = self
                .alone
                .is_some_and(|new| judge_guarded(new, entry, traits, self.destination).is_none());
            Some(Found {
                weakened: released,
                ..Found::from(leak)
            })
        });
        Ok(judged.collect())
    }

    /// Returns whether every entry of a tree is known to be clean.
    pub fn knows_tree(&self, tree: &ObjectId) -> bool {
        self.verdicts.knows_tree(tree)
    }

    /// Keeps that every entry of a tree was judged, and none of them is a leak.
    pub fn keep_clean_tree(&self, tree: &ObjectId) {
        self.verdicts.add_tree(tree);
    }

    /// Keeps commits all of whose entries were judged, and none of them a leak.
    pub fn keep_clean(&self, commits: &[ObjectId]) {
        if commits.len() >= WORTH_REMEMBERING {
            self.verdicts.add(commits, &[]);
        }
    }
}
