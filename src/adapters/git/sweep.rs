//! Sweeps: collects every entry of many commits, reading each directory once and in the order of the packs.
//!
//! Comparing each commit with its parents reads their common directories again and again. A sweep reads the directories
//! of all commits level by level. It does not record which commit introduced an entry; that is looked up later for the
//! few entries for which it is needed.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;

use crate::adapters::git::blobs::Proof;
use crate::adapters::git::changes::{joined, leads};
use crate::adapters::git::history::{BATCH, Batch, Introduced, Sink};
use crate::adapters::git::raw_tree::{Leads, RawEntries, cost_of, read_tree};
use crate::adapters::git::walk::Walk;
use crate::adapters::git::{Repository, corrupt_object, from_gix, to_gix};
use crate::adapters::workers;
use crate::format::budget::Bound;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::TreeEntry;
use crate::refusal::{Refusal, Result};

/// A thread drops the directories it keeps for comparison when they exceed this many bytes.
const MAX_PREVIOUS: usize = 16 << 20;

/// A thread hands over its new entries when there are this many.
const MAX_FRESH: usize = 1024;

const SHARDS: usize = 64;

/// A directory: the id of its tree, and the number of its path.
type Directory = (ObjectId, u32);

/// The path number of the root.
const TOP: u32 = 0;

/// An entry that was not seen at its path before.
struct Fresh {
    name: Box<[u8]>,
    leads: Leads,
    id: ObjectId,
}

/// The paths of directories, numbered. Each is stored as its parent's number and its own name.
struct Paths {
    keys: [RandomState; 2],
    /// For each directory, the number of its parent, and the end of its name in `names`.
    above: Vec<(u32, usize)>,
    names: Vec<u8>,
    numbers: HashMap<[u64; 2], u32>,
}

impl Paths {
    fn new() -> Self {
        Self {
            keys: Default::default(),
            above: vec![(TOP, 0)],
            names: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// Returns the number of a directory's path, and assigns one if it has none yet.
    fn number(&mut self, above: u32, name: &[u8]) -> u32 {
        let key = [
            self.keys[0].hash_one((above, name)),
            self.keys[1].hash_one((above, name)),
        ];
        *self.numbers.entry(key).or_insert_with(|| {
            self.names.extend_from_slice(name);
            self.above.push((above, self.names.len()));
            (self.above.len() - 1) as u32
        })
    }

    fn path(&self, mut number: u32) -> Vec<u8> {
        let mut names = Vec::new();
        while number != TOP {
            let (above, end) = self.above[number as usize];
            let start = self.above[number as usize - 1].1;
            names.push(&self.names[start..end]);
            number = above;
        }
        names.reverse();
        names.join(&b'/')
    }
}

/// The combined results of the threads of a sweep.
struct Gathered<'s> {
    paths: Paths,
    /// The directories of the next level.
    below: Vec<Directory>,
    batch: Vec<Introduced>,
    /// Receives the entries. `None` while reading the known commits, whose entries are not reported.
    sink: Option<Sink<'s>>,
}

impl Gathered<'_> {
    fn take(&mut self, above: u32, fresh: &mut Vec<Fresh>) -> Result<()> {
        let directory = match self.sink.is_some() {
            true => self.paths.path(above),
            false => Vec::new(),
        };
        for fresh in fresh.drain(..) {
            match fresh.leads {
                Leads::Directory => self.below.push((fresh.id, self.paths.number(above, &fresh.name))),
                Leads::Content(kind) if self.sink.is_some() => self.batch.push(Introduced {
                    entry: TreeEntry {
                        path: RepoPath::new(&joined(&directory, &fresh.name)),
                        kind,
                        id: fresh.id,
                    },
                    commit: None,
                }),
                Leads::Content(_) => {}
            }
        }
        match self.batch.len() < BATCH {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let introduced = std::mem::take(&mut self.batch);
        match &mut self.sink {
            Some(sink) if !introduced.is_empty() => sink(Batch {
                introduced,
                deleted: Vec::new(),
            }),
            _ => Ok(()),
        }
    }
}

/// One sweep over the trees of a repository.
struct Sweep<'a> {
    repo: &'a Repository,
    keys: [RandomState; 2],
    seen: Vec<Mutex<HashSet<[u64; 2]>>>,
    /// Number of known entries that cost as much as one that is judged.
    weight: u64,
}

