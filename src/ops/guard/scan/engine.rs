//! The engine of the guard: reads each content once, judges it by path and content, and remembers what was clean.

use std::collections::HashMap;

use crate::adapters::clone::verdicts::Verdicts;
use crate::adapters::git::Repository;
use crate::adapters::git::blobs::{Proof, reading};
use crate::format::digest::Digest;
use crate::format::id_set::IdSet;
use crate::format::object_id::ObjectId;
use crate::format::repo_state::EntryKind;
use crate::ops::clean_memory::CleanMemory;
use crate::ops::guard::known::{Finder, look_into};
use crate::ops::guard::scan::{FoundLeak, PartlyExamined, twins};
use crate::refusal::Result;
use crate::rules::content::{self, UnpackBudget};
use crate::rules::protect::Registry;
use crate::rules::scan::{Candidate, Destination, Traits, is_in_part, judge_guarded};
use crate::rules::twins::SealedTwins;

/// The processor time is checked once in so many entries.
const ASK_EACH: usize = 16;

/// How much was examined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Commits whose changes were judged.
    pub commits: u64,
    /// Entries that were judged.
    pub entries: u64,
    /// Blobs whose content was read.
    pub blobs: u64,
    /// Their total size in bytes.
    pub bytes: u64,
    /// Commits that were judged clean before under the same rules, and not judged again.
    pub remembered_commits: u64,
    /// Blobs that were judged clean before, and not read again.
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

/// The rules for entries that go to one destination, and the verdicts remembered under them.
pub struct Engine<'a> {
    repo: &'a Repository,
    registry: Registry,
    destination: Destination,
    /// What unpacking may cost.
    budget: &'a UnpackBudget,
    /// The rules of the new side alone.
    alone: Option<Registry>,
    memory: CleanMemory,
    /// Searches for plaintext that this clone protected.
    finder: Option<Finder>,
    /// The trees at the ends of what is judged. Their sealed twins also protect copies of the plaintexts.
    ends: Vec<ObjectId>,
    /// Blobs without a finding in their content, now or before.
    plain: IdSet,
    /// The findings in the other blobs.
    traits: HashMap<ObjectId, Traits>,
    /// How many leaks were returned.
    found: usize,
    /// How many more leaks there were; their details are not kept, so that a push cannot fill the memory.
    pub more: u64,
    /// How much was examined.
    pub examined: Examined,
    /// Entries that could be examined only in part.
    pub in_part: Vec<PartlyExamined>,
}

impl<'a> Engine<'a> {
    /// Makes a judge; nothing is read yet.
    pub fn new(repo: &'a Repository, registry: &Registry, destination: Destination, budget: &'a UnpackBudget) -> Self {
        Self::of_both_sides(repo, registry, None, destination, budget)
    }

    /// Makes a judge by the rules of both sides of a change; it also keeps the rules of the new side alone.
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
            memory: CleanMemory::of(verdicts_under(repo, registry, destination, finder.as_ref())),
            finder,
            ends: Vec::new(),
            plain: IdSet::default(),
            traits: HashMap::new(),
            found: 0,
            more: 0,
            examined: Examined::default(),
            in_part: Vec::new(),
        }
    }

    /// Also protects copies of known plaintext whose sealed twins are in these trees.
    pub fn between(mut self, ends: Vec<ObjectId>) -> Self {
        self.ends = ends;
        self
    }

    /// Protects the plaintexts of `twins`. The twins in `new` also count under the rules of the new side alone.
    pub fn know_twins(&mut self, twins: &SealedTwins, new: &SealedTwins) {
        self.registry.add_twins(twins);
        if let Some(alone) = &mut self.alone {
            alone.add_twins(new);
        }
    }

    /// Remembers verdicts under the twins that the judge knows now. Call it when these are all that count.
    pub fn remember_under_twins(&mut self) {
        let verdicts = verdicts_under(self.repo, &self.registry, self.destination, self.finder.as_ref());
        self.memory.change_to(verdicts);
    }

    /// Returns the commits that were judged clean before, or none if `count` is too small to be worth a look.
    pub fn clean_commits(&mut self, count: usize) -> IdSet {
        self.memory.commits(count)
    }

    /// Judges entries by path and content, and returns the leaks in their order. Call it for one part of a range after
    /// another.
    ///
    /// Reads every blob once, whatever its path, except those that were plain before.
    pub fn judge(&mut self, entries: &[Candidate]) -> Result<Vec<FoundLeak>> {
        self.examined.entries += entries.len() as u64;
        let blobs = entries.iter().filter(|entry| entry.kind != EntryKind::Submodule);
        self.read(blobs.map(|entry| entry.id).collect())?;
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
            leaks.push(FoundLeak {
                weakened: released,
                ..FoundLeak::from(leak)
            });
        }
        Ok(leaks)
    }

    /// Reads those blobs that were not read yet.
    pub fn read(&mut self, mut wanted: Vec<ObjectId>) -> Result<()> {
        self.memory.ask_for_blobs(wanted.len());
        wanted.retain(|id| !self.plain.contains(id) && !self.traits.contains_key(id));
        wanted.sort_unstable();
        wanted.dedup();
        let mut read = self.memory.read(self.repo, Proof::Checksum, wanted, |id, contents| {
            let looked = look_into(self.repo, self.finder.as_ref(), self.budget, contents);
            looked.map_err(|e| e.refusal(|e| reading(id, &e)))
        })?;
        self.examined.remembered_blobs += read.remembered.len() as u64;
        self.examined.blobs += read.count();
        self.examined.bytes += read.bytes;
        self.find_twins(&mut read.traits)?;
        self.traits.extend(read.traits);
        self.memory.keep_blobs(&read.plain);
        self.plain.extend(read.remembered);
        self.plain.extend(read.plain);
        Ok(())
    }

    /// Searches the trees for sealed twins of the originals that were found. A twin may be anywhere in the trees, so
    /// this happens only after a find.
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

    /// Returns the blobs seen so far.
    pub fn met(&self) -> impl Iterator<Item = ObjectId> {
        self.plain.iter().chain(self.traits.keys().copied())
    }

    /// Returns whether every entry of a tree is known to be clean.
    pub fn knows_tree(&self, tree: &ObjectId) -> bool {
        self.memory.knows_tree(tree)
    }

    /// Records that every entry of a tree was judged and is clean.
    pub fn keep_clean_tree(&self, tree: &ObjectId) {
        self.memory.keep_tree(tree);
    }

    /// Records commits whose entries were all judged and are clean.
    pub fn keep_clean(&self, commits: &[ObjectId]) {
        self.memory.keep_commits(commits);
    }
}

/// Returns the remembered verdicts under these rules, this state of known content and this destination.
fn verdicts_under(repo: &Repository, rules: &Registry, destination: Destination, finder: Option<&Finder>) -> Verdicts {
    let rules = rules.fingerprint();
    let known = finder.map_or("", Finder::generation);
    let version = env!("CARGO_PKG_VERSION");
    let key = format!("{version} {} {rules} {destination:?} {known}", content::VERSION);
    repo.private().verdicts(Digest::of(key.as_bytes()))
}
