//! History: what a range of commits introduces, also when a later commit deletes it again.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;

use gix::objs::tree::EntryKind as GitKind;
use gix::objs::{CommitRefIter, Find as _, TreeRefIter};

use crate::adapters::git::tree::entry_kind;
use crate::adapters::git::{Repository, corrupt_object, ensure_intact, explain, from_gix, object_error, to_gix};
use crate::adapters::workers;
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::TreeEntry;

/// From so many commits on, reading every directory once is cheaper than comparing each commit with its parents.
const WORTH_A_SWEEP: usize = 512;

/// An entry and the commit of a range that introduced it.
#[derive(Clone, Debug)]
pub struct Introduced {
    /// The entry.
    pub entry: TreeEntry,
    /// The commit; none in a long range, where [`Repository::introduced_by`] tells.
    pub commit: Option<ObjectId>,
}

/// The commits of a range, before any of them was looked into.
#[derive(Default)]
pub struct Walk {
    /// Oldest first.
    steps: Vec<Step>,
    /// The commits right below the range: parents of its commits that are known already.
    pub boundary: BTreeSet<ObjectId>,
    /// The commits of the range that have no parents.
    pub roots: HashSet<ObjectId>,
    /// A commit of the range at which the history of a shallow clone is cut off, if there is one.
    cut: Option<ObjectId>,
}

impl Walk {
    /// Returns the number of commits.
    pub fn count(&self) -> usize {
        self.steps.len()
    }

    /// Refuses if the range goes on below the history that this clone has.
    pub fn ensure_whole(&self) -> Result<()> {
        match self.cut {
            Some(commit) => Err(Refusal::CutHistory { commit }),
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
        let id = to_gix(id);
        self.steps.iter().any(|step| step.id == id)
    }
}

/// What a range of commits does to paths.
#[derive(Debug, Default)]
pub struct Range {
    /// Every entry that some commit has and none of its parents, oldest commits first; in a long range by path.
    pub introduced: Vec<Introduced>,
    /// For each path that some commit deletes and no later one brings back, the last such commit; nothing in a long range.
    pub deleted: HashMap<RepoPath, ObjectId>,
    /// The commits that were looked at.
    pub commits: Vec<ObjectId>,
    /// Number of commits that were passed over, because the caller knows them.
    pub passed_over: u64,
}

/// What an object turns out to be when tags are peeled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peeled {
    /// A commit.
    Commit(ObjectId),
    /// A tree without a commit.
    Tree(ObjectId),
    /// A blob without a path.
    Blob(ObjectId),
}

/// A commit on the way through history.
struct Step {
    id: gix::ObjectId,
    parents: Vec<gix::ObjectId>,
    /// Its tree, if the commit was read for the walk.
    tree: Option<gix::ObjectId>,
}

