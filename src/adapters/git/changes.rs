//! What a commit adds to all of its parents: compares its tree with theirs, directory by directory.
//!
//! A directory that equals a parent's is skipped unread. However deep or wide the trees are, memory holds only the
//! directories on the current path and those still to be compared.

use std::rc::Rc;

use crate::adapters::git::raw_tree::{Leads, RawEntries, RawEntry, cost_of, read_tree};
use crate::adapters::git::tree_order::ensure_as_git_writes_it;
use crate::adapters::git::{Repository, corrupt_object, from_gix};
use crate::format::budget::Bound;
use crate::format::repo_path::RepoPath;
use crate::format::repo_state::TreeEntry;
use crate::refusal::{Refusal, Result};

/// A change that a commit makes to a path.
pub(super) enum PathChange {
    /// The commit has an entry that no parent has at this path.
    Introduced(TreeEntry),
    /// The first parent has a file at this path, and the commit has none.
    Deleted(RepoPath),
}

/// A directory still to be compared.
struct Waiting {
    /// Path of the parent directory. `None` at the root.
    above: Option<Rc<[u8]>>,
    name: Box<[u8]>,
    depth: u64,
    /// The commit's tree at this path. `None` if it has none.
    new: Option<gix::ObjectId>,
    /// The first parent's tree at this path.
    first: Option<gix::ObjectId>,
    /// The other parents' trees at this path, without duplicates.
    others: Vec<gix::ObjectId>,
}

/// What the parents have at the place of an entry.
#[derive(Clone, Default)]
struct Older {
    /// Whether a parent has exactly the same entry.
    same: bool,
    first: Option<gix::ObjectId>,
    others: Vec<gix::ObjectId>,
}

/// Compares trees for one thread.
pub(super) struct Comparer<'a> {
    repository: &'a Repository,
    repo: &'a gix::Repository,
    waiting: Vec<Waiting>,
    buffers: [Vec<u8>; 2],
    /// Whether the new trees must be as git writes them.
    strict: bool,
}

impl<'a> Comparer<'a> {
    pub(super) fn new(repository: &'a Repository, repo: &'a gix::Repository) -> Self {
        Self {
            repository,
            repo,
            waiting: Vec::new(),
            buffers: [Vec::new(), Vec::new()],
            strict: false,
        }
    }

    /// Refuses new trees that are not as git writes them, as listing them does.
    pub(super) fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Passes to `each` every entry that `new` has and no parent has, and every file that the first parent has and
    /// `new` has not.
    pub(super) fn compare(
        &mut self,
        new: gix::ObjectId,
        parents: &[gix::ObjectId],
        each: &mut dyn FnMut(PathChange) -> Result<()>,
    ) -> Result<()> {
        let mut others: Vec<gix::ObjectId> = parents.iter().skip(1).copied().collect();
        others.sort_unstable();
        others.dedup();
        self.waiting.clear();
        let is_new = others.binary_search(&new).is_err() && parents.first() != Some(&new);
        if is_new {
            self.waiting.push(Waiting {
                above: None,
                name: Box::default(),
                depth: 0,
                new: Some(new),
                first: parents.first().copied(),
                others,
            });
        }
        let [mut newer, mut older] = std::mem::take(&mut self.buffers);
        while let Some(next) = self.waiting.pop() {
            self.directory(next, &mut newer, &mut older, each)?;
        }
        self.buffers = [newer, older];
        Ok(())
    }

    fn read(&self, id: gix::ObjectId, buffer: &mut Vec<u8>) -> Result<()> {
        match read_tree(self.repository, self.repo, id, buffer, true)? {
            true => Ok(()),
            false => Err(Refusal::MissingObject {
                count: 1,
                example: id.to_string(),
            }),
        }
    }

