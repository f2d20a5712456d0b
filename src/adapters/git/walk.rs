//! Walks history from commits down to known ones, covering everything that git could send.
//!
//! Ignores replacement objects and commit-graph files, because a clone can put anything into them. Grafts can make git
//! send more than the commits name as parents, so the walk follows them too. A list of shallow commits makes git send
//! less; the walk still follows everything below them that this clone has.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use gix::objs::{CommitRefIter, Find as _};

use crate::adapters::git::grafts::Grafts;
use crate::adapters::git::steps::{CommitStep, Steps};
use crate::adapters::git::{
    Peeled, Repository, corrupt_object, ensure_intact, explain, from_gix, object_error, to_gix,
};
use crate::format::budget::Bound;
use crate::format::id_set::IdSet;
use crate::format::object_id::ObjectId;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// Number of known commits to visit beyond the last one that can matter, because commit times may be slightly wrong.
const SLOP: usize = 5;

/// The commits of a range.
#[derive(Default)]
pub struct Walk {
    /// Oldest first.
    pub(super) steps: Steps,
    /// The commits just below the range: known parents of its commits.
    pub boundary: BTreeSet<ObjectId>,
    /// The commits of the range that have no parents.
    pub roots: HashSet<ObjectId>,
    ids: IdSet,
    /// A commit of the range of which this shallow clone lacks a parent, if there is one.
    cut: Option<ObjectId>,
}

impl Walk {
    /// Returns the number of commits in the range.
    pub fn count(&self) -> usize {
        self.steps.len()
    }

    /// Refuses if the range continues below the history that this clone has.
    pub fn ensure_whole(&self) -> Result<()> {
        match self.cut {
            Some(commit) => Err(Refusal::CutHistory { commit: commit.hex() }),
            None => Ok(()),
        }
    }

    /// Returns the commits, oldest first.
    pub fn commits(&self) -> impl Iterator<Item = ObjectId> {
        (0..self.steps.len()).map(|at| from_gix(&self.steps.id(at)))
    }

    /// Returns each commit with each of its parents.
    pub(super) fn edges(&self) -> impl Iterator<Item = (ObjectId, ObjectId)> {
        let steps = self.steps.iter();
        steps.flat_map(|step| {
            let id = from_gix(&step.id);
            let parents = step.parents.into_iter();
            parents.map(move |parent| (id, from_gix(&parent)))
        })
    }

    /// Returns the parents of each commit, as far as this clone has them.
    pub fn parents(&self) -> HashMap<ObjectId, Vec<ObjectId>> {
        let steps = self.steps.iter();
        steps
            .map(|step| (from_gix(&step.id), step.parents.iter().map(|id| from_gix(id)).collect()))
            .collect()
    }

    /// Returns whether the commit is in the range.
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.ids.contains(id)
    }
}

impl Repository {
    /// Walks from the commits `tips` down to those that are reachable from `known`, which are left out.
    ///
    /// Skips known ids that this clone does not have.
    pub fn walk(&self, tips: &[ObjectId], known: &[ObjectId]) -> Result<Walk> {
        let mut walk = Walk::default();
        if tips.is_empty() {
            return Ok(walk);
        }
        let mut walker = Walker::new(self)?;
        for id in known {
            if self.has(id)
                && let Peeled::Commit(id) = self.peel(id)?
            {
                walker.paint(to_gix(&id))?;
            }
        }
        for id in tips {
            walker.want(to_gix(id))?;
        }
        walker.run()?;
        let Walker { steps, states, cut, .. } = walker;
        let painted = |id: &gix::ObjectId| states.get(id).is_some_and(|state| state.painted);
        walk.steps = steps.iter().rev().filter(|step| !painted(&step.id)).collect();
        drop((steps, states));
        walk.ids = walk.commits().collect();
        walk.cut = cut.iter().map(|id| from_gix(id)).find(|id| walk.ids.contains(id));
        for step in walk.steps.iter() {
            if step.parents.is_empty() {
                walk.roots.insert(from_gix(&step.id));
            }
            let parents = step.parents.iter().map(|parent| from_gix(parent));
            walk.boundary
                .extend(parents.filter(|parent| !walk.ids.contains(parent)));
        }
        Ok(walk)
    }

    /// Returns the commits at which this clone is shallow.
    fn shallow(&self) -> Result<HashSet<gix::ObjectId>> {
        let commits = self
            .local()
            .shallow_commits()
            .map_err(|e| Refusal::Unsupported(Unsupported::ShallowList { said: explain(&e) }))?;
        Ok(commits
            .map(|commits| commits.iter().copied().collect())
            .unwrap_or_default())
    }
}

/// The fields of a commit object.
pub(super) struct CommitHeader {
    pub(super) tree: gix::ObjectId,
    pub(super) parents: Vec<gix::ObjectId>,
    pub(super) committed: i64,
}

/// Reads a commit and checks it against its id. `None` if this clone does not have it.
pub(super) fn read_commit(
    repository: &Repository,
    repo: &gix::Repository,
    id: gix::ObjectId,
    buffer: &mut Vec<u8>,
) -> Result<Option<CommitHeader>> {
    let data = match repo.objects.try_find(&id, buffer) {
        Ok(Some(data)) => data,
        Ok(None) => return Ok(None),
        Err(e) => return Err(object_error(id, &e)),
    };
    if data.kind != gix::object::Kind::Commit {
        return Err(corrupt_object(id, "it is not a commit"));
    }
    repository.spend(Bound::TreeBytes, data.data.len() as u64 + 64)?;
    ensure_intact(id, "commit", data.data)?;
    let mut tokens = CommitRefIter::from_bytes(data.data, id.kind());
    let tree = tokens.tree_id().map_err(|e| corrupt_object(id, &explain(&e)))?;
    let mut parents: Vec<_> = tokens.parent_ids().collect();
    // A collected list has room for four, and a walk holds very many lists of one.
    parents.shrink_to_fit();
    Ok(Some(CommitHeader {
        tree,
        parents,
        committed: committed(data.data),
    }))
}

