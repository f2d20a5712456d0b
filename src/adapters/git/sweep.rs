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
use crate::adapters::git::listing::{EntryEnds, Unlike};
use crate::adapters::git::raw_tree::{Leads, check_tree, cost_of, read_tree};
use crate::adapters::git::{Repository, corrupt_object, from_gix, to_gix};
use crate::adapters::workers;
use crate::format::budget::Bound;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::refusal::{Refusal, Result};

/// A thread drops the directories it keeps for comparison when they exceed this many bytes.
const MAX_PREVIOUS: usize = 4 << 20;

/// A thread hands over its new entries when there are this many.
const MAX_FRESH: usize = 1024;

/// Most entries, and most bytes of their names, that are kept before they are handed over. The contents of all of them are
/// read in one go.
const MAX_KEPT: usize = 1 << 16;
const MAX_NAMES: usize = 2 << 20;

const SHARDS: usize = 64;

/// A directory: the id of its tree, and the number of its path.
type Directory = (ObjectId, u32);

/// Directories of one repository, in an order. The ids lie one behind another, each with the bytes that it has.
#[derive(Default)]
struct Directories {
    ids: Vec<u8>,
    paths: Vec<u32>,
}

impl Directories {
    fn push(&mut self, (id, path): Directory) {
        self.ids.extend_from_slice(id.as_bytes());
        self.paths.push(path);
    }

    fn id(&self, at: usize) -> ObjectId {
        let width = self.ids.len() / self.paths.len();
        ObjectId::from_bytes(&self.ids[at * width..][..width]).expect("it is as wide as it was")
    }

    fn get(&self, at: usize) -> Directory {
        (self.id(at), self.paths[at])
    }
}

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

/// An entry that leads to content, until it is handed over.
struct Kept {
    /// The number of its directory.
    above: u32,
    /// Where its name ends in the names of all entries.
    end: usize,
    kind: EntryKind,
    id: ObjectId,
}

/// The combined results of the threads of a sweep.
struct Gathered<'s> {
    paths: Paths,
    /// The directories of the next level.
    below: Directories,
    kept: Vec<Kept>,
    names: Vec<u8>,
    /// Receives the entries. `None` while reading the known commits, whose entries are not reported.
    sink: Option<Sink<'s>>,
}

impl Gathered<'_> {
    fn take(&mut self, above: u32, fresh: &mut Vec<Fresh>) -> Result<()> {
        for fresh in fresh.drain(..) {
            match fresh.leads {
                Leads::Directory => self.below.push((fresh.id, self.paths.number(above, &fresh.name))),
                Leads::Content(kind) if self.sink.is_some() => {
                    self.names.extend_from_slice(&fresh.name);
                    self.kept.push(Kept {
                        above,
                        end: self.names.len(),
                        kind,
                        id: fresh.id,
                    });
                }
                Leads::Content(_) => {}
            }
        }
        match self.kept.len() < MAX_KEPT && self.names.len() < MAX_NAMES {
            true => Ok(()),
            false => self.flush(),
        }
    }

    /// Hands over all entries that are kept.
    fn flush(&mut self) -> Result<()> {
        let (kept, names) = (std::mem::take(&mut self.kept), std::mem::take(&mut self.names));
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let contents = kept.iter().filter(|entry| entry.kind != EntryKind::Submodule);
        let mut ahead: Vec<ObjectId> = contents.map(|entry| entry.id).collect();
        ahead.sort_unstable();
        ahead.dedup();
        let mut start = 0;
        for entries in kept.chunks(BATCH) {
            let introduced = entries.iter().map(|entry| {
                let name = &names[std::mem::replace(&mut start, entry.end)..entry.end];
                Introduced {
                    entry: TreeEntry {
                        path: RepoPath::new(&joined(&self.paths.path(entry.above), name)),
                        kind: entry.kind,
                        id: entry.id,
                    },
                    commit: None,
                }
            });
            sink(Batch {
                introduced: introduced.collect(),
                deleted: Vec::new(),
                ahead: std::mem::take(&mut ahead),
            })?;
        }
        Ok(())
    }
}

/// One sweep over the trees of a repository.
struct Sweep<'a> {
    repo: &'a Repository,
    keys: [RandomState; 2],
    /// Keyed hashes of the entries at their paths.
    seen: Vec<Mutex<HashSet<[u32; 3]>>>,
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
        let known = sweep.over(roots(self.trees_of(known)?), Paths::new(), None)?.paths;
        sweep.weight = 1;
        let mut gathered = sweep.over(roots(trees), known, Some(sink))?;
        // Judging takes memory, too.
        drop(sweep);
        gathered.flush()
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
            |repo, job| super::history::tree_of(self, repo, to_gix(&commits[job.index()])),
        )?;
        Ok(trees.iter().map(|id| from_gix(id)).collect())
    }
}

/// Returns each distinct tree as a directory at the root.
fn roots(mut trees: Vec<ObjectId>) -> Directories {
    trees.sort_unstable();
    trees.dedup();
    let mut roots = Directories::default();
    trees.into_iter().for_each(|tree| roots.push((tree, TOP)));
    roots
}