impl Repository {
    /// Passes to `sink` every entry that one of `trees` has and none of the commits `known` has.
    pub(super) fn sweep(&self, trees: Vec<ObjectId>, known: &[ObjectId], sink: Sink<'_>) -> Result<()> {
        let mut sweep = Sweep {
            repo: self,
            keys: Default::default(),
            seen: (0..SHARDS).map(|_| Mutex::default()).collect(),
            weight: 4,
        };
        let known = sweep.over(roots(self.trees_of(known)?), Paths::new(), None)?;
        sweep.weight = 1;
        sweep.over(roots(trees), known, Some(sink))?;
        Ok(())
    }

    /// Returns, for each entry in `wanted`, the first commit of the walk that has it.
    pub fn introduced_by(
        &self,
        walk: &Walk,
        wanted: &[(RepoPath, ObjectId)],
    ) -> Result<HashMap<(RepoPath, ObjectId), ObjectId>> {
        let mut search = Search {
            repo: self,
            below: HashMap::new(),
            ids: HashMap::new(),
            seen: HashSet::new(),
            found: HashMap::new(),
        };
        for (path, id) in wanted {
            let bytes = path.as_bytes();
            search.ids.entry(path.clone()).or_default().push(*id);
            let mut start = 0;
            while let Some(slash) = bytes[start..].iter().position(|byte| *byte == b'/') {
                let directory = bytes[..start.saturating_sub(1)].to_vec();
                let names = search.below.entry(directory).or_default();
                names.insert(bytes[start..start + slash].to_vec());
                start += slash + 1;
            }
            let directory = bytes[..start.saturating_sub(1)].to_vec();
            search
                .below
                .entry(directory)
                .or_default()
                .insert(bytes[start..].to_vec());
        }
        for step in &walk.steps {
            search.visit(step.tree, &from_gix(&step.id))?;
            if search.found.len() == wanted.len() {
                break;
            }
        }
        Ok(search.found)
    }

    /// Returns every blob that `tip` or one of its ancestors has at the name `name` in its root.
    ///
    /// `in_tree` caches what was found in each tree, across calls.
    pub fn versions_of(
        &self,
        tip: &ObjectId,
        name: &str,
        in_tree: &mut HashMap<ObjectId, Option<ObjectId>>,
    ) -> Result<HashSet<ObjectId>> {
        let commits: Vec<ObjectId> = self.walk(&[*tip], &[])?.commits().collect();
        let all: HashSet<ObjectId> = self.trees_of(&commits)?.into_iter().collect();
        let trees: Vec<ObjectId> = all.iter().filter(|tree| !in_tree.contains_key(tree)).copied().collect();
        let found = workers::map(
            &trees,
            || Ok(()),
            |(), tree| match self.blob_in_tree(tree, name) {
                Ok(blob) => Ok(blob),
                Err(Refusal::NotRegular { .. }) => Ok(None),
                Err(other) => Err(other),
            },
        )?;
        in_tree.extend(trees.into_iter().zip(found));
        Ok(all
            .iter()
            .filter_map(|tree| in_tree.get(tree).copied().flatten())
            .collect())
    }

    /// Returns the trees of commits, in the same order.
    fn trees_of(&self, commits: &[ObjectId]) -> Result<Vec<ObjectId>> {
        let order = self.pack_order(commits);
        let trees = workers::map(
            &order,
            || Ok(self.worker()),
            |repo, job| super::history::tree_of(self, repo, to_gix(&commits[job.index])),
        )?;
        Ok(trees.iter().map(|id| from_gix(id)).collect())
    }
}

