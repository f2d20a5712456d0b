//! Sweeps: every entry that any of many commits has, each directory read once and in the order of the packs.
//!
//! Comparing each commit with its parents reads what they share over and over. A sweep reads the directories level by
//! level, whole history at a time, and does not say which commit an entry came with; that is looked up for the few that
//! somebody asks about.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;

use gix::objs::Find as _;
use gix::objs::tree::EntryMode;

use crate::adapters::git::blobs::Proof;
use crate::adapters::git::history::Walk;
use crate::adapters::git::tree::entry_kind;
use crate::adapters::git::{Repository, corrupt_object, ensure_intact, from_gix, object_error, to_gix};
use crate::adapters::workers;
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::TreeEntry;

/// A thread forgets the directories that it compares with when it has so many.
const MAX_PREVIOUS: usize = 4096;

/// Directories nest at most this deep; git itself refuses to go further.
const MAX_DEPTH: usize = 2048;

const SHARDS: usize = 64;

/// A directory: its tree, and the index of its path.
type Directory = (ObjectId, u32);

/// An entry that no directory of that path had before.
struct Fresh {
    path: u32,
    name: Vec<u8>,
    mode: EntryMode,
    id: gix::ObjectId,
}

/// One sweep over the trees of a repository.
struct Sweep<'a> {
    repo: &'a Repository,
    keys: [RandomState; 2],
    seen: Vec<Mutex<HashSet<[u64; 2]>>>,
    paths: Vec<RepoPath>,
    places: HashMap<RepoPath, u32>,
}

impl Repository {
    /// Returns every entry that one of `trees` has and none of the commits `known`, sorted by path and id.
    pub(super) fn sweep(&self, trees: Vec<ObjectId>, known: &[ObjectId]) -> Result<Vec<TreeEntry>> {
        let mut sweep = Sweep {
            repo: self,
            keys: Default::default(),
            seen: (0..SHARDS).map(|_| Mutex::default()).collect(),
            paths: vec![RepoPath::new(b"")],
            places: HashMap::new(),
        };
        sweep.over(roots(self.trees_of(known)?))?;
        let mut entries = sweep.over(roots(trees))?;
        entries.sort_unstable_by(|a, b| (&a.path, a.id).cmp(&(&b.path, b.id)));
        Ok(entries)
    }

    /// Returns, for each of `wanted`, the first commit of the walk that has it.
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
        for commit in walk.commits() {
            let tree = self.commit_tree(&commit)?;
            search.visit(to_gix(&tree), Vec::new(), &commit)?;
            if search.found.len() == wanted.len() {
                break;
            }
        }
        Ok(search.found)
    }

    /// Returns the trees of commits.
    /// Returns every blob that a commit, or one below it, has under a name at its top.
    pub fn versions_of(&self, tip: &ObjectId, name: &str) -> Result<HashSet<ObjectId>> {
        let commits: Vec<ObjectId> = self.walk(&[*tip], &[])?.commits().collect();
        let trees: HashSet<ObjectId> = self.trees_of(&commits)?.into_iter().collect();
        let trees: Vec<ObjectId> = trees.into_iter().collect();
        let found = workers::map(
            &trees,
            || Ok(self.worker()),
            |repo, tree| {
                let id = to_gix(tree);
                let tree = repo.find_tree(id).map_err(|e| object_error(id, &e))?;
                let entry = tree
                    .iter()
                    .filter_map(|entry| entry.ok())
                    .find(|entry| entry.filename() == name);
                Ok(entry.map(|entry| from_gix(&entry.object_id())))
            },
        )?;
        Ok(found.into_iter().flatten().collect())
    }

    pub(super) fn trees_of(&self, commits: &[ObjectId]) -> Result<Vec<ObjectId>> {
        let order = self.pack_order(commits);
        let trees = workers::map(
            &order,
            || Ok(self.worker()),
            |repo, job| super::history::tree_of(repo, to_gix(&commits[job.index])),
        )?;
        Ok(trees.iter().map(|id| from_gix(id)).collect())
    }
}

