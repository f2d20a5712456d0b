//! History: the entries that a range of commits introduces, including those that a later commit deletes again.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use crate::adapters::git::changes::{Comparer, PathChange};
use crate::adapters::git::steps::CommitStep;
use crate::adapters::git::walk::{Walk, read_commit};
use crate::adapters::git::{Repository, from_gix, to_gix};
use crate::adapters::workers;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::TreeEntry;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// Number of commits from which reading every directory once is cheaper than comparing each commit with its parents.
const WORTH_A_SWEEP: usize = 512;

/// Number of commits compared in one round of the threads.
const AT_ONCE: usize = 64;

/// A commit that changes more paths than this is compared alone, and its changes are handed over in parts.
const MANY_CHANGES: usize = 4096;

/// Number of entries handed over at once.
pub(super) const BATCH: usize = 16384;

/// How a tree differs from another one.
#[derive(Debug, Default)]
pub struct TreeChanges {
    /// The entries that the other tree does not have.
    pub introduced: Vec<TreeEntry>,
    /// The paths of files that only the other tree has.
    pub deleted: Vec<RepoPath>,
}

/// An entry and the commit that introduced it.
#[derive(Clone, Debug)]
pub struct Introduced {
    /// The entry.
    pub entry: TreeEntry,
    /// The commit. `None` in a long range, where [`Repository::introduced_by`] finds it.
    pub commit: Option<ObjectId>,
}

/// A part of the changes in a range of commits.
#[derive(Debug, Default)]
pub struct Batch {
    /// Entries that a commit has and none of its parents has, oldest commits first. In a long range, in no order.
    pub introduced: Vec<Introduced>,
    /// Paths that a commit deletes. Empty in a long range.
    pub deleted: Vec<RepoPath>,
    /// In a long range, the contents of this batch and of those that follow, sorted. Reading them in one go costs less.
    pub ahead: Vec<ObjectId>,
}

/// Receives the batches one after the other.
pub type Sink<'a> = &'a mut (dyn FnMut(Batch) -> Result<()> + Send);

/// What is known of a range of commits after all of its batches.
#[derive(Debug, Default)]
pub struct Range {
    /// For each path that a commit deletes and no later one restores, the last such commit. Empty in a long range.
    pub deleted: Deleted,
    /// The commits that were judged.
    pub commits: Vec<ObjectId>,
    /// Number of commits that were skipped because the caller knows them.
    pub passed_over: u64,
    /// Whether the range was long, so that entries come without their commits.
    pub is_long: bool,
}

/// Paths and the commits that deleted them last.
///
/// Keeps a keyed hash of 128 bits for each path, so that many long paths take little memory.
#[derive(Debug, Default)]
pub struct Deleted {
    keys: [std::hash::RandomState; 2],
    by: HashMap<[u64; 2], ObjectId>,
}

impl Deleted {
    fn key(&self, path: &RepoPath) -> [u64; 2] {
        [self.keys[0].hash_one(path), self.keys[1].hash_one(path)]
    }

    /// Returns the commit that deleted a path.
    pub fn get(&self, path: &RepoPath) -> Option<ObjectId> {
        self.by.get(&self.key(path)).copied()
    }

    fn insert(&mut self, path: &RepoPath, commit: ObjectId) {
        self.by.insert(self.key(path), commit);
    }

    fn remove(&mut self, path: &RepoPath) {
        if !self.by.is_empty() {
            self.by.remove(&self.key(path));
        }
    }
}

impl Repository {
    /// Returns the refs below `prefix`, which ends in a slash: the rest of each name, and the id that it resolves to.
    pub fn refs(&self, prefix: &str) -> Result<Vec<(String, ObjectId)>> {
        let below = self.refs_below(prefix).map_err(|fault| {
            fault.refuse(|said| Unsupported::ReferencesBelow {
                prefix: prefix.to_owned(),
                said,
            })
        })?;
        let named = below.into_iter().filter_map(|found| {
            let name = found.name.to_string();
            let name = name.strip_prefix(prefix).unwrap_or(&name).to_owned();
            Some((name, found.id?))
        });
        Ok(named.collect())
    }