/// Returns each distinct tree as a directory at the root.
fn roots(trees: Vec<ObjectId>) -> Vec<Directory> {
    let unique: HashSet<ObjectId> = trees.into_iter().collect();
    unique.into_iter().map(|tree| (tree, TOP)).collect()
}

/// The state of a thread between directories.
struct Worker {
    repo: gix::Repository,
    buffer: Vec<u8>,
    /// For each path number, the bytes of the directory that was read last there.
    previous: HashMap<u32, Vec<u8>>,
    /// Total size of `previous` in bytes.
    previous_bytes: usize,
    fresh: Vec<Fresh>,
}

impl Sweep<'_> {
    /// Reads all directories of `level` and everything below them. Passes new entries to `sink`.
    fn over(&self, mut level: Vec<Directory>, paths: Paths, sink: Option<Sink<'_>>) -> Result<Paths> {
        let gathered = Mutex::new(Gathered {
            paths,
            below: Vec::new(),
            batch: Vec::new(),
            sink,
        });
        for depth in 0.. {
            if level.is_empty() {
                break;
            }
            self.repo.hold(Bound::Depth, depth)?;
            let ids: Vec<ObjectId> = level.iter().map(|(id, _)| *id).collect();
            let order = self.repo.pack_order(&ids);
            drop(ids);
            let missing = Mutex::new(Vec::new());
            workers::map(
                &order,
                || {
                    Ok(Worker {
                        repo: self.repo.worker(),
                        buffer: Vec::new(),
                        previous: HashMap::new(),
                        previous_bytes: 0,
                        fresh: Vec::new(),
                    })
                },
                |worker, job| {
                    let (id, path) = level[job.index];
                    let needs_its_id = Proof::Checksum.needs_the_id(job);
                    if !self.directory(worker, to_gix(&id), path, needs_its_id, &gathered)? {
                        lock(&missing).push(id);
                    }
                    Ok::<_, Refusal>(())
                },
            )?;
            let missing = missing.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(first) = missing.iter().min() {
                return Err(Refusal::MissingObject {
                    count: missing.len() as u64,
                    example: first.to_string(),
                });
            }
            level = std::mem::take(&mut lock(&gathered).below);
        }
        let mut gathered = gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        gathered.flush()?;
        Ok(gathered.paths)
    }

    /// Hands over the entries of a directory that were not seen at its path before. Returns false if this clone does
    /// not have the directory.
    fn directory(
        &self,
        worker: &mut Worker,
        id: gix::ObjectId,
        path: u32,
        needs_its_id: bool,
        gathered: &Mutex<Gathered<'_>>,
    ) -> Result<bool> {
        if !read_tree(self.repo, &worker.repo, id, &mut worker.buffer, needs_its_id)? {
            return Ok(false);
        }
        let width = id.as_bytes().len();
        let previous = worker.previous.get(&path).map_or(&[][..], Vec::as_slice);
        let (mut new, mut old) = (RawEntries::of(&worker.buffer, width), RawEntries::of(previous, width));
        let (mut entries, mut bytes) = (0, 0);
        while new.skip_what_equals(&mut old) {
            let Some(entry) = new.next() else {
                return Err(corrupt_object(id, "it is not a list of entries"));
            };
            // Both lists are sorted by name, or nearly so. A match that is missed here costs only a needless look-up in
            // `seen`.
            while old.peek().is_some_and(|other| other.name < entry.name) {
                old.next();
            }
            let other = old.peek().filter(|other| other.name == entry.name);
            if let Some(other) = other {
                old.next();
                if other.raw == entry.raw {
                    continue;
                }
            }
            let hash = |key: &RandomState| key.hash_one((path, entry.raw));
            let key = [hash(&self.keys[0]), hash(&self.keys[1])];
            if lock(&self.seen[key[0] as usize % SHARDS]).insert(key) {
                let leads = leads(&entry, id)?;
                entries += cost_of(leads);
                bytes += entry.name.len() as u64;
                worker.fresh.push(Fresh {
                    name: entry.name.into(),
                    leads,
                    id: ObjectId::from_bytes(entry.id).expect("an entry has an id as wide as its tree's"),
                });
                if worker.fresh.len() == MAX_FRESH {
                    self.count(std::mem::take(&mut entries), std::mem::take(&mut bytes), path, gathered)?;
                    lock(gathered).take(path, &mut worker.fresh)?;
                }
            }
        }
        if !worker.fresh.is_empty() {
            self.count(entries, bytes, path, gathered)?;
            lock(gathered).take(path, &mut worker.fresh)?;
        }
        worker.keep(path);
        Ok(true)
    }

    /// Counts new entries below a path and the bytes of their paths.
    fn count(&self, entries: u64, names: u64, above: u32, gathered: &Mutex<Gathered<'_>>) -> Result<()> {
        self.repo.spend(Bound::Entries, entries.div_ceil(self.weight))?;
        let gathered = lock(gathered);
        let above = match gathered.sink.is_some() {
            true => gathered.paths.path(above).len() as u64 + 1,
            false => 0,
        };
        drop(gathered);
        self.repo
            .spend(Bound::PathBytes, (names + entries * above) / self.weight)
    }
}