    fn directory(
        &mut self,
        at: Waiting,
        newer: &mut Vec<u8>,
        older: &mut Vec<u8>,
        each: &mut dyn FnMut(PathChange) -> Result<()>,
    ) -> Result<()> {
        self.repository.hold(Bound::Depth, at.depth)?;
        let path: Rc<[u8]> = match &at.above {
            None => Rc::default(),
            Some(above) => joined(above, &at.name).into(),
        };
        let Some(new) = at.new else {
            let Some(gone) = at.first else { return Ok(()) };
            self.read(gone, older)?;
            for entry in list(gone, older)? {
                self.gone(&entry, gone, &path, at.depth, each)?;
            }
            return Ok(());
        };
        self.read(new, newer)?;
        let entries = list(new, newer)?;
        if self.strict {
            ensure_as_git_writes_it(new, &entries)?;
        }
        let mut have = vec![Older::default(); entries.len()];
        if let Some(first) = at.first {
            self.read(first, older)?;
            let old = list(first, older)?;
            let missed = pair(&entries, &old, |new, old| {
                note(&entries[new], &old, &mut have[new], true)
            });
            for entry in missed {
                self.gone(&entry, first, &path, at.depth, each)?;
            }
        }
        for other in &at.others {
            self.read(*other, older)?;
            // The new directory is compared again with each parent, so it costs again.
            self.repository.spend(Bound::TreeBytes, newer.len() as u64)?;
            let old = list(*other, older)?;
            pair(&entries, &old, |new, old| {
                note(&entries[new], &old, &mut have[new], false)
            });
        }
        // Directories wait on a stack. Reverse them, so that the first one is entered first.
        let entered = self.waiting.len();
        for (entry, older) in entries.iter().zip(have).filter(|(_, older)| !older.same) {
            let leads = leads(entry, new)?;
            self.count(leads, path.len() + 1 + entry.name.len())?;
            match leads {
                Leads::Directory => {
                    self.repository
                        .spend(Bound::TreeBytes, 128 * older.others.len() as u64)?;
                    self.waiting.push(Waiting {
                        above: Some(Rc::clone(&path)),
                        name: entry.name.into(),
                        depth: at.depth + 1,
                        new: Some(gix::ObjectId::from_bytes_or_panic(entry.id)),
                        first: older.first,
                        others: older.others,
                    });
                }
                Leads::Content(kind) => each(PathChange::Introduced(TreeEntry {
                    path: RepoPath::new(&joined(&path, entry.name)),
                    kind,
                    id: from_gix(gix::oid::from_bytes_unchecked(entry.id)),
                }))?,
            }
        }
        self.waiting[entered..].reverse();
        Ok(())
    }

    /// Reports an entry of the first parent that the commit does not have.
    fn gone(
        &mut self,
        entry: &RawEntry<'_>,
        tree: gix::ObjectId,
        path: &Rc<[u8]>,
        depth: u64,
        each: &mut dyn FnMut(PathChange) -> Result<()>,
    ) -> Result<()> {
        let leads = leads(entry, tree)?;
        self.count(leads, path.len() + 1 + entry.name.len())?;
        match leads {
            Leads::Directory => self.waiting.push(Waiting {
                above: Some(Rc::clone(path)),
                name: entry.name.into(),
                depth: depth + 1,
                new: None,
                first: Some(gix::ObjectId::from_bytes_or_panic(entry.id)),
                others: Vec::new(),
            }),
            Leads::Content(_) => each(PathChange::Deleted(RepoPath::new(&joined(path, entry.name))))?,
        }
        Ok(())
    }

    fn count(&self, leads: Leads, path_length: usize) -> Result<()> {
        self.repository.spend(Bound::Entries, cost_of(leads))?;
        self.repository.spend(Bound::PathBytes, path_length as u64)
    }
}

/// Returns the path of a name in a directory.
pub(super) fn joined(directory: &[u8], name: &[u8]) -> Vec<u8> {
    match directory.is_empty() {
        true => name.to_vec(),
        false => [directory, b"/", name].concat(),
    }
}

fn list(id: gix::ObjectId, bytes: &[u8]) -> Result<Vec<RawEntry<'_>>> {
    let entries = RawEntries::of(bytes, id.as_bytes().len()).all();
    entries.ok_or_else(|| corrupt_object(id, "it is not a list of entries"))
}

/// Returns the kind of object that an entry of a tree leads to, or refuses an ambiguous mode.
pub(super) fn leads(entry: &RawEntry<'_>, tree: gix::ObjectId) -> Result<Leads> {
    let leads = entry.leads();
    leads.ok_or_else(|| corrupt_object(tree, "an entry has an ambiguous mode"))
}