    /// Returns whether this clone has an object.
    pub fn has(&self, id: &ObjectId) -> bool {
        self.local().has_object(to_gix(id))
    }

    /// Returns whether this clone may lack objects of its history, because it is shallow or partial.
    pub fn lacks_objects(&self) -> bool {
        let repo = self.local();
        let promised = |remote: &gix::bstr::BStr| self.config_text(&format!("remote.{remote}.promisor")).is_some();
        repo.is_shallow().unwrap_or(true)
            || self.config_text("extensions.partialClone").is_some()
            || repo.remote_names().iter().any(|remote| promised(remote.as_ref()))
    }

    /// Passes the entries that the commits of a walk introduce to `sink`, except for commits for which `is_known`
    /// returns true.
    pub fn introduced(&self, walk: &Walk, is_known: impl Fn(&ObjectId) -> bool, sink: Sink<'_>) -> Result<Range> {
        let mut range = Range::default();
        let new = || walk.steps.iter().filter(|step| !is_known(&from_gix(&step.id)));
        range.commits = new().map(|step| from_gix(&step.id)).collect();
        range.passed_over = (walk.steps.len() - range.commits.len()) as u64;
        range.is_long = range.commits.len() >= WORTH_A_SWEEP;
        if range.is_long {
            let known: Vec<ObjectId> = walk.boundary.iter().copied().collect();
            let trees = new().map(|step| from_gix(&step.tree)).collect();
            self.sweep(trees, &known, sink)?;
            return Ok(range);
        }
        let steps: Vec<CommitStep> = new().collect();
        let trees: HashMap<gix::ObjectId, gix::ObjectId> = walk.steps.iter().map(|step| (step.id, step.tree)).collect();
        let mut telling = Telling {
            seen: Seen::default(),
            deleted: &mut range.deleted,
            batch: Batch::default(),
            sink,
        };
        for steps in steps.chunks(AT_ONCE) {
            let changes = workers::map(
                steps,
                || Ok(self.worker()),
                |repo, step| self.changes_of(repo, step, &trees),
            )?;
            for (step, changes) in steps.iter().zip(changes) {
                let commit = from_gix(&step.id);
                match changes {
                    Some(changes) => changes
                        .into_iter()
                        .try_for_each(|change| telling.tell(change, commit))?,
                    None => {
                        let repo = self.worker();
                        let parents = self.trees_beside(&repo, step, &trees)?;
                        let tell = &mut |change| telling.tell(change, commit);
                        Comparer::new(self, &repo).compare(step.tree, &parents, tell)?;
                    }
                }
            }
        }
        telling.flush()?;
        Ok(range)
    }

    /// Passes to `each` the paths at which a tree has another file than all of `olds`, or lacks one that the first of them
    /// has.
    pub fn changed_paths(&self, new: &ObjectId, olds: &[ObjectId], each: &mut dyn FnMut(&RepoPath)) -> Result<()> {
        let olds: Vec<gix::ObjectId> = olds.iter().map(to_gix).collect();
        let repo = self.worker();
        Comparer::new(self, &repo).compare(to_gix(new), &olds, &mut |change| {
            match change {
                PathChange::Introduced(entry) => each(&entry.path),
                PathChange::Deleted(path) => each(&path),
            }
            Ok(())
        })
    }

