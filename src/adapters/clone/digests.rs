//! The digest cache of a clone: the SHA-256 and size of blobs that were hashed before.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::format::digest::Digest;
use crate::format::digest_table::DigestTable;
use crate::format::object_id::ObjectId;

/// The largest table to read, in bytes: some 60 million blobs.
const MAX_BYTES: u64 = 4 << 30;

/// The cache of one clone, or an empty one that keeps nothing. Clones of the value share their tables.
#[derive(Clone)]
pub struct DigestCache {
    tables: Arc<Tables>,
    /// Whether new digests are stored.
    keeps: bool,
}

/// Digests of protected blobs lie in a table of their own, beside the receipts: a hash of protected plaintext may be
/// stored nowhere else.
struct Tables {
    plain: Table,
    protected: Table,
}

struct Table {
    path: PathBuf,
    purpose: &'static str,
    memory: Memory,
    /// The table as this process read or wrote it last.
    digests: RwLock<DigestTable>,
}

impl DigestCache {
    /// Reads the cache of a clone. A table that is damaged, or not authenticated by the user's key, counts as empty.
    pub(super) fn load(own: &Path, memory: Memory) -> Self {
        let tables = Tables {
            plain: Table::load(own.join("digests"), "digests", memory.clone()),
            protected: Table::load(own.join("seals").join("digests"), "protected digests", memory),
        };
        Self {
            tables: Arc::new(tables),
            keeps: true,
        }
    }

    /// Returns an empty cache that stores nothing.
    pub fn off() -> Self {
        let tables = Tables {
            plain: Table::nowhere(),
            protected: Table::nowhere(),
        };
        Self {
            tables: Arc::new(tables),
            keeps: false,
        }
    }

    /// Returns the same cache, which does not store new digests.
    pub fn reading_only(&self) -> Self {
        Self {
            tables: self.tables.clone(),
            keeps: false,
        }
    }

    /// Returns the digest and size of a blob that was hashed before.
    pub fn get(&self, id: &ObjectId) -> Option<(Digest, u64)> {
        let Tables { plain, protected } = &*self.tables;
        let known = plain.digests().get(id);
        known.or_else(|| protected.digests().get(id))
    }

    /// Returns the digest and size of each of `ids`, in order. `None` for a blob that was not hashed before.
    pub fn get_all<'a>(&self, ids: impl Iterator<Item = &'a ObjectId> + Clone) -> Vec<Option<(Digest, u64)>> {
        let mut found = self.tables.plain.digests().get_all(ids.clone());
        let protected = self.tables.protected.digests();
        for (found, id) in found.iter_mut().zip(ids).filter(|(found, _)| found.is_none()) {
            *found = protected.get(id);
        }
        found
    }

    /// Returns every record, for checking it against its blob.
    pub fn records(&self) -> Vec<(ObjectId, Digest, u64)> {
        let (plain, protected) = (self.tables.plain.digests(), self.tables.protected.digests());
        plain.records().chain(protected.records()).collect()
    }

    /// Stores `added`, protected blobs in their own table. Ignores write errors: without the cache, later runs are only
    /// slower.
    pub fn keep(&self, added: &[(ObjectId, Digest, u64)], is_protected: impl Fn(&ObjectId) -> bool) {
        if !self.keeps {
            return;
        }
        let (plain, protected) = (&self.tables.plain, &self.tables.protected);
        plain.keep(added.iter().filter(|(id, ..)| !is_protected(id)));
        protected.keep(added.iter().filter(|(id, ..)| is_protected(id)));
    }
}

impl Table {
    fn load(path: PathBuf, purpose: &'static str, memory: Memory) -> Self {
        let read = || {
            let key = memory.to_read(purpose)?;
            let bytes = files::read_optional(&path, MAX_BYTES).ok().flatten()?;
            DigestTable::parse(bytes, &key)
        };
        Self {
            digests: RwLock::new(read().unwrap_or_else(DigestTable::empty)),
            path,
            purpose,
            memory,
        }
    }

    fn nowhere() -> Self {
        Self {
            digests: RwLock::new(DigestTable::empty()),
            path: PathBuf::new(),
            purpose: "",
            memory: Memory::none(),
        }
    }

    fn digests(&self) -> RwLockReadGuard<'_, DigestTable> {
        self.digests.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep<'a>(&self, added: impl Iterator<Item = &'a (ObjectId, Digest, u64)>) {
        let mut added = added.peekable();
        if added.peek().is_none() {
            return;
        }
        let Some(key) = self.memory.to_write(self.purpose) else {
            return;
        };
        if create_private_dir(files::parent(&self.path)).is_err() {
            return;
        }
        let mut digests = self.digests.write().unwrap_or_else(PoisonError::into_inner);
        let table = digests.with(added, &key);
        if write_own(&self.path, &mut &table[..], Durability::Disposable).is_ok()
            && let Some(written) = DigestTable::parse(table, &key)
        {
            *digests = written;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seed: u8) -> (ObjectId, Digest, u64) {
        (
            ObjectId::from_bytes(&[seed; 20]).unwrap(),
            Digest::of(&[seed]),
            seed.into(),
        )
    }

    #[test]
    fn what_is_kept_is_known_to_all_copies_and_none_is_lost() {
        let temp = tempfile::tempdir().unwrap();
        let memory = || Memory::of(Some(temp.path()));
        let cache = DigestCache::load(temp.path(), memory());
        let (copy, reading) = (cache.clone(), cache.reading_only());
        cache.keep(&[record(1)], |_| false);
        copy.keep(&[record(2)], |_| true);
        reading.keep(&[record(3)], |_| false);
        let known = [record(1), record(2)];
        for cache in [cache, copy, reading, DigestCache::load(temp.path(), memory())] {
            assert_eq!(cache.records(), known);
            assert_eq!(cache.get(&record(1).0), Some((record(1).1, 1)));
            let all = [record(1).0, record(2).0, record(3).0];
            assert_eq!(cache.get_all(all.iter()).iter().flatten().count(), 2);
        }
    }

    #[test]
    fn what_could_not_be_written_is_not_known() {
        let temp = tempfile::tempdir().unwrap();
        let cache = DigestCache::load(temp.path(), Memory::none());
        cache.keep(&[record(1)], |_| false);
        assert_eq!(cache.records(), []);
        DigestCache::off().keep(&[record(1)], |_| false);
    }
}