impl Worker {
    /// Keeps the directory just read, to compare it with the next one at the same path.
    fn keep(&mut self, path: u32) {
        self.previous_bytes += self.buffer.len();
        if self.previous_bytes > MAX_PREVIOUS {
            self.previous.clear();
            self.previous_bytes = self.buffer.len();
        }
        let kept = self.previous.entry(path).or_default();
        self.previous_bytes -= kept.len();
        kept.clear();
        kept.extend_from_slice(&self.buffer);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Searches for entries commit by commit, entering only the directories that lead to them.
struct Search<'a> {
    repo: &'a Repository,
    /// For each directory, the names to look at.
    below: HashMap<Vec<u8>, HashSet<Vec<u8>>>,
    /// For each path, the ids to find there.
    ids: HashMap<RepoPath, Vec<ObjectId>>,
    seen: HashSet<(gix::ObjectId, Vec<u8>)>,
    found: HashMap<(RepoPath, ObjectId), ObjectId>,
}

impl Search<'_> {
    fn visit(&mut self, tree: gix::ObjectId, commit: &ObjectId) -> Result<()> {
        let mut waiting = vec![(tree, Vec::new())];
        while let Some((tree, directory)) = waiting.pop() {
            let Some(names) = self.below.get(&directory) else {
                continue;
            };
            if !self.seen.insert((tree, directory.clone())) {
                continue;
            }
            let data = self.repo.tree_bytes(tree)?;
            for entry in RawEntries::of(&data, tree.as_bytes().len()) {
                if !names.contains(entry.name) {
                    continue;
                }
                let path = joined(&directory, entry.name);
                let id = gix::ObjectId::from_bytes_or_panic(entry.id);
                let file = RepoPath::new(&path);
                if self.ids.get(&file).is_some_and(|ids| ids.contains(&from_gix(&id))) {
                    self.found.entry((file, from_gix(&id))).or_insert(*commit);
                } else if entry.leads() == Some(Leads::Directory) {
                    waiting.push((id, path));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_numbered_once_and_read_back() {
        let mut paths = Paths::new();
        let a = paths.number(TOP, b"a");
        let ab = paths.number(a, b"b c");
        let b = paths.number(TOP, b"b c");
        assert_eq!(paths.number(a, b"b c"), ab);
        assert_ne!(ab, b);
        assert_eq!((paths.path(TOP), paths.path(ab)), (b"".to_vec(), b"a/b c".to_vec()));
    }
}