/// The state of a thread between directories.
struct Worker {
    repo: gix::Repository,
    buffer: Vec<u8>,
    /// For each path number, the directory that was read last there of those that are not made of another one.
    previous: HashMap<u32, (Vec<u8>, EntryEnds)>,
    /// Total size of `previous` in bytes.
    previous_bytes: usize,
    fresh: Vec<Fresh>,
}

/// What is noted of a directory for those that are made of it.
#[derive(Default)]
struct Listing {
    /// The number of the path at which all its entries were seen.
    path: u32,
    /// Where they end. None if they were not seen.
    ends: EntryEnds,
}

impl Sweep<'_> {
    /// Reads all directories of `level` and everything below them. Passes new entries to `sink`, all but the last ones.
    fn over<'s>(&self, mut level: Directories, paths: Paths, sink: Option<Sink<'s>>) -> Result<Gathered<'s>> {
        let gathered = Mutex::new(Gathered {
            paths,
            below: Directories::default(),
            kept: Vec::new(),
            names: Vec::new(),
            sink,
        });
        for depth in 0.. {
            if level.paths.is_empty() {
                break;
            }
            self.repo.hold(Bound::Depth, depth)?;
            let ids = (0..level.paths.len()).map(|at| level.id(at));
            let order = self.repo.pack_order_of(ids);
            let missing = Mutex::new(Vec::new());
            self.repo.by_families(
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
                |worker, job, packed| {
                    let directory = level.get(job.index());
                    let needs_its_id = Proof::Checksum.needs_the_id(job);
                    let tree = to_gix(&directory.0);
                    if let Some(object) = packed {
                        check_tree(self.repo, tree, object.kind, object.bytes, needs_its_id)?;
                        let listing = self.directory(worker, directory, object.bytes, object.base, &gathered)?;
                        return Ok(((), listing));
                    }
                    let mut buffer = std::mem::take(&mut worker.buffer);
                    match read_tree(self.repo, &worker.repo, tree, &mut buffer, needs_its_id)? {
                        true => drop(self.directory(worker, directory, &buffer, None, &gathered)?),
                        false => lock(&missing).push(directory.0),
                    }
                    worker.buffer = buffer;
                    Ok(((), Listing::default()))
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
        Ok(gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Hands over the entries of a directory that were not seen at its path before.
    fn directory(
        &self,
        worker: &mut Worker,
        (id, path): Directory,
        bytes: &[u8],
        base: Option<(&[u8], &Listing)>,
        gathered: &Mutex<Gathered<'_>>,
    ) -> Result<Listing> {
        let id = to_gix(&id);
        let known = match base.filter(|(_, listing)| listing.path == path) {
            Some((bytes, listing)) => (bytes, &listing.ends[..]),
            None => worker
                .previous
                .get(&path)
                .map_or((&[][..], &[][..]), |(bytes, ends)| (bytes, ends)),
        };
        let mut unlike = Unlike::of(bytes, known, id.as_bytes().len());
        let (mut entries, mut names) = (0, 0);
        let not_entries = |_| corrupt_object(id, "it is not a list of entries");
        while let Some(entry) = unlike.next().map_err(not_entries)? {
            let hash = |key: &RandomState| key.hash_one((path, entry.raw));
            let (first, second) = (hash(&self.keys[0]), hash(&self.keys[1]));
            let key = [first as u32, (first >> 32) as u32, second as u32];
            if lock(&self.seen[key[0] as usize % SHARDS]).insert(key) {
                let leads = leads(&entry, id)?;
                entries += cost_of(leads);
                names += entry.name.len() as u64;
                worker.fresh.push(Fresh {
                    name: entry.name.into(),
                    leads,
                    id: ObjectId::from_bytes(entry.id).expect("an entry has an id as wide as its tree's"),
                });
                if worker.fresh.len() == MAX_FRESH {
                    self.count(std::mem::take(&mut entries), std::mem::take(&mut names), path, gathered)?;
                    lock(gathered).take(path, &mut worker.fresh)?;
                }
            }
        }
        if !worker.fresh.is_empty() {
            self.count(entries, names, path, gathered)?;
            lock(gathered).take(path, &mut worker.fresh)?;
        }
        let ends = unlike.ends();
        if base.is_none() {
            worker.keep(path, bytes, &ends);
        }
        Ok(Listing { path, ends })
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
    fn keep(&mut self, path: u32, bytes: &[u8], ends: &[u32]) {
        let size = |bytes: &[u8], ends: &[u32]| bytes.len() + size_of_val(ends);
        self.previous_bytes += size(bytes, ends);
        if self.previous_bytes > MAX_PREVIOUS {
            self.previous.clear();
            self.previous_bytes = size(bytes, ends);
        }
        let (kept, kept_ends) = self.previous.entry(path).or_default();
        self.previous_bytes -= size(kept, kept_ends);
        kept.clear();
        kept.extend_from_slice(bytes);
        kept_ends.clear();
        kept_ends.extend_from_slice(ends);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