impl Repository {
    /// Returns the refs below `prefix`, which ends in a slash: the name behind it, and the id at which it points in the end.
    pub fn refs(&self, prefix: &str) -> Result<Vec<(String, ObjectId)>> {
        let repo = self.local();
        let failed = |e: &gix::Error| Refusal::Unsupported {
            what: format!("the refs below {prefix} cannot be read: {}", explain(e)),
            remedy: "git for-each-ref    (git itself may say more)".into(),
        };
        let platform = repo.references().map_err(|e| failed(&e))?;
        let Ok(refs) = platform.prefixed(prefix) else {
            // A URL or another name that no ref can have: nothing is known of that remote.
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for reference in refs {
            let mut reference = reference.map_err(|e| failed(&e))?;
            let name = reference.name().as_bstr().to_string();
            if let Ok(id) = reference.follow_to_object() {
                let name = name.strip_prefix(prefix).unwrap_or(&name).to_owned();
                found.push((name, from_gix(&id)));
            }
        }
        Ok(found)
    }

    /// Returns whether an object is in this clone.
    pub fn has(&self, id: &ObjectId) -> bool {
        self.local().has_object(to_gix(id))
    }

    /// Returns whether there may be objects of the history here that this clone does not have: it is shallow, or partial.
    pub fn lacks_objects(&self) -> bool {
        let repo = self.local();
        let promised = |remote: &gix::bstr::BStr| self.config_text(&format!("remote.{remote}.promisor")).is_some();
        repo.is_shallow().unwrap_or(true)
            || self.config_text("extensions.partialClone").is_some()
            || repo.remote_names().iter().any(|remote| promised(remote.as_ref()))
    }

    /// Peels tags.
    pub fn peel(&self, id: &ObjectId) -> Result<Peeled> {
        let repo = self.local();
        let id = to_gix(id);
        let object = repo.find_object(id).map_err(|e| object_error(id, &e))?;
        let object = object.peel_tags_to_end().map_err(|e| object_error(id, &e))?;
        let id = from_gix(&object.id);
        Ok(match object.kind {
            gix::object::Kind::Commit => Peeled::Commit(id),
            gix::object::Kind::Tree => Peeled::Tree(id),
            gix::object::Kind::Blob | gix::object::Kind::Tag => Peeled::Blob(id),
        })
    }

    /// Walks from the commits `tips` down to those that can be reached from `known`, which are left out.
    ///
    /// A known id that is not in this clone says nothing and is passed over.
    pub fn walk(&self, tips: &[ObjectId], known: &[ObjectId]) -> Result<Walk> {
        let repo = self.local();
        let mut hidden = Vec::new();
        for id in known {
            if self.has(id)
                && let Peeled::Commit(id) = self.peel(id)?
            {
                hidden.push(to_gix(&id));
            }
        }
        let shallow: HashSet<gix::ObjectId> = repo
            .shallow_commits()
            .map_err(|e| Refusal::Unsupported {
                what: explain(&e),
                remedy: "git fetch --unshallow".into(),
            })?
            .map(|commits| commits.iter().copied().collect())
            .unwrap_or_default();
        let mut walk = Walk::default();
        let mut within = HashSet::new();
        if tips.is_empty() {
            return Ok(walk);
        }
        walk.steps = match hidden.is_empty() {
            true => everything(&repo, tips, &shallow)?,
            false => {
                let commits = repo.rev_walk(tips.iter().map(to_gix)).with_hidden(hidden).all();
                let mut steps = Vec::new();
                for info in commits.map_err(|e| walk_error(&e))? {
                    let info = info.map_err(|e| walk_error(&e))?;
                    steps.push(Step {
                        id: info.id,
                        parents: info.parent_ids.to_vec(),
                        tree: None,
                    });
                }
                steps
            }
        };
        for step in &mut walk.steps {
            within.insert(step.id);
            if shallow.contains(&step.id) {
                walk.cut = Some(from_gix(&step.id));
                step.parents.clear();
            }
        }
        walk.steps.reverse();
        for step in &walk.steps {
            let below = step.parents.iter().filter(|parent| !within.contains(*parent));
            walk.boundary.extend(below.map(|parent| from_gix(parent)));
            if step.parents.is_empty() {
                walk.roots.insert(from_gix(&step.id));
            }
        }
        Ok(walk)
    }

    /// Returns what the commits of a walk introduce, but for those for which `is_known` holds.
    pub fn introduced(&self, walk: &Walk, is_known: impl Fn(&ObjectId) -> bool) -> Result<Range> {
        let mut range = Range::default();
        let steps: Vec<&Step> = walk
            .steps
            .iter()
            .filter(|step| !is_known(&from_gix(&step.id)))
            .collect();
        range.passed_over = (walk.steps.len() - steps.len()) as u64;
        if steps.len() >= WORTH_A_SWEEP {
            range.commits = steps.iter().map(|step| from_gix(&step.id)).collect();
            let known: Vec<ObjectId> = walk.boundary.iter().copied().collect();
            let trees: Option<Vec<ObjectId>> = steps.iter().map(|step| step.tree.map(|id| from_gix(&id))).collect();
            let trees = match trees {
                Some(trees) => trees,
                None => self.trees_of(&range.commits)?,
            };
            let entries = self.sweep(trees, &known)?;
            let introduced = entries.into_iter().map(|entry| Introduced { entry, commit: None });
            range.introduced = introduced.collect();
            return Ok(range);
        }
        let changes = workers::map(&steps, || Ok(self.worker()), |repo, step| changes_of(repo, step))?;
        let mut seen = Seen::default();
        for (step, changes) in steps.iter().zip(changes) {
            let commit = from_gix(&step.id);
            range.commits.push(commit);
            for entry in changes.introduced {
                if !range.deleted.is_empty() {
                    range.deleted.remove(&entry.path);
                }
                if seen.insert(&entry) {
                    let commit = Some(commit);
                    range.introduced.push(Introduced { entry, commit });
                }
            }
            for path in changes.deleted {
                range.deleted.insert(path, commit);
            }
        }
        Ok(range)
    }
}

/// Walks from `tips` down to where history begins, or is cut, reading each commit once; breadth first.
fn everything(repo: &gix::Repository, tips: &[ObjectId], shallow: &HashSet<gix::ObjectId>) -> Result<Vec<Step>> {
    let mut seen: HashSet<gix::ObjectId> = HashSet::new();
    let mut queue: VecDeque<gix::ObjectId> = VecDeque::new();
    for tip in tips {
        let tip = to_gix(tip);
        if seen.insert(tip) {
            queue.push_back(tip);
        }
    }
    let mut steps = Vec::new();
    let mut buffer = Vec::new();
    while let Some(id) = queue.pop_front() {
        let data = match repo.objects.try_find(&id, &mut buffer) {
            Ok(Some(data)) => data,
            Ok(None) => {
                return Err(Refusal::MissingObject {
                    count: 1,
                    example: id.to_string(),
                });
            }
            Err(e) => return Err(object_error(id, &e)),
        };
        if data.kind != gix::object::Kind::Commit {
            return Err(corrupt_object(id, "it is not a commit"));
        }
        ensure_intact(id, "commit", data.data)?;
        let mut tokens = CommitRefIter::from_bytes(data.data, id.kind());
        let tree = tokens.tree_id().map_err(|e| corrupt_object(id, &explain(&e)))?;
        let parents: Vec<gix::ObjectId> = tokens.parent_ids().collect();
        if !shallow.contains(&id) {
            queue.extend(parents.iter().copied().filter(|parent| seen.insert(*parent)));
        }
        steps.push(Step {
            id,
            parents,
            tree: Some(tree),
        });
    }
    Ok(steps)
}

/// Remembers path and blob of entries by a keyed hash of 128 bits.
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

fn walk_error(error: &gix::Error) -> Refusal {
    match error.is_not_found() {
        true => Refusal::MissingObject {
            count: 1,
            example: explain(error),
        },
        false => Refusal::Corrupt {
            what: format!("history cannot be read: {}", explain(error)),
            remedy: "git fsck".into(),
        },
    }
}

/// Returns what one commit has and none of its parents, for what equals a parent's was introduced there.
fn changes_of(repo: &gix::Repository, step: &Step) -> Result<Changes> {
    let tree = tree_of(repo, step.id)?;
    let mut parents = Vec::new();
    for parent in &step.parents {
        parents.push(tree_of(repo, *parent)?);
    }
    let mut changes = diff(repo, parents.first().copied(), tree)?;
    for parent in parents.iter().skip(1) {
        let other: HashSet<(RepoPath, ObjectId)> = diff(repo, Some(*parent), tree)?
            .introduced
            .into_iter()
            .map(|entry| (entry.path, entry.id))
            .collect();
        changes
            .introduced
            .retain(|entry| other.contains(&(entry.path.clone(), entry.id)));
    }
    Ok(changes)
}

pub(super) fn tree_of(repo: &gix::Repository, id: gix::ObjectId) -> Result<gix::ObjectId> {
    let commit = repo.find_commit(id).map_err(|e| object_error(id, &e))?;
    ensure_intact(id, "commit", &commit.data)?;
    commit.tree_id().map(|id| id.detach()).map_err(|e| object_error(id, &e))
}

struct Changes {
    introduced: Vec<TreeEntry>,
    deleted: Vec<RepoPath>,
}

fn diff(repo: &gix::Repository, old: Option<gix::ObjectId>, new: gix::ObjectId) -> Result<Changes> {
    let mut changes = Changes {
        introduced: Vec::new(),
        deleted: Vec::new(),
    };
    if old == Some(new) {
        return Ok(changes);
    }
    let read = |id: gix::ObjectId| -> Result<Vec<u8>> {
        let tree = repo.find_tree(id).map_err(|e| object_error(id, &e))?;
        ensure_intact(id, "tree", &tree.data)?;
        Ok(tree.detach().data)
    };
    let old_bytes = old.map(read).transpose()?.unwrap_or_default();
    let new_bytes = read(new)?;
    let mut recorder = gix::diff::tree::Recorder::default();
    let objects = Intact {
        objects: &repo.objects,
        forged: RefCell::new(None),
    };
    let done = gix::diff::tree(
        TreeRefIter::from_bytes(&old_bytes, new.kind()),
        TreeRefIter::from_bytes(&new_bytes, new.kind()),
        gix::diff::tree::State::default(),
        &objects,
        &mut recorder,
    );
    if let Some(forged) = objects.forged.into_inner() {
        return Err(forged);
    }
    done.map_err(|e| tree_diff_error(new, &e))?;
    let add = |kind: GitKind, id: gix::ObjectId, path: &[u8], changes: &mut Changes| {
        if let Some(kind) = entry_kind(kind) {
            changes.introduced.push(TreeEntry {
                path: RepoPath::new(path),
                kind,
                id: from_gix(&id),
            });
        }
    };
    for change in recorder.records {
        use gix::diff::tree::recorder::Change::{Addition, Deletion, Modification};
        match change {
            Addition {
                entry_mode, oid, path, ..
            } => add(entry_mode.kind(), oid, &path, &mut changes),
            Modification {
                entry_mode, oid, path, ..
            } => add(entry_mode.kind(), oid, &path, &mut changes),
            Deletion { entry_mode, path, .. } => {
                if entry_kind(entry_mode.kind()).is_some() {
                    changes.deleted.push(RepoPath::new(&path));
                }
            }
        }
    }
    Ok(changes)
}

/// Finds objects and holds each against its id; one that is forged is remembered, and not found.
struct Intact<'a> {
    objects: &'a gix::OdbHandle,
    forged: RefCell<Option<Refusal>>,
}

impl gix::objs::Find for Intact<'_> {
    fn try_find<'b>(
        &self,
        id: &gix::oid,
        buffer: &'b mut Vec<u8>,
    ) -> std::result::Result<Option<gix::objs::Data<'b>>, gix::Error> {
        let found = self.objects.try_find(id, buffer)?;
        if let Some(data) = &found
            && let Err(forged) = ensure_intact(id.to_owned(), &data.kind.to_string(), data.data)
        {
            self.forged.replace(Some(forged));
            return Ok(None);
        }
        Ok(found)
    }
}

fn tree_diff_error(id: gix::ObjectId, error: &(dyn std::error::Error + 'static)) -> Refusal {
    let why = explain(error);
    if why.contains("not found") || why.contains("could not be found") {
        Refusal::MissingObject { count: 1, example: why }
    } else {
        corrupt_object(id, &why)
    }
}
