//! The digest cache of a clone: what was hashed once is not hashed again.

use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::format::digest::Digest;
use crate::format::digest_table::DigestTable;
use crate::format::object_id::ObjectId;

/// The largest table that is read: some 60 million blobs.
const MAX_BYTES: u64 = 4 << 30;

/// The cache of one clone, or none at all.
///
/// Digests of protected blobs are kept with the receipts, where alone such hashes may be.
pub struct DigestCache {
    plain: Table,
    protected: Table,
}

struct Table {
    path: Option<PathBuf>,
    purpose: &'static str,
    memory: Memory,
    digests: DigestTable,
}

impl DigestCache {
    /// Reads the cache of a clone. One that is damaged, or that somebody else wrote, counts as empty.
    pub(super) fn load(own: &Path, memory: Memory) -> Self {
        Self {
            plain: Table::load(own.join("digests"), "digests", memory.clone()),
            protected: Table::load(own.join("seals").join("digests"), "protected digests", memory),
        }
    }

    /// Returns a cache that knows nothing and keeps nothing.
    pub fn off() -> Self {
        let off = || Table {
            path: None,
            purpose: "",
            memory: Memory::none(),
            digests: DigestTable::empty(),
        };
        Self {
            plain: off(),
            protected: off(),
        }
    }

    /// Returns the same cache, which from now on keeps nothing more.
    pub fn reading_only(mut self) -> Self {
        (self.plain.path, self.protected.path) = (None, None);
        self
    }

    /// Returns the digest and size of a blob that was hashed before.
    pub fn get(&self, id: &ObjectId) -> Option<(Digest, u64)> {
        self.plain.digests.get(id).or_else(|| self.protected.digests.get(id))
    }

    /// Returns the same for many blobs.
    pub fn get_all<'a>(&self, ids: impl Iterator<Item = &'a ObjectId> + Clone) -> Vec<Option<(Digest, u64)>> {
        let mut found = self.plain.digests.get_all(ids.clone());
        for (found, id) in found.iter_mut().zip(ids).filter(|(found, _)| found.is_none()) {
            *found = self.protected.digests.get(id);
        }
        found
    }

    /// Returns every record, to be held against the blobs.
    pub fn records(&self) -> impl Iterator<Item = (ObjectId, Digest, u64)> {
        self.plain.digests.records().chain(self.protected.digests.records())
    }

    /// Keeps `added` for the next time, where protected blobs are kept apart. A clone that cannot be written to is merely
    /// slower.
    pub fn keep(&self, added: &[(ObjectId, Digest, u64)], is_protected: impl Fn(&ObjectId) -> bool) {
        let (protected, plain): (Vec<_>, Vec<_>) = added.iter().partition(|(id, ..)| is_protected(id));
        self.plain.keep(&plain);
        self.protected.keep(&protected);
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
            digests: read().unwrap_or_else(DigestTable::empty),
            path: Some(path),
            purpose,
            memory,
        }
    }

    fn keep(&self, added: &[(ObjectId, Digest, u64)]) {
        let Some(path) = &self.path else { return };
        if added.is_empty() {
            return;
        }
        let Some(key) = self.memory.to_write(self.purpose) else {
            return;
        };
        if create_private_dir(files::parent(path)).is_err() {
            return;
        }
        let table = self.digests.with(added, &key);
        drop(write_own(path, &mut &table[..], Durability::Disposable));
    }
}
