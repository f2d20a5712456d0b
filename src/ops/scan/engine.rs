//! The engine under every surface of the guard: contents read once, judged by path and content, and what was clean kept.

use std::collections::{HashMap, HashSet};

use crate::adapters::git::Repository;
use crate::adapters::git::blobs::{Proof, reading};
use crate::adapters::verdicts::Verdicts;
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::refusal::Result;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::EntryKind;
use crate::ops::contents::examine;
use crate::ops::scan::Found;
use crate::rules::content;
use crate::rules::protect::Registry;
use crate::rules::scan::{Candidate, Destination, Traits, judge};

/// The memory is read only for so many commits or blobs: for fewer, looking again is cheaper.
const WORTH_REMEMBERING: usize = 64;

/// The processor time is asked for once in so many entries.
const ASK_EACH: usize = 16;

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
    /// The rules of the new side alone.
    alone: Option<&'a Registry>,
    verdicts: Verdicts,
    remembered: Option<HashSet<ObjectId>>,
    /// Blobs of whose content there was nothing to be said, in this look or an earlier one.
    plain: HashSet<ObjectId>,
    /// What was to be said of the others.
    traits: HashMap<ObjectId, Traits>,
    /// How many leaks were returned so far.
    found: usize,
    /// How many more there were, of which nothing is kept.
    pub more: u64,
    /// What was looked at so far.
    pub examined: Examined,
    /// Entries that unpack to more than was looked at.
    pub in_part: Vec<RepoPath>,
}

impl<'a> Judge<'a> {
    /// Makes a judge; nothing is read yet.
    pub fn new(repo: &'a Repository, registry: &'a Registry, destination: Destination) -> Self {
        Self::of_both_sides(repo, registry, None, destination)
    }

    /// Makes a judge by the rules of both sides of a change, which also knows those of the new side alone.
    pub fn of_both_sides(
        repo: &'a Repository,
        registry: &'a Registry,
        alone: Option<&'a Registry>,
        destination: Destination,
    ) -> Self {
        let rules = registry.fingerprint();
        let version = env!("CARGO_PKG_VERSION");
        let key = Digest::of(format!("{version} {} {rules} {destination:?}", content::VERSION).as_bytes());
        Self {
            repo,
            registry,
            destination,
            alone,
            verdicts: Verdicts::of(&repo.common_dir(), key),
            remembered: None,
            plain: HashSet::new(),
            traits: HashMap::new(),
            found: 0,
            more: 0,
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

    /// Judges entries by path and content, and returns the leaks in their order; to be called for one part of a range after
    /// another.
    ///
    /// Every blob is read once, whatever its path says, but for those that were plain before.
    pub fn judge(&mut self, entries: &[Candidate]) -> Result<Vec<Found>> {
        if self.remembered.is_none() && entries.len() >= WORTH_REMEMBERING {
            self.remembered = Some(self.verdicts.load().blobs);
        }
        self.examined.entries += entries.len() as u64;
        self.read(entries)?;
        let none = Traits::default();
        let mut leaks = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if at % ASK_EACH == 0 {
                self.repo.spend_time()?;
            }
            let traits = self.traits.get(&entry.id).unwrap_or(&none);
            if traits.in_part && self.in_part.len() < self.repo.findings_kept() {
                self.in_part.push(entry.path.clone());
            }
            let Some(leak) = judge(self.registry, entry, traits, self.destination) else {
                continue;
            };
            if self.found == self.repo.findings_kept() {
                self.more += 1;
                continue;
            }
            self.found += 1;
            let released = self
                .alone
                .is_some_and(|new| judge(new, entry, traits, self.destination).is_none());
            leaks.push(Found {
                weakened: released,
                ..Found::from(leak)
            });
        }
        Ok(leaks)
    }

    /// Reads the blobs of entries that were not read before.
    fn read(&mut self, entries: &[Candidate]) -> Result<()> {
        let mut wanted = HashSet::new();
        for entry in entries.iter().filter(|entry| entry.kind != EntryKind::Submodule) {
            if self.plain.contains(&entry.id) || self.traits.contains_key(&entry.id) {
                continue;
            }
            match self.remembered.as_ref().is_some_and(|plain| plain.contains(&entry.id)) {
                true => {
                    self.plain.insert(entry.id);
                    self.examined.remembered_blobs += 1;
                }
                false => drop(wanted.insert(entry.id)),
            }
        }
        let wanted: Vec<ObjectId> = wanted.into_iter().collect();
        let read = self
            .repo
            .with_blobs_held_against(Proof::Checksum, &wanted, |at, contents| {
                examine(contents).map_err(|e| reading(&wanted[at], &e))
            })?;
        self.examined.blobs += wanted.len() as u64;
        let mut plain = Vec::new();
        for (id, (found, bytes)) in wanted.into_iter().zip(read) {
            self.examined.bytes += bytes;
            match found.is_plain() {
                true => plain.push(id),
                false => drop(self.traits.insert(id, found)),
            }
        }
        if plain.len() >= WORTH_REMEMBERING {
            self.verdicts.add(&[], &plain);
        }
        self.plain.extend(plain);
        Ok(())
    }

    /// Returns the blobs that were met so far.
    pub fn met(&self) -> impl Iterator<Item = ObjectId> {
        self.plain.iter().chain(self.traits.keys()).copied()
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
