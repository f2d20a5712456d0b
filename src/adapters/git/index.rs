//! The index: reads what is staged, and finds what differs from a commit.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;

use gix::bstr::ByteSlice;
use gix::index::Entry;
use gix::index::entry::{Flags, Mode};
use gix::index::extension::Tree as CacheTree;
use gix::objs::TreeRefIter;

use crate::adapters::git::tree::entry_kind;
use crate::adapters::git::{Repository, ensure_intact, explain, from_gix, object_error, to_gix};
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::{EntryKind, TreeEntry};
use crate::refusal::shown::shown;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// An entry of the index.
#[derive(Clone, Debug)]
pub struct StagedEntry {
    /// The entry.
    pub entry: TreeEntry,
    /// How the entry differs from the tree it was compared with.
    pub change: IndexChange,
}

/// The blobs of a path that is unmerged. A side that deleted the path has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// The common ancestor's (stage 1).
    pub base: Option<ObjectId>,
    /// Ours (stage 2), in git's words.
    pub ours: Option<ObjectId>,
    /// Theirs (stage 3), in git's words.
    pub theirs: Option<ObjectId>,
}

/// How an entry of the index differs from the entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexChange {
    /// The tree has the same entry.
    None,
    /// The tree has a different entry at this path.
    Modified,
    /// The tree has nothing at this path.
    Added,
}

/// Returns whether a path is wanted.
pub type Wanted<'a> = dyn Fn(&[u8]) -> bool + 'a;

/// The index as it was when it was opened.
pub struct Index<'a> {
    repo: &'a Repository,
    state: gix::worktree::Index,
}

impl Repository {
    /// Reads the index that git uses, which `GIT_INDEX_FILE` may name.
    pub fn index(&self) -> Result<Index<'_>> {
        let state = self
            .local()
            .index_or_empty()
            .map_err(|e| Refusal::Unsupported(Unsupported::Index { said: explain(&e) }))?;
        Ok(Index { repo: self, state })
    }

    /// Returns the path of the index that git uses, which `GIT_INDEX_FILE` may name.
    pub fn index_path(&self) -> PathBuf {
        self.local().index_path()
    }
}