/// Returns the committer time in seconds since the epoch, or zero if it cannot be read. Only the order of the walk
/// depends on it.
fn committed(commit: &[u8]) -> i64 {
    let header = commit.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let line = header.filter_map(|line| line.strip_prefix(b"committer ")).next();
    let time = line.and_then(|line| line.rsplit(|byte| *byte == b'>').next());
    let time = time.and_then(|time| std::str::from_utf8(time).ok());
    let seconds = time.and_then(|time| time.split_ascii_whitespace().next()?.parse().ok());
    seconds.unwrap_or_default()
}

/// The state of a commit during the walk.
#[derive(Clone, Copy, Default)]
struct State {
    /// Whether it is reachable from a known commit.
    painted: bool,
    /// Whether it is in the queue and was not painted when it was queued.
    wanted: bool,
    /// Its index in the steps, if it is one.
    step: Option<u32>,
}

/// A queued commit. The latest comes first; commits with the same time come in the order in which they were found.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    committed: i64,
    found: Reverse<usize>,
    id: gix::ObjectId,
    tree: gix::ObjectId,
    parents: Vec<gix::ObjectId>,
}

struct Walker<'a> {
    repository: &'a Repository,
    repo: gix::Repository,
    buffer: Vec<u8>,
    grafts: Grafts,
    states: HashMap<gix::ObjectId, State>,
    queue: BinaryHeap<Turn>,
    /// Number of commits in the queue that are wanted.
    wanted: usize,
    found: usize,
    steps: Steps,
    /// Commits at or below a shallow one. Their parents may be missing.
    loose: HashSet<gix::ObjectId>,
    cut: Vec<gix::ObjectId>,
}

impl<'a> Walker<'a> {
    fn new(repository: &'a Repository) -> Result<Self> {
        Ok(Self {
            repository,
            repo: repository.worker(),
            buffer: Vec::new(),
            loose: repository.shallow()?,
            grafts: repository.grafts()?,
            states: HashMap::new(),
            queue: BinaryHeap::new(),
            wanted: 0,
            found: 0,
            steps: Steps::default(),
            cut: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<()> {
        let mut oldest = i64::MAX;
        let mut slop = SLOP;
        while let Some(next) = self.queue.peek() {
            if self.wanted == 0 && next.committed < oldest {
                match slop {
                    0 => break,
                    _ => slop -= 1,
                }
            }
            let turn = self.queue.pop().expect("it was there just now");
            let state = self.states.entry(turn.id).or_default();
            if state.painted {
                for parent in turn.parents {
                    self.paint(parent)?;
                }
                continue;
            }
            self.wanted -= usize::from(std::mem::take(&mut state.wanted));
            oldest = oldest.min(turn.committed);
            self.take(turn)?;
        }
        Ok(())
    }

    /// Adds a commit to the steps, and its parents to the queue.
    fn take(&mut self, turn: Turn) -> Result<()> {
        let Turn {
            id, tree, mut parents, ..
        } = turn;
        if self.loose.contains(&id) {
            let had = parents.len();
            parents.retain(|parent| self.repo.has_object(*parent));
            if parents.len() < had {
                self.cut.push(id);
            }
            self.loose.extend(&parents);
        }
        for parent in parents
            .iter()
            .chain(self.grafts.get(&id).into_iter().flatten())
            .copied()
            .collect::<Vec<_>>()
        {
            self.want(parent)?;
        }
        let state = self.states.entry(id).or_default();
        state.step = u32::try_from(self.steps.len()).ok();
        self.steps.push(&CommitStep { id, tree, parents });
        Ok(())
    }

    fn want(&mut self, id: gix::ObjectId) -> Result<()> {
        if self.states.contains_key(&id) {
            return Ok(());
        }
        if !self.enqueue(id)? {
            return Err(Refusal::MissingObject {
                count: 1,
                example: id.to_string(),
            });
        }
        self.states.entry(id).or_default().wanted = true;
        self.wanted += 1;
        Ok(())
    }

    /// Marks a commit and everything reachable from it as known.
    fn paint(&mut self, id: gix::ObjectId) -> Result<()> {
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let is_new = !self.states.contains_key(&id);
            let state = self.states.entry(id).or_default();
            if std::mem::replace(&mut state.painted, true) {
                continue;
            }
            self.wanted -= usize::from(std::mem::take(&mut state.wanted));
            if let Some(step) = state.step {
                pending.extend(self.steps.get(step as usize).parents);
            } else if is_new {
                // A known commit that this clone does not have leads nowhere.
                self.enqueue(id)?;
            }
        }
        Ok(())
    }

    /// Queues a commit. Returns false if this clone does not have it.
    fn enqueue(&mut self, id: gix::ObjectId) -> Result<bool> {
        let Some(named) = read_commit(self.repository, &self.repo, id, &mut self.buffer)? else {
            return Ok(false);
        };
        self.found += 1;
        self.queue.push(Turn {
            committed: named.committed,
            found: Reverse(self.found),
            id,
            tree: named.tree,
            parents: named.parents,
        });
        Ok(true)
    }
}
