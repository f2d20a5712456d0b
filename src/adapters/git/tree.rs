//! Lists the entries of a commit's tree from the object database.

use std::collections::{HashMap, HashSet};

use gix::objs::tree::EntryKind as GitKind;

use crate::adapters::git::raw_tree::{Leads, RawEntries, RawEntry, read_tree};
use crate::adapters::git::tree_order::ensure_as_git_writes_it;
use crate::adapters::git::{Repository, corrupt_object, to_gix};
use crate::format::budget::Bound;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::refusal::{Refusal, Result};

impl Repository {
    /// Returns all entries of a tree, recursively, except for trees, sorted bytewise by path.
    pub fn tree_entries(&self, tree: &ObjectId) -> Result<Vec<TreeEntry>> {
        let mut entries = Vec::new();
        self.walk_tree(tree, |path, kind, id| {
            entries.push(TreeEntry {
                path: RepoPath::new(path),
                kind,
                id,
            });
        })?;
        Ok(entries)
    }

    /// Returns all blobs of a tree, recursively, sorted and without duplicates.
    pub fn tree_blobs(&self, tree: &ObjectId) -> Result<Vec<ObjectId>> {
        let mut blobs = Vec::new();
        self.walk_tree(tree, |_, kind, id| {
            if kind != EntryKind::Submodule {
                blobs.push(id);
            }
        })?;
        blobs.sort_unstable();
        blobs.dedup();
        Ok(blobs)
    }

    /// Calls `each` for all entries of a tree, recursively, except for trees.
    pub fn walk_tree(&self, tree: &ObjectId, each: impl FnMut(&[u8], EntryKind, ObjectId)) -> Result<()> {
        let repo = self.local();
        let mut walk = Walk {
            repository: self,
            repo: &repo,
            path: Vec::new(),
            frames: Vec::new(),
            held: 0,
            each,
            missing: Vec::new(),
        };
        walk.enter(to_gix(tree))?;
        walk.run()?;
        match walk.missing.first() {
            None => Ok(()),
            Some(first) => Err(Refusal::MissingObject {
                count: walk.missing.len() as u64,
                example: first.to_string(),
            }),
        }
    }

    /// Returns every file of `trees` whose name `wanted` accepts, without duplicates.
    ///
    /// Searches a directory once, even if it occurs in several trees or at several paths.
    pub fn files_named(&self, trees: &[ObjectId], wanted: &dyn Fn(&[u8]) -> bool) -> Result<Vec<TreeEntry>> {
        let mut search = NameSearch {
            repository: self,
            wanted,
            below: HashMap::new(),
            told: HashSet::new(),
            found: Vec::new(),
        };
        for tree in trees {
            if search.holds(tree, 0)? {
                search.tell(tree, b"")?;
            }
        }
        Ok(search.found)
    }

    /// Returns the bytes of a tree.
    pub(super) fn tree_bytes(&self, id: gix::ObjectId) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match read_tree(self, &self.local(), id, &mut bytes, true)? {
            true => Ok(bytes),
            false => Err(Refusal::MissingObject {
                count: 1,
                example: id.to_string(),
            }),
        }
    }

    /// Returns the kind and the id of the object at a path in a tree. `None` if the path does not exist.
    fn at_path(&self, tree: &ObjectId, path: &[u8]) -> Result<Option<(Leads, ObjectId)>> {
        let mut at = (Leads::Directory, *tree);
        for name in path.split(|byte| *byte == b'/') {
            if at.0 != Leads::Directory {
                return Ok(None);
            }
            let id = to_gix(&at.1);
            let bytes = self.tree_bytes(id)?;
            // If a name occurs twice, the first entry counts, as in git.
            let found = RawEntries::of(&bytes, at.1.as_bytes().len()).find(|entry| entry.name == name);
            let Some(entry) = found else { return Ok(None) };
            at = (super::changes::leads(&entry, id)?, id_of(&entry));
        }
        Ok(Some(at))
    }

    /// Returns the blob of the regular file at `path` in a tree. `None` if the path does not exist.
    pub fn blob_in_tree(&self, tree: &ObjectId, path: &str) -> Result<Option<ObjectId>> {
        let Some((leads, id)) = self.at_path(tree, path.as_bytes())? else {
            return Ok(None);
        };
        let kind = match leads {
            Leads::Content(EntryKind::Regular | EntryKind::Executable) => return Ok(Some(id)),
            Leads::Content(EntryKind::Symlink) => "a symbolic link",
            Leads::Content(EntryKind::Submodule) => "a submodule",
            Leads::Directory => "a directory",
        };
        Err(Refusal::NotRegular {
            path: path.into(),
            kind,
        })
    }

    /// Returns the content of the regular file at `path` in a tree, of at most `max` bytes. `None` if the path does not
    /// exist.
    pub fn file_in_tree(&self, tree: &ObjectId, path: &str, max: u64) -> Result<Option<Vec<u8>>> {
        match self.blob_in_tree(tree, path)? {
            Some(id) => self.document(&id, path, max).map(Some),
            None => Ok(None),
        }
    }
}