    /// Returns the entries of a tree that another one does not have, and the paths of those that it lacks. `None` if there
    /// are more than `most`. The new tree must be as git writes it.
    pub fn tree_changes(&self, new: &ObjectId, old: &ObjectId, most: usize) -> Result<Option<TreeChanges>> {
        let repo = self.worker();
        let mut changes = TreeChanges::default();
        let mut is_many = false;
        let done = Comparer::new(self, &repo)
            .strict()
            .compare(to_gix(new), &[to_gix(old)], &mut |change| {
                is_many = changes.introduced.len() + changes.deleted.len() >= most;
                match (is_many, change) {
                    // An error ends the comparison. Which one does not matter, because it is dropped below.
                    (true, _) => return Err(Refusal::Empty),
                    (false, PathChange::Introduced(entry)) => changes.introduced.push(entry),
                    (false, PathChange::Deleted(path)) => changes.deleted.push(path),
                }
                Ok(())
            });
        match is_many {
            true => Ok(None),
            false => done.map(|()| Some(changes)),
        }
    }

    /// Returns the changes of one commit. `None` if there are so many that they must be handed over in parts.
    ///
    /// An entry that equals a parent's is no change: it was introduced there.
    fn changes_of(
        &self,
        repo: &gix::Repository,
        step: &CommitStep,
        trees: &HashMap<gix::ObjectId, gix::ObjectId>,
    ) -> Result<Option<Vec<PathChange>>> {
        let parents = self.trees_beside(repo, step, trees)?;
        let mut changes = Vec::new();
        let mut is_many = false;
        let done = Comparer::new(self, repo).compare(step.tree, &parents, &mut |change| {
            is_many = changes.len() == MANY_CHANGES;
            match is_many {
                // An error ends the comparison. Which one does not matter, because it is dropped below.
                true => Err(Refusal::Empty),
                false => {
                    changes.push(change);
                    Ok(())
                }
            }
        });
        match is_many {
            true => Ok(None),
            false => done.map(|()| Some(changes)),
        }
    }

    /// Returns the trees of a commit's parents.
    fn trees_beside(
        &self,
        repo: &gix::Repository,
        step: &CommitStep,
        trees: &HashMap<gix::ObjectId, gix::ObjectId>,
    ) -> Result<Vec<gix::ObjectId>> {
        let parents = step.parents.iter();
        parents
            .map(|parent| match trees.get(parent) {
                Some(tree) => Ok(*tree),
                None => tree_of(self, repo, *parent),
            })
            .collect()
    }
}

/// Hands changes over in batches, each entry once.
struct Telling<'a, 's> {
    seen: Seen,
    deleted: &'a mut Deleted,
    batch: Batch,
    sink: Sink<'s>,
}

impl Telling<'_, '_> {
    fn tell(&mut self, change: PathChange, commit: ObjectId) -> Result<()> {
        match change {
            PathChange::Introduced(entry) => {
                self.deleted.remove(&entry.path);
                if self.seen.insert(&entry) {
                    let commit = Some(commit);
                    self.batch.introduced.push(Introduced { entry, commit });
                }
            }
            PathChange::Deleted(path) => {
                self.deleted.insert(&path, commit);
                self.batch.deleted.push(path);
            }
        }
        match self.batch.introduced.len() + self.batch.deleted.len() < BATCH {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<()> {
        (self.sink)(std::mem::take(&mut self.batch))
    }
}

/// Remembers the path and blob of entries, as keyed hashes of 128 bits.
#[derive(Default)]
struct Seen {
    keys: [std::hash::RandomState; 2],
    hashes: HashSet<[u64; 2]>,
}

impl Seen {
    fn insert(&mut self, entry: &TreeEntry) -> bool {
        let hash = |key: &std::hash::RandomState| key.hash_one((&entry.path, entry.id));
        self.hashes.insert([hash(&self.keys[0]), hash(&self.keys[1])])
    }
}

/// Returns the tree of a commit.
pub(super) fn tree_of(repository: &Repository, repo: &gix::Repository, id: gix::ObjectId) -> Result<gix::ObjectId> {
    match read_commit(repository, repo, id, &mut Vec::new())? {
        Some(named) => Ok(named.tree),
        None => Err(Refusal::MissingObject {
            count: 1,
            example: id.to_string(),
        }),
    }
}