impl Index<'_> {
    /// Returns the entry at `path`, or some entry below it if it is a directory. `None` if the index has neither.
    pub fn at(&self, path: &str) -> Result<Option<TreeEntry>> {
        let below = format!("{path}/");
        let entries = self.state.entries();
        let from = entries.partition_point(|entry| entry.path(&self.state).as_bytes() < path.as_bytes());
        let found = entries[from..]
            .iter()
            .take_while(|entry| entry.path(&self.state).starts_with(path.as_bytes()))
            .find(|entry| {
                let found = entry.path(&self.state);
                let listed = !entry.flags.contains(Flags::INTENT_TO_ADD);
                listed && (found == path.as_bytes() || found.starts_with(below.as_bytes()))
            });
        let Some(entry) = found else { return Ok(None) };
        let path = entry.path(&self.state);
        let kind = match entry.mode {
            Mode::DIR => EntryKind::Regular,
            mode => kind_of(path, mode)?,
        };
        Ok(Some(TreeEntry {
            path: RepoPath::new(path),
            kind,
            id: from_gix(&entry.id),
        }))
    }

    /// Returns the files of the index whose path `wanted` accepts, as they would be committed.
    pub fn files_named(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<TreeEntry> {
        let index: &gix::index::State = &self.state;
        let files = index.entries().iter().filter(|entry| {
            let is_file = matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE);
            is_file && !entry.flags.contains(Flags::INTENT_TO_ADD) && wanted(entry.path(index))
        });
        files
            .map(|entry| TreeEntry {
                path: RepoPath::new(entry.path(index)),
                kind: EntryKind::Regular,
                id: from_gix(&entry.id),
            })
            .collect()
    }

    /// Returns the paths that a merge left unmerged, each with the blobs of its sides.
    pub fn unmerged(&self) -> BTreeMap<RepoPath, Sides> {
        let index: &gix::index::State = &self.state;
        let mut unmerged: BTreeMap<RepoPath, Sides> = BTreeMap::new();
        for entry in index.entries() {
            let stage = entry.flags.stage_raw();
            if stage == 0 {
                continue;
            }
            let sides = unmerged.entry(RepoPath::new(entry.path(index))).or_default();
            match stage {
                2 => sides.ours = Some(from_gix(&entry.id)),
                3 => sides.theirs = Some(from_gix(&entry.id)),
                _ => sides.base = Some(from_gix(&entry.id)),
            }
        }
        unmerged
    }

    /// Returns whether the index is sparse: an entry may be a directory that stands for all files in it.
    pub fn is_sparse(&self) -> bool {
        self.state.is_sparse()
    }

    /// Returns the index itself.
    pub(super) fn state(&self) -> &gix::index::State {
        &self.state
    }

    /// Returns the tree of the directory of a sparse index that stands for `path`, and the path below that directory.
    pub fn collapsed<'p>(&self, path: &'p str) -> Option<(ObjectId, &'p str)> {
        if !self.is_sparse() {
            return None;
        }
        let mut directories = self.state.entries().iter().filter(|entry| entry.mode == Mode::DIR);
        directories.find_map(|entry| {
            let directory = entry.path(&self.state);
            let directory = directory.strip_suffix(b"/").unwrap_or(directory);
            let below = path.as_bytes().strip_prefix(directory)?.strip_prefix(b"/")?;
            Some((from_gix(&entry.id), &path[path.len() - below.len()..]))
        })
    }

    /// Returns everything in a directory of a sparse index, whose tree has the id `tree`.
    pub(super) fn below(&self, directory: &[u8], tree: &ObjectId) -> Result<Vec<TreeEntry>> {
        let directory = directory.strip_suffix(b"/").unwrap_or(directory);
        let mut entries = self.repo.tree_entries(tree)?;
        for entry in &mut entries {
            entry.path = RepoPath::new(&[directory, b"/", entry.path.as_bytes()].concat());
        }
        Ok(entries)
    }

    /// Returns the id of the tree that a commit would have, if git has recorded it in the index. git does so before it
    /// runs a hook.
    pub fn tree(&self) -> Option<ObjectId> {
        let root = self.state.tree()?;
        root.num_entries.map(|_| from_gix(&root.id))
    }

    /// Returns the entries that a commit would take and that differ from the tree `head`, in the order of the index. If
    /// `keep` is given, also returns unchanged entries whose path it accepts.
    ///
    /// Entries marked intent-to-add are not part of a commit. A directory of a sparse index is replaced by its files. A
    /// directory that the index records with the same tree id as in `head` is not compared: git itself would write that
    /// id into the commit.
    pub fn staged(&self, head: Option<&ObjectId>, keep: Option<&Wanted<'_>>) -> Result<Vec<StagedEntry>> {
        let index: &gix::index::State = &self.state;
        let repo = self.repo.local();
        let mut comparison = Comparison {
            repo: &repo,
            index,
            changed: Vec::new(),
        };
        let all = 0..index.entries().len();
        // In a sparse index, a file may have an entry beside the sparse directory that contains it. The recorded tree
        // of that directory is then wrong.
        let known = index.tree().filter(|_| !self.is_sparse());
        comparison.directory(all, 0, known, head.map(to_gix))?;
        let mut entries = Vec::new();
        let Some(keep) = keep else {
            for (at, change) in comparison.changed {
                self.add(&index.entries()[at], change, &|_| false, &mut entries)?;
            }
            return Ok(entries);
        };
        let mut changed = comparison.changed.into_iter().peekable();
        for (at, entry) in index.entries().iter().enumerate() {
            let change = changed.next_if(|(changed, _)| *changed == at);
            let change = change.map_or(IndexChange::None, |(_, change)| change);
            self.add(entry, change, keep, &mut entries)?;
        }
        Ok(entries)
    }

    fn add(&self, entry: &Entry, change: IndexChange, keep: &Wanted<'_>, entries: &mut Vec<StagedEntry>) -> Result<()> {
        if entry.flags.contains(Flags::INTENT_TO_ADD) {
            return Ok(());
        }
        let path = entry.path(&self.state);
        let id = from_gix(&entry.id);
        if entry.mode == Mode::DIR {
            return self.expand(path, &id, change, keep, entries);
        }
        if change != IndexChange::None || keep(path) {
            entries.push(StagedEntry {
                entry: TreeEntry {
                    path: RepoPath::new(path),
                    kind: kind_of(path, entry.mode)?,
                    id,
                },
                change,
            });
        }
        Ok(())
    }

    fn expand(
        &self,
        directory: &[u8],
        tree: &ObjectId,
        change: IndexChange,
        keep: &Wanted<'_>,
        entries: &mut Vec<StagedEntry>,
    ) -> Result<()> {
        for entry in self.below(directory, tree)? {
            if change != IndexChange::None || keep(entry.path.as_bytes()) {
                entries.push(StagedEntry { entry, change });
            }
        }
        Ok(())
    }
}

