//! The entries of the last sealed tree that were fit to be in the clear, for each way to judge them.
//!
//! Other rules may protect one of them, so their hashes lie beside the receipts, as all hashes of what may be protected.

use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::format::clear_entries::{ClearEntries, ClearEntry};
use crate::format::digest::Digest;

/// The largest file to read, in bytes: some three million entries.
const MAX_BYTES: u64 = 256 << 20;

/// The most files that are kept.
const MOST: usize = 4;

/// The remembered entries of one clone. Whatever is damaged, or not authenticated by the user's key, counts as missing.
pub struct ClearTrees {
    directory: PathBuf,
    memory: Memory,
}

impl ClearTrees {
    /// Names the directory. It is created when something is first stored.
    pub(super) fn of(own: &Path, memory: Memory) -> Self {
        Self {
            directory: own.join("seals").join("clear"),
            memory,
        }
    }

    /// Returns the entries of the last tree that was judged in this way.
    pub fn entries(&self, way: &Digest) -> Option<ClearEntries> {
        let key = self.memory.to_read(&purpose(way))?;
        let bytes = files::read_optional(&self.place(way), MAX_BYTES).ok().flatten()?;
        ClearEntries::parse(bytes, &key)
    }

    /// Remembers entries that were judged in this way, sorted bytewise by path. Ignores write errors: without them, a later seal is
    /// only slower.
    pub fn keep<'a>(&self, way: &Digest, entries: impl Iterator<Item = ClearEntry<'a>>) {
        if let Some(key) = self.memory.to_write(&purpose(way))
            && create_private_dir(&self.directory).is_ok()
            && let Some(bytes) = ClearEntries::write(entries, &key)
            && bytes.len() as u64 <= MAX_BYTES
        {
            self.make_room();
            drop(write_own(&self.place(way), &mut &bytes[..], Durability::Disposable));
        }
    }

    /// Removes all files if there are those of several ways, so that they do not pile up.
    fn make_room(&self) {
        let kept = files::kinds_in(&self.directory).unwrap_or_default();
        if kept.len() > MOST {
            let paths = kept.into_iter().map(|(name, _)| self.directory.join(name));
            paths.for_each(|path| drop(files::remove(&path)));
        }
    }

    fn place(&self, way: &Digest) -> PathBuf {
        self.directory.join(way.hex())
    }
}

/// Returns the purpose of a file. It names the way, so that a file copied for another way is not accepted.
fn purpose(way: &Digest) -> String {
    format!("entries in the clear {way}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::object_id::ObjectId;
    use crate::format::repo_state::EntryKind;

    #[test]
    fn entries_are_remembered_each_for_its_way() {
        let temp = tempfile::tempdir().unwrap();
        let trees = || ClearTrees::of(temp.path(), Memory::of(Some(temp.path())));
        let way = |number: u8| Digest::of(&[number]);
        let entry = ClearEntry {
            path: b"a",
            kind: EntryKind::Regular,
            id: ObjectId::NULL,
            hash: Digest::of(b"a"),
            size: 1,
        };
        let knows = |trees: ClearTrees, number| {
            let entries = trees.entries(&way(number));
            let wanted = || [(entry.path, entry.kind, entry.id)].into_iter();
            entries.is_some_and(|entries| entries.look_up(wanted()).flatten().count() == 1)
        };
        trees().keep(&way(1), std::iter::once(entry));
        assert!(knows(trees(), 1) && !knows(trees(), 2));
        std::fs::copy(trees().place(&way(1)), trees().place(&way(2))).unwrap();
        assert!(!knows(trees(), 2));
        assert!(!knows(ClearTrees::of(temp.path(), Memory::none()), 1));
        for number in 3..12 {
            trees().keep(&way(number), std::iter::once(entry));
        }
        assert!(std::fs::read_dir(&trees().directory).unwrap().count() <= MOST + 1);
    }
}
