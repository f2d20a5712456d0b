//! The engine under every surface of the guard: contents read once, judged by path and content, and what was clean kept.

use std::collections::{HashMap, HashSet};

use crate::adapters::clone::verdicts::Verdicts;
use crate::adapters::git::Repository;
use crate::adapters::git::blobs::{Proof, reading};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::EntryKind;
use crate::ops::guard::known::{Finder, look_into};
use crate::ops::guard::scan::{Found, PartlyExamined, twins};
use crate::refusal::Result;
use crate::rules::content::{self, UnpackBudget};
use crate::rules::protect::Registry;
use crate::rules::scan::{Candidate, Destination, Traits, is_in_part, judge_guarded};
use crate::rules::twins::SealedTwins;

/// The memory is read only for so many commits or blobs: for fewer, looking again is cheaper.
pub const WORTH_REMEMBERING: usize = 64;

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
    registry: Registry,
    destination: Destination,
    /// What unpacking may cost.
    budget: &'a UnpackBudget,
    /// The rules of the new side alone.
    alone: Option<Registry>,
    verdicts: Verdicts,
    /// Looks for what this clone protected.
    finder: Option<Finder>,
    /// The trees at the ends of what is judged, whose sealed twins protect copies of their plaintexts too.
    ends: Vec<ObjectId>,
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
    /// Entries of which not all could be examined.
    pub in_part: Vec<PartlyExamined>,
}

impl<'a> Judge<'a> {
    /// Makes a judge; nothing is read yet.
    pub fn new(repo: &'a Repository, registry: &Registry, destination: Destination, budget: &'a UnpackBudget) -> Self {
        Self::of_both_sides(repo, registry, None, destination, budget)
    }

    /// Makes a judge by the rules of both sides of a change, which also knows those of the new side alone.
    pub fn of_both_sides(
        repo: &'a Repository,
        registry: &Registry,
        alone: Option<&Registry>,
        destination: Destination,
        budget: &'a UnpackBudget,
    ) -> Self {
        let finder = Finder::of(repo, registry);
        Self {
            repo,
            registry: registry.clone(),
            destination,
            budget,
            alone: alone.cloned(),
            verdicts: verdicts_under(repo, registry, destination, finder.as_ref()),
            finder,
            ends: Vec::new(),
            remembered: None,
            plain: HashSet::new(),
            traits: HashMap::new(),
            found: 0,
            more: 0,
            examined: Examined::default(),
            in_part: Vec::new(),
        }
    }

    /// Has the judge take the sealed twins in these trees for those of known plaintext.
    pub fn between(mut self, ends: Vec<ObjectId>) -> Self {
        self.ends = ends;
        self
    }

    /// Has the judge protect the plaintexts of `twins`; those of `new` also by the rules of the new side alone.
    pub fn know_twins(&mut self, twins: &SealedTwins, new: &SealedTwins) {
        self.registry.add_twins(twins);
        if let Some(alone) = &mut self.alone {
            alone.add_twins(new);
        }
    }

    /// Has the judge remember what is clean under the twins that it knows now: they are all that count.
    pub fn remember_under_twins(&mut self) {
        self.verdicts = verdicts_under(self.repo, &self.registry, self.destination, self.finder.as_ref());
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
            if entry.kind != EntryKind::Submodule
                && is_in_part(&self.registry, entry, traits)
                && !self.registry.blocks_in_part()
                && self.in_part.len() < self.repo.findings_kept()
            {
                self.in_part.push(PartlyExamined {
                    path: entry.path.clone(),
                    why: traits.in_part.clone(),
                });
            }
            let Some(leak) = judge_guarded(&self.registry, entry, traits, self.destination) else {
                continue;
            };
            if self.found == self.repo.findings_kept() {
                self.more += 1;
                continue;
            }
            self.found += 1;
            let released = self
                .alone
                .as_ref()
                .is_some_and(|new| judge_guarded(new, entry, traits, self.destination).is_none());
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
                let looked = look_into(self.repo, self.finder.as_ref(), self.budget, contents);
                looked.map_err(|e| e.refusal(|e| reading(&wanted[at], &e)))
            })?;
        self.examined.blobs += wanted.len() as u64;
        let mut plain = Vec::new();
        let mut read_now = HashMap::new();
        for (id, (found, bytes)) in wanted.into_iter().zip(read) {
            self.examined.bytes += bytes;
            match found.is_plain() {
                true => plain.push(id),
                false => drop(read_now.insert(id, found)),
            }
        }
        self.find_twins(&mut read_now)?;
        self.traits.extend(read_now);
        if plain.len() >= WORTH_REMEMBERING {
            self.verdicts.add(&[], &plain);
        }
        self.plain.extend(plain);
        Ok(())
    }

    /// Looks for the sealed twins of the originals of what was found. They stand anywhere in the trees, so this is left until
    /// something was found.
    fn find_twins(&self, traits: &mut HashMap<ObjectId, Traits>) -> Result<()> {
        let mut sealed = SealedTwins::default();
        let parts = || traits.values().flat_map(|traits| &traits.known);
        if parts().next().is_some() {
            twins::beside(self.repo, &self.ends, parts().map(|part| &part.original), &mut sealed)?;
        }
        for part in traits.values_mut().flat_map(|traits| &mut traits.known) {
            part.twin = sealed.of(part.original.as_bytes()).cloned();
        }
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

/// Returns the memory of what was judged clean under these rules, and by what was known then, on the way to this place.
fn verdicts_under(repo: &Repository, rules: &Registry, destination: Destination, finder: Option<&Finder>) -> Verdicts {
    let rules = rules.fingerprint();
    let known = finder.map_or("", Finder::generation);
    let version = env!("CARGO_PKG_VERSION");
    let key = format!("{version} {} {rules} {destination:?} {known}", content::VERSION);
    repo.private().verdicts(Digest::of(key.as_bytes()))
}
