//! The way through history: from commits down to what is known, as git's push would see it.
//!
//! Replacement objects and commit-graph files are not looked at, for they can say anything. Grafts can have git send more
//! than the commits themselves name, so what they add is walked too. A list of shallow commits has git send less; whatever
//! lies below them in this clone is walked all the same.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use gix::objs::{CommitRefIter, Find as _};

use crate::adapters::git::grafts::Grafts;
use crate::adapters::git::history::Peeled;
use crate::adapters::git::{Repository, corrupt_object, ensure_intact, explain, from_gix, object_error, to_gix};
use crate::format::budget::Bound;
use crate::format::object_id::ObjectId;
use crate::refusal::{Refusal, Result};

/// So many known commits are looked at after the last one that could matter: times of commits may be a little wrong.
const SLOP: usize = 5;

/// The commits of a range, before any of them was looked into.
#[derive(Default)]
pub struct Walk {
    /// Oldest first.
    pub(super) steps: Vec<Step>,
    /// The commits right below the range: parents of its commits that are known already.
    pub boundary: BTreeSet<ObjectId>,
    /// The commits of the range that have no parents.
    pub roots: HashSet<ObjectId>,
    ids: HashSet<gix::ObjectId>,
    /// A commit of the range some parents of which a shallow clone does not have, if there is one.
    cut: Option<ObjectId>,
}

/// A commit on the way through history.
pub(super) struct Step {
    pub(super) id: gix::ObjectId,
    pub(super) tree: gix::ObjectId,
    /// Those that are in this clone.
    pub(super) parents: Vec<gix::ObjectId>,
}

impl Walk {
    /// Returns the number of commits.
    pub fn count(&self) -> usize {
        self.steps.len()
    }

    /// Refuses if the range goes on below the history that this clone has.
    pub fn ensure_whole(&self) -> Result<()> {
        match self.cut {
            Some(commit) => Err(Refusal::CutHistory { commit: commit.hex() }),
            None => Ok(()),
        }
    }

    /// Returns the commits, oldest first.
    pub fn commits(&self) -> impl Iterator<Item = ObjectId> {
        self.steps.iter().map(|step| from_gix(&step.id))
    }

    /// Returns each commit with each of its parents.
    pub(super) fn edges(&self) -> impl Iterator<Item = (ObjectId, ObjectId)> {
        let steps = self.steps.iter();
        steps.flat_map(|step| step.parents.iter().map(|parent| (from_gix(&step.id), from_gix(parent))))
    }

    /// Returns whether the commit is in the range.
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.ids.contains(&to_gix(id))
    }
}

impl Repository {
    /// Walks from the commits `tips` down to those that can be reached from `known`, which are left out.
    ///
    /// A known id that is not in this clone says nothing and is passed over.
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
        walk.steps = steps.into_iter().filter(|step| !painted(&step.id)).collect();
        walk.steps.reverse();
        walk.ids = walk.steps.iter().map(|step| step.id).collect();
        walk.cut = cut.iter().find(|id| walk.ids.contains(*id)).map(|id| from_gix(id));
        for step in &walk.steps {
            let below = step.parents.iter().filter(|parent| !walk.ids.contains(*parent));
            walk.boundary.extend(below.map(|parent| from_gix(parent)));
            if step.parents.is_empty() {
                walk.roots.insert(from_gix(&step.id));
            }
        }
        Ok(walk)
    }

    /// Returns the commits that the list of shallow ones names.
    fn shallow(&self) -> Result<HashSet<gix::ObjectId>> {
        let commits = self.local().shallow_commits().map_err(|e| Refusal::Unsupported {
            what: explain(&e),
            remedy: "git fetch --unshallow".into(),
        })?;
        Ok(commits
            .map(|commits| commits.iter().copied().collect())
            .unwrap_or_default())
    }
}

/// What a commit has to say of itself.
pub(super) struct Named {
    pub(super) tree: gix::ObjectId,
    pub(super) parents: Vec<gix::ObjectId>,
    pub(super) committed: i64,
}

/// Reads a commit, held against its id; none if it is not in this clone.
pub(super) fn read_commit(
    repository: &Repository,
    repo: &gix::Repository,
    id: gix::ObjectId,
    buffer: &mut Vec<u8>,
) -> Result<Option<Named>> {
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
    Ok(Some(Named {
        tree,
        parents: tokens.parent_ids().collect(),
        committed: committed(data.data),
    }))
}

/// Returns the committer's time; zero if there is none. Nothing but the order of the walk depends on it.
fn committed(commit: &[u8]) -> i64 {
    let header = commit.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    let line = header.filter_map(|line| line.strip_prefix(b"committer ")).next();
    let time = line.and_then(|line| line.rsplit(|byte| *byte == b'>').next());
    let time = time.and_then(|time| std::str::from_utf8(time).ok());
    let seconds = time.and_then(|time| time.split_ascii_whitespace().next()?.parse().ok());
    seconds.unwrap_or_default()
}

/// What is known of a commit on the way.
#[derive(Clone, Copy, Default)]
struct State {
    /// It is reached from what is known.
    painted: bool,
    /// It is in the queue, and was not painted when it came there.
    wanted: bool,
    /// Where it stands among the steps, if it was one.
    step: Option<u32>,
}

/// A commit whose turn comes: the latest first and, of one time, in the order in which they were found.
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
    /// How many commits in the queue are wanted.
    wanted: usize,
    found: usize,
    steps: Vec<Step>,
    /// Commits at or below a shallow one, whose parents need not be here.
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
            steps: Vec::new(),
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

    /// Makes a commit a step, and wants its parents.
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
        self.steps.push(Step { id, tree, parents });
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

    /// Notes that a commit, and with it all that it leads to, is known.
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
                pending.extend(&self.steps[step as usize].parents);
            } else if is_new {
                // One that is not here leads nowhere.
                self.enqueue(id)?;
            }
        }
        Ok(())
    }

    /// Puts a commit into the queue; false if it is not here.
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