/// Records what a parent's tree has under the name of an entry.
fn note(entry: &RawEntry<'_>, old: &RawEntry<'_>, have: &mut Older, is_first: bool) {
    have.same |= entry.raw == old.raw;
    if have.same || old.leads() != Some(Leads::Directory) {
        return;
    }
    let id = gix::ObjectId::from_bytes_or_panic(old.id);
    match is_first {
        true => have.first = Some(id),
        false if have.others.last() != Some(&id) && have.first != Some(id) => have.others.push(id),
        false => {}
    }
}

/// Pairs the entries of `new` and `old` that have the same name and are both files or both directories, and calls
/// `each` for each pair. Returns the entries that are only in `old`.
fn pair<'o>(
    new: &[RawEntry<'_>],
    old: &[RawEntry<'o>],
    mut each: impl FnMut(usize, RawEntry<'o>),
) -> Vec<RawEntry<'o>> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let mut missed = Vec::new();
    let ascends = |entries: &[RawEntry<'_>]| entries.windows(2).all(|pair| pair[0].order(&pair[1]) == Less);
    if !ascends(new) || !ascends(old) {
        return pair_unsorted(new, old, each);
    }
    let mut at = 0;
    for old in old {
        while new.get(at).is_some_and(|new| new.order(old) == Less) {
            at += 1;
        }
        match new.get(at).map_or(Greater, |new| new.order(old)) {
            Equal => each(at, *old),
            _ => missed.push(*old),
        }
    }
    missed
}

/// Like [`pair`], for trees that git did not write: names may be unsorted and duplicated.
fn pair_unsorted<'o>(
    new: &[RawEntry<'_>],
    old: &[RawEntry<'o>],
    mut each: impl FnMut(usize, RawEntry<'o>),
) -> Vec<RawEntry<'o>> {
    use std::collections::HashMap;
    let key = |entry: &RawEntry<'o>| (entry.name, entry.leads() == Some(Leads::Directory));
    let mut named: HashMap<(&[u8], bool), usize> = HashMap::new();
    let mut written: HashMap<&[u8], usize> = HashMap::new();
    for (at, entry) in new.iter().enumerate() {
        named
            .entry((entry.name, entry.leads() == Some(Leads::Directory)))
            .or_insert(at);
        written.entry(entry.raw).or_insert(at);
    }
    let mut missed = Vec::new();
    for old in old {
        match written.get(old.raw).or_else(|| named.get(&key(old))) {
            Some(at) => each(*at, *old),
            None => missed.push(*old),
        }
    }
    missed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, &str, u8)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            bytes.extend_from_slice(&[*id; 20]);
        }
        bytes
    }

    fn paired(new: &[(&str, &str, u8)], old: &[(&str, &str, u8)]) -> (Vec<(usize, String)>, Vec<String>) {
        let (new, old) = (tree(new), tree(old));
        let read = |bytes| RawEntries::of(bytes, 20).all().unwrap();
        let name = |entry: RawEntry<'_>| String::from_utf8_lossy(entry.name).into_owned();
        let mut pairs = Vec::new();
        let missed = pair(&read(&new), &read(&old), |at, old| pairs.push((at, name(old))));
        (pairs, missed.into_iter().map(name).collect())
    }

    #[test]
    fn entries_are_paired_by_name_and_kind_in_any_order() {
        let (file, dir) = ("100644", "40000");
        let (pairs, missed) = paired(&[(dir, "foo", 1)], &[(file, "foo.txt", 1), (dir, "foo", 2)]);
        assert_eq!((pairs, missed), (vec![(0, "foo".into())], vec!["foo.txt".into()]));
        let (pairs, missed) = paired(&[(file, "a", 1)], &[(dir, "a", 1)]);
        assert_eq!((pairs.len(), missed.len()), (0, 1));
        // A duplicated name, out of order: the identical entry is paired.
        let twice = [(file, "b", 1), (file, "a", 2), (file, "a", 3)];
        let (pairs, missed) = paired(&twice, &[(file, "a", 3), (file, "c", 1)]);
        assert_eq!((pairs, missed), (vec![(2, "a".into())], vec!["c".into()]));
    }
}
