//! The entries of a commit's tree, from the object database alone.

use std::cmp::Ordering;

use gix::objs::TreeRefIter;
use gix::objs::tree::{EntryKind as GitKind, EntryRef};
use gix::prelude::ObjectIdExt;

use crate::adapters::git::{Repository, corrupt_object, ensure_intact, from_gix, object_error, to_gix};
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_path::{RepoPath, shown};
use crate::format::repo_state::{EntryKind, TreeEntry};

/// Trees nest at most this deep; git itself refuses to go further.
const MAX_DEPTH: usize = 2048;

impl Repository {
    /// Returns every entry of a tree that is not itself a tree, sorted bytewise by path.
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

    /// Returns every blob of a tree, sorted, each once.
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

    fn walk_tree(&self, tree: &ObjectId, each: impl FnMut(&[u8], EntryKind, ObjectId)) -> Result<()> {
        let repo = self.local();
        let mut walk = Walk {
            repo: &repo,
            path: Vec::new(),
            each,
            missing: Vec::new(),
        };
        walk.tree(to_gix(tree), 0)?;
        match walk.missing.first() {
            None => Ok(()),
            Some(first) => Err(Refusal::MissingObject {
                count: walk.missing.len() as u64,
                example: first.to_string(),
            }),
        }
    }

    /// Returns every file of a tree whose name `wanted` takes; sorted bytewise by path.
    pub fn files_named(&self, tree: &ObjectId, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<TreeEntry>> {
        let mut entries = Vec::new();
        self.walk_tree(tree, |path, kind, id| {
            if matches!(kind, EntryKind::Regular | EntryKind::Executable) && wanted(path) {
                entries.push(TreeEntry {
                    path: RepoPath::new(path),
                    kind,
                    id,
                });
            }
        })?;
        Ok(entries)
    }

    /// Returns the files that stand right in the directory `path` of a tree; nothing if there is no such directory.
    pub fn files_in_directory(&self, tree: &ObjectId, path: &[u8]) -> Result<Vec<TreeEntry>> {
        let Some(directory) = self.directory_in_tree(tree, path)? else {
            return Ok(Vec::new());
        };
        let bytes = self.tree_bytes(to_gix(&directory))?;
        let id = to_gix(&directory);
        let mut entries = Vec::new();
        for entry in TreeRefIter::from_bytes(&bytes, id.kind()) {
            let entry = entry.map_err(|e| corrupt_object(id, &e.to_string()))?;
            if let Some(kind) = entry_kind(entry.mode.kind()) {
                let separator: &[u8] = if path.is_empty() { b"" } else { b"/" };
                entries.push(TreeEntry {
                    path: RepoPath::new(&[path, separator, entry.filename].concat()),
                    kind,
                    id: from_gix(entry.oid),
                });
            }
        }
        Ok(entries)
    }

    /// Returns the id of a commit's tree.
    pub(super) fn commit_tree(&self, commit: &ObjectId) -> Result<ObjectId> {
        super::history::tree_of(&self.local(), to_gix(commit)).map(|id| from_gix(&id))
    }

    /// Returns the bytes of a tree.
    pub(super) fn tree_bytes(&self, id: gix::ObjectId) -> Result<Vec<u8>> {
        let repo = self.local();
        let tree = repo.find_tree(id).map_err(|e| object_error(id, &e))?;
        ensure_intact(id, "tree", &tree.data)?;
        Ok(tree.detach().data)
    }

    /// Returns the id of the tree at the directory `path` in a tree, itself for the empty path; none if there is none.
    pub fn directory_in_tree(&self, tree: &ObjectId, path: &[u8]) -> Result<Option<ObjectId>> {
        if path.is_empty() {
            return Ok(Some(*tree));
        }
        let repo = self.local();
        let id = to_gix(tree);
        let root = repo.find_tree(id).map_err(|e| object_error(id, &e))?;
        let segments = path.split(|byte| *byte == b'/');
        let entry = root.lookup_entry(segments).map_err(|e| object_error(id, &e))?;
        Ok(entry
            .filter(|entry| entry.mode().is_tree())
            .map(|entry| from_gix(&entry.object_id())))
    }

    /// Returns the bytes of the regular file at `path` in a tree; none if there is nothing.
    pub fn file_in_tree(&self, tree: &ObjectId, path: &str) -> Result<Option<Vec<u8>>> {
        let repo = self.local();
        let id = to_gix(tree);
        let root = repo.find_tree(id).map_err(|e| object_error(id, &e))?;
        let entry = root.lookup_entry(path.split('/')).map_err(|e| object_error(id, &e))?;
        let Some(entry) = entry else { return Ok(None) };
        let kind = match entry.mode().kind() {
            GitKind::Blob | GitKind::BlobExecutable => {
                let id = entry.object_id();
                let blob = id.attach(&repo).object().map_err(|e| object_error(id, &e))?;
                ensure_intact(id, "blob", &blob.data)?;
                return Ok(Some(blob.detach().data));
            }
            GitKind::Link => "a symbolic link",
            GitKind::Tree => "a directory",
            GitKind::Commit => "a submodule",
        };
        Err(Refusal::NotRegular {
            path: path.into(),
            kind,
        })
    }
}

struct Walk<'a, F> {
    repo: &'a gix::Repository,
    path: Vec<u8>,
    each: F,
    missing: Vec<gix::ObjectId>,
}