/// Makes each tree once a directory at the top.
fn roots(trees: Vec<ObjectId>) -> Vec<Directory> {
    let unique: HashSet<ObjectId> = trees.into_iter().collect();
    unique.into_iter().map(|tree| (tree, 0)).collect()
}

/// What a thread keeps between directories.
struct Worker {
    repo: gix::Repository,
    buffer: Vec<u8>,
    /// The directory of each path that was read last.
    previous: HashMap<u32, Vec<u8>>,
}

impl Sweep<'_> {
    /// Reads all of `level` and whatever lies below, and returns the entries that are new.
    fn over(&mut self, mut level: Vec<Directory>) -> Result<Vec<TreeEntry>> {
        let mut entries = Vec::new();
        for depth in 0.. {
            if level.is_empty() {
                break;
            }
            if depth > MAX_DEPTH {
                return Err(corrupt_object(to_gix(&level[0].0), "trees nest too deep"));
            }
            let ids: Vec<ObjectId> = level.iter().map(|(id, _)| *id).collect();
            let order = self.repo.pack_order(&ids);
            let missing = Mutex::new(Vec::new());
            let fresh = workers::map(
                &order,
                || {
                    Ok(Worker {
                        repo: self.repo.worker(),
                        buffer: Vec::new(),
                        previous: HashMap::new(),
                    })
                },
                |worker, job| {
                    let (id, path) = &level[job.index];
                    let fresh = self.directory(worker, to_gix(id), *path, job.needs_its_id(Proof::Checksum))?;
                    if fresh.is_none() {
                        missing
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .push(*id);
                    }
                    Ok(fresh.unwrap_or_default())
                },
            )?;
            let missing = missing.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(first) = missing.iter().min() {
                return Err(Refusal::MissingObject {
                    count: missing.len() as u64,
                    example: first.to_string(),
                });
            }
            level = Vec::new();
            for fresh in fresh.into_iter().flatten() {
                let directory = self.paths[fresh.path as usize].as_bytes();
                let path = match directory {
                    b"" => RepoPath::new(&fresh.name),
                    directory => RepoPath::new(&[directory, b"/", &fresh.name].concat()),
                };
                let id = from_gix(&fresh.id);
                match entry_kind(fresh.mode.kind()) {
                    Some(kind) => entries.push(TreeEntry { path, kind, id }),
                    None => level.push((id, self.place(path))),
                }
            }
        }
        Ok(entries)
    }

    fn place(&mut self, path: RepoPath) -> u32 {
        if let Some(place) = self.places.get(&path) {
            return *place;
        }
        let place = self.paths.len() as u32;
        self.paths.push(path.clone());
        self.places.insert(path, place);
        place
    }

    /// Returns the entries of a directory that none of that path had before; none if it is not in this clone.
    fn directory(
        &self,
        worker: &mut Worker,
        id: gix::ObjectId,
        path: u32,
        needs_its_id: bool,
    ) -> Result<Option<Vec<Fresh>>> {
        let data = match worker.repo.objects.try_find(&id, &mut worker.buffer) {
            Ok(Some(data)) => data,
            Ok(None) => return Ok(None),
            Err(e) => return Err(object_error(id, &e)),
        };
        if data.kind != gix::object::Kind::Tree {
            return Err(corrupt_object(id, "it is not a tree"));
        }
        if needs_its_id {
            ensure_intact(id, "tree", data.data)?;
        }
        let width = id.as_bytes().len();
        let previous = worker.previous.get(&path).map_or(&[][..], Vec::as_slice);
        let (mut new, mut old) = (Entries::of(data.data, width), Entries::of(previous, width));
        let mut fresh = Vec::new();
        while new.skip_what_equals(&mut old) {
            let Some(entry) = new.next() else {
                return Err(corrupt_object(id, "it is not a list of entries"));
            };
            // Both are sorted, by names at least nearly so; an entry that is missed here is only looked up in vain.
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
            let mode = EntryMode::from_bytes(entry.mode).ok_or_else(|| corrupt_object(id, "an entry has no mode"))?;
            let hash = |key: &RandomState| key.hash_one((path, entry.raw));
            let key = [hash(&self.keys[0]), hash(&self.keys[1])];
            let shard = &self.seen[key[0] as usize % SHARDS];
            if shard
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .insert(key)
            {
                fresh.push(Fresh {
                    path,
                    name: entry.name.to_vec(),
                    mode,
                    id: gix::ObjectId::from_bytes_or_panic(entry.id),
                });
            }
        }
        if worker.previous.len() > MAX_PREVIOUS {
            worker.previous.clear();
        }
        let kept = worker.previous.entry(path).or_default();
        kept.clear();
        kept.extend_from_slice(data.data);
        Ok(Some(fresh))
    }
}