fn kind_of(path: &[u8], mode: Mode) -> Result<EntryKind> {
    mode.to_tree_entry_mode()
        .and_then(|mode| entry_kind(mode.kind()))
        .ok_or_else(|| {
            Refusal::Unsupported(Unsupported::IndexMode {
                path: shown(path),
                mode: format!("{mode:?}"),
            })
        })
}

impl IndexChange {
    fn of(is_there: bool, is_same: bool) -> Self {
        match (is_there, is_same) {
            (true, true) => Self::None,
            (true, false) => Self::Modified,
            (false, _) => Self::Added,
        }
    }
}

/// Finds the entries of an index that differ from a tree.
struct Comparison<'a> {
    repo: &'a gix::Repository,
    index: &'a gix::index::State,
    /// The indices of the entries that differ, ascending, each with its change.
    changed: Vec<(usize, IndexChange)>,
}

impl Comparison<'_> {
    /// Compares the entries in `range` with `tree`. All of them lie below one directory, whose path is `prefix` bytes
    /// long.
    fn directory(
        &mut self,
        range: Range<usize>,
        prefix: usize,
        known: Option<&CacheTree>,
        tree: Option<gix::ObjectId>,
    ) -> Result<()> {
        if let (Some(known), Some(tree)) = (known, &tree)
            && known.num_entries.is_some()
            && known.id == *tree
        {
            return Ok(());
        }
        let below = match tree {
            Some(id) => self.children(id)?,
            None => HashMap::new(),
        };
        let noted: HashMap<&[u8], &CacheTree> = known
            .into_iter()
            .flat_map(|known| &known.children)
            .map(|child| (child.name.as_bytes(), child))
            .collect();
        let mut at = range.start;
        while at < range.end {
            let entry = &self.index.entries()[at];
            let path = &entry.path(self.index)[prefix..];
            let Some(slash) = path.iter().position(|byte| *byte == b'/') else {
                let mode = entry.mode.to_tree_entry_mode();
                let committed = below.get(path);
                let same = committed.is_some_and(|(kind, id)| {
                    *kind == mode.map(|mode| mode.kind()) && *id == entry.id && entry.flags.stage_raw() == 0
                });
                self.note(at, IndexChange::of(committed.is_some(), same));
                at += 1;
                continue;
            };
            let (name, step) = (path[..slash].to_vec(), path[..=slash].to_vec());
            let child = noted.get(&name[..]).copied();
            let length = self.extent(&self.index.entries()[at..range.end], prefix, &step, child);
            let subtree = below
                .get(&name)
                .filter(|(kind, _)| *kind == Some(gix::objs::tree::EntryKind::Tree));
            let subtree = subtree.map(|(_, id)| *id);
            if entry.mode == Mode::DIR && path.len() == step.len() {
                self.note(at, IndexChange::of(subtree.is_some(), subtree == Some(entry.id)));
                at += 1;
                continue;
            }
            self.directory(at..at + length, prefix + step.len(), child, subtree)?;
            at += length;
        }
        Ok(())
    }

    fn note(&mut self, at: usize, change: IndexChange) {
        if change != IndexChange::None {
            self.changed.push((at, change));
        }
    }

    /// Returns how many of `entries`, counted from the first, lie in the directory `step`. Tries the count that git
    /// recorded first.
    fn extent(&self, entries: &[Entry], prefix: usize, step: &[u8], noted: Option<&CacheTree>) -> usize {
        let is_below = |entry: &Entry| entry.path(self.index)[prefix..].starts_with(step);
        let noted = noted.and_then(|noted| usize::try_from(noted.num_entries?).ok());
        noted
            .filter(|count| {
                let last = count.checked_sub(1).and_then(|last| entries.get(last));
                last.is_some_and(is_below) && !entries.get(*count).is_some_and(is_below)
            })
            .unwrap_or_else(|| entries.partition_point(is_below))
    }

    fn children(&self, id: gix::ObjectId) -> Result<Children> {
        let tree = self.repo.find_tree(id).map_err(|e| object_error(id, &e))?;
        ensure_intact(id, "tree", &tree.data)?;
        let entries = TreeRefIter::from_bytes(&tree.data, id.kind());
        entries
            .map(|entry| {
                let entry = entry.map_err(|e| super::corrupt_object(id, &e.to_string()))?;
                Ok((entry.filename.to_vec(), (Some(entry.mode.kind()), entry.oid.to_owned())))
            })
            .collect()
    }
}

type Children = HashMap<Vec<u8>, (Option<gix::objs::tree::EntryKind>, gix::ObjectId)>;