impl<F: FnMut(&[u8], EntryKind, ObjectId)> Walk<'_, F> {
    fn tree(&mut self, id: gix::ObjectId, depth: usize) -> Result<()> {
        use gix::objs::Find;
        if depth > MAX_DEPTH {
            return Err(corrupt_object(id, "trees nest too deep"));
        }
        if id == gix::ObjectId::empty_tree(id.kind()) {
            // Git knows it without having it.
            return Ok(());
        }
        let mut buffer = Vec::new();
        let data = match self.repo.objects.try_find(&id, &mut buffer) {
            Ok(Some(data)) => data,
            Ok(None) => {
                self.missing.push(id);
                return Ok(());
            }
            Err(e) => return Err(object_error(id, &e)),
        };
        if data.kind != gix::object::Kind::Tree {
            return Err(corrupt_object(id, "it is not a tree"));
        }
        ensure_intact(id, "tree", data.data)?;
        let mut order = TreeOrder::default();
        for entry in TreeRefIter::from_bytes(data.data, id.kind()) {
            let entry = entry.map_err(|e| corrupt_object(id, &e.to_string()))?;
            order.next(&entry).map_err(|why| corrupt_object(id, &why))?;
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(entry.filename);
            match entry_kind(entry.mode.kind()) {
                Some(kind) => (self.each)(&self.path, kind, from_gix(entry.oid)),
                None => self.tree(entry.oid.to_owned(), depth + 1)?,
            }
            self.path.truncate(length);
        }
        Ok(())
    }
}

/// Holds the entries of a tree against what git makes of one: each name once, fit for a path, and in order. From any other
/// tree, two readers could make two lists of files.
#[derive(Default)]
struct TreeOrder<'a> {
    previous: Option<EntryRef<'a>>,
    /// The names, not of trees, that the last one begins with: each continues the one before it.
    begun: Vec<&'a [u8]>,
}

impl<'a> TreeOrder<'a> {
    fn next(&mut self, entry: &EntryRef<'a>) -> Result<(), String> {
        let name: &[u8] = entry.filename;
        let say = |what: &str| Err(format!("its entry {} {what}", shown(name)));
        if name.is_empty() {
            return Err("one of its entries has no name".into());
        }
        if name.contains(&b'/') || matches!(name, b"." | b"..") || name.eq_ignore_ascii_case(b".git") {
            return say("has a name that no file can have");
        }
        if entry.mode.kind() == GitKind::Commit && entry.mode.value() & 0o170_000 != 0o160_000 {
            return say("has a mode that no entry can have");
        }
        while self.begun.last().is_some_and(|begun| !name.starts_with(begun)) {
            self.begun.pop();
        }
        // A file and a directory of one name need not stand side by side.
        let is_twice = entry.mode.is_tree() && self.begun.last() == Some(&name);
        match self.previous.map_or(Ordering::Less, |previous| previous.cmp(entry)) {
            Ordering::Less if !is_twice => {}
            Ordering::Greater => return say("is out of order"),
            _ => return say("is there twice"),
        }
        if !entry.mode.is_tree() {
            self.begun.push(name);
        }
        self.previous = Some(*entry);
        Ok(())
    }
}

/// Returns what an entry is; none if it is a tree.
pub(super) fn entry_kind(kind: GitKind) -> Option<EntryKind> {
    Some(match kind {
        GitKind::Tree => return None,
        GitKind::Blob => EntryKind::Regular,
        GitKind::BlobExecutable => EntryKind::Executable,
        GitKind::Link => EntryKind::Symlink,
        GitKind::Commit => EntryKind::Submodule,
    })
}
