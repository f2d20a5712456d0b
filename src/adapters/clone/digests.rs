//! The digest cache of a clone: the SHA-256 and size of blobs that were hashed before.

use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::format::digest::Digest;
use crate::format::digest_table::DigestTable;
use crate::format::object_id::ObjectId;

/// The largest table to read, in bytes: some 60 million blobs.
const MAX_BYTES: u64 = 4 << 30;

/// The cache of one clone, or an empty one that keeps nothing.
///
/// Digests of protected blobs lie in a table of their own, beside the receipts: a hash of protected plaintext may be
/// stored nowhere else.
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
    /// Reads the cache of a clone. A table that is damaged, or not authenticated by the user's key, counts as empty.
    pub(super) fn load(own: &Path, memory: Memory) -> Self {
        Self {
            plain: Table::load(own.join("digests"), "digests", memory.clone()),
            protected: Table::load(own.join("seals").join("digests"), "protected digests", memory),
        }
    }

    /// Returns an empty cache that stores nothing.
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

    /// Returns the same cache, which no longer stores new digests.
    pub fn reading_only(mut self) -> Self {
        (self.plain.path, self.protected.path) = (None, None);
        self
    }

    /// Returns the digest and size of a blob that was hashed before.
    pub fn get(&self, id: &ObjectId) -> Option<(Digest, u64)> {
        self.plain.digests.get(id).or_else(|| self.protected.digests.get(id))
    }

    /// Returns the digest and size of each of `ids`, in order. `None` for a blob that was not hashed before.
    pub fn get_all<'a>(&self, ids: impl Iterator<Item = &'a ObjectId> + Clone) -> Vec<Option<(Digest, u64)>> {
        let mut found = self.plain.digests.get_all(ids.clone());
        for (found, id) in found.iter_mut().zip(ids).filter(|(found, _)| found.is_none()) {
            *found = self.protected.digests.get(id);
        }
        found
    }

    /// Returns every record, for checking it against its blob.
    pub fn records(&self) -> impl Iterator<Item = (ObjectId, Digest, u64)> {
        self.plain.digests.records().chain(self.protected.digests.records())
    }

    /// Stores `added`, protected blobs in their own table. Ignores write errors: without the cache, later runs are only
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