/// The entries of a tree's bytes.
struct Entries<'a> {
    rest: &'a [u8],
    width: usize,
}

/// Returns how many bytes both begin with.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK));
    let start = blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    let rest = a[start..].iter().zip(&b[start..]);
    start + rest.take_while(|(a, b)| a == b).count()
}

struct Entry<'a> {
    raw: &'a [u8],
    mode: &'a [u8],
    name: &'a [u8],
    id: &'a [u8],
}

impl<'a> Entries<'a> {
    fn of(bytes: &'a [u8], width: usize) -> Self {
        Self { rest: bytes, width }
    }

    /// Passes over the entries that both begin with; returns whether anything is left to be looked at.
    fn skip_what_equals(&mut self, other: &mut Entries<'a>) -> bool {
        let mut equal = common_prefix(self.rest, other.rest);
        if equal == self.rest.len() && equal == other.rest.len() {
            return false;
        }
        while let Some(entry) = self.peek().filter(|entry| entry.raw.len() <= equal) {
            equal -= entry.raw.len();
            self.rest = &self.rest[entry.raw.len()..];
            other.rest = &other.rest[entry.raw.len()..];
        }
        !self.rest.is_empty()
    }

    fn peek(&self) -> Option<Entry<'a>> {
        Self {
            rest: self.rest,
            width: self.width,
        }
        .next()
    }

    fn next(&mut self) -> Option<Entry<'a>> {
        let space = self.rest.iter().take(8).position(|byte| *byte == b' ')?;
        let end = space + 1 + memchr::memchr(0, &self.rest[space + 1..])?;
        let length = end + 1 + self.width;
        let raw = self.rest.get(..length)?;
        self.rest = &self.rest[length..];
        Some(Entry {
            raw,
            mode: &raw[..space],
            name: &raw[space + 1..end],
            id: &raw[end + 1..],
        })
    }
}

/// Looks for entries, commit by commit, and only below the directories that lead to them.
struct Search<'a> {
    repo: &'a Repository,
    /// The names that are of interest in a directory.
    below: HashMap<Vec<u8>, HashSet<Vec<u8>>>,
    /// The ids that are looked for under a path.
    ids: HashMap<RepoPath, Vec<ObjectId>>,
    seen: HashSet<(gix::ObjectId, Vec<u8>)>,
    found: HashMap<(RepoPath, ObjectId), ObjectId>,
}

impl Search<'_> {
    fn visit(&mut self, tree: gix::ObjectId, directory: Vec<u8>, commit: &ObjectId) -> Result<()> {
        let Some(names) = self.below.get(&directory).cloned() else {
            return Ok(());
        };
        if !self.seen.insert((tree, directory.clone())) {
            return Ok(());
        }
        let data = self.repo.tree_bytes(tree)?;
        let mut entries = Entries::of(&data, tree.as_bytes().len());
        while let Some(entry) = entries.next() {
            if !names.contains(entry.name) {
                continue;
            }
            let path = match directory.is_empty() {
                true => entry.name.to_vec(),
                false => [&directory[..], b"/", entry.name].concat(),
            };
            let id = gix::ObjectId::from_bytes_or_panic(entry.id);
            let path_of_file = RepoPath::new(&path);
            if self
                .ids
                .get(&path_of_file)
                .is_some_and(|ids| ids.contains(&from_gix(&id)))
            {
                self.found.entry((path_of_file, from_gix(&id))).or_insert(*commit);
            } else if EntryMode::from_bytes(entry.mode).is_some_and(|mode| mode.is_tree()) {
                self.visit(id, path, commit)?;
            }
        }
        Ok(())
    }
}