/// Searches for files by name in trees that have most of their directories in common.
struct NameSearch<'a> {
    repository: &'a Repository,
    wanted: &'a dyn Fn(&[u8]) -> bool,
    /// For each tree, whether it or a tree below it has such a file.
    below: HashMap<ObjectId, bool>,
    told: HashSet<(Vec<u8>, ObjectId)>,
    found: Vec<TreeEntry>,
}

impl NameSearch<'_> {
    fn holds(&mut self, tree: &ObjectId, depth: u64) -> Result<bool> {
        if let Some(holds) = self.below.get(tree) {
            return Ok(*holds);
        }
        self.repository.hold(Bound::Depth, depth)?;
        let bytes = self.repository.tree_bytes(to_gix(tree))?;
        let mut holds = false;
        for entry in RawEntries::of(&bytes, tree.as_bytes().len()) {
            holds |= match entry.leads() {
                Some(Leads::Content(kind)) => is_file(kind) && (self.wanted)(entry.name),
                Some(Leads::Directory) => self.holds(&id_of(&entry), depth + 1)?,
                None => false,
            };
        }
        self.below.insert(*tree, holds);
        Ok(holds)
    }

    fn tell(&mut self, tree: &ObjectId, path: &[u8]) -> Result<()> {
        if !self.told.insert((path.to_vec(), *tree)) {
            return Ok(());
        }
        let bytes = self.repository.tree_bytes(to_gix(tree))?;
        for entry in RawEntries::of(&bytes, tree.as_bytes().len()) {
            let id = id_of(&entry);
            match entry.leads() {
                Some(Leads::Content(kind)) if is_file(kind) && (self.wanted)(entry.name) => {
                    let path = super::changes::joined(path, entry.name);
                    self.repository.spend(Bound::Entries, 1)?;
                    self.repository.spend(Bound::PathBytes, path.len() as u64)?;
                    let path = RepoPath::new(&path);
                    self.found.push(TreeEntry { path, kind, id });
                }
                Some(Leads::Directory) if self.below.get(&id) == Some(&true) => {
                    self.repository.spend(Bound::Entries, 4)?;
                    self.tell(&id, &super::changes::joined(path, entry.name))?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_file(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::Regular | EntryKind::Executable)
}

/// A tree that is being walked.
struct Frame {
    bytes: Vec<u8>,
    /// Number of bytes of the tree already walked.
    done: usize,
    /// Length of the tree's path in bytes.
    path: usize,
}

struct Walk<'a, F> {
    repository: &'a Repository,
    repo: &'a gix::Repository,
    path: Vec<u8>,
    frames: Vec<Frame>,
    /// Total size in bytes of the trees being walked.
    held: usize,
    each: F,
    missing: Vec<gix::ObjectId>,
}

impl<F: FnMut(&[u8], EntryKind, ObjectId)> Walk<'_, F> {
    /// Reads the tree at the current path.
    fn enter(&mut self, id: gix::ObjectId) -> Result<()> {
        self.repository.hold(Bound::Depth, self.frames.len() as u64)?;
        let mut bytes = Vec::new();
        if !read_tree(self.repository, self.repo, id, &mut bytes, true)? {
            self.missing.push(id);
            return Ok(());
        }
        let Some(entries) = RawEntries::of(&bytes, id.as_bytes().len()).all() else {
            return Err(corrupt_object(id, "it is not a list of entries"));
        };
        ensure_as_git_writes_it(id, &entries)?;
        self.held += bytes.len();
        self.repository.hold(Bound::ObjectBytes, self.held as u64)?;
        self.repository.spend(Bound::Entries, entries.len() as u64)?;
        let names = bytes.len() + self.path.len() * entries.len();
        self.repository.spend(Bound::PathBytes, names as u64)?;
        drop(entries);
        self.frames.push(Frame {
            bytes,
            done: 0,
            path: self.path.len(),
        });
        Ok(())
    }

    fn run(&mut self) -> Result<()> {
        while let Some(frame) = self.frames.last_mut() {
            self.path.truncate(frame.path);
            let width = self.repo.object_hash().len_in_bytes();
            let Some(entry) = RawEntries::of(&frame.bytes[frame.done..], width).next() else {
                self.held -= frame.bytes.len();
                self.frames.pop();
                continue;
            };
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(entry.name);
            let (leads, id, length) = (entry.leads(), id_of(&entry), entry.raw.len());
            frame.done += length;
            match leads {
                Some(Leads::Content(kind)) => (self.each)(&self.path, kind, id),
                Some(Leads::Directory) => self.enter(to_gix(&id))?,
                None => {}
            }
        }
        Ok(())
    }
}

pub(super) fn id_of(entry: &RawEntry<'_>) -> ObjectId {
    ObjectId::from_bytes(entry.id).expect("an entry has an id as wide as its tree's")
}

/// Returns the kind of an entry. `None` if it is a tree.
pub(super) fn entry_kind(kind: GitKind) -> Option<EntryKind> {
    Some(match kind {
        GitKind::Tree => return None,
        GitKind::Blob => EntryKind::Regular,
        GitKind::BlobExecutable => EntryKind::Executable,
        GitKind::Link => EntryKind::Symlink,
        GitKind::Commit => EntryKind::Submodule,
    })
}
