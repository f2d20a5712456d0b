//! The digest cache of a clone: what was hashed once is not hashed again.

use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Durability, create_private_dir, write_whole};
use crate::format::digest::Digest;
use crate::format::digest_table::DigestTable;
use crate::format::object_id::ObjectId;

/// The largest table that is read: some 60 million blobs.
const MAX_BYTES: u64 = 4 << 30;

/// The cache of one clone, or none at all.
pub struct DigestCache {
    path: Option<PathBuf>,
    table: DigestTable,
}

impl DigestCache {
    /// Reads the cache below a repository's common directory; a damaged or foreign one counts as empty.
    pub fn load(common_dir: &Path) -> Self {
        let path = common_dir.join("gitpack").join("digests");
        let table = files::read_optional(&path, MAX_BYTES)
            .ok()
            .flatten()
            .and_then(DigestTable::parse)
            .unwrap_or_else(DigestTable::empty);
        Self {
            path: Some(path),
            table,
        }
    }

    /// Returns a cache that knows nothing and keeps nothing.
    pub fn off() -> Self {
        Self {
            path: None,
            table: DigestTable::empty(),
        }
    }

    /// Returns the digest and size of a blob that was hashed before.
    pub fn get(&self, id: &ObjectId) -> Option<(Digest, u64)> {
        self.table.get(id)
    }

    /// Returns the same for many blobs.
    pub fn get_all<'a>(&self, ids: impl Iterator<Item = &'a ObjectId>) -> Vec<Option<(Digest, u64)>> {
        self.table.get_all(ids)
    }

    /// Keeps `added` for the next time. A clone that cannot be written to is merely slower.
    pub fn keep(&self, added: &[(ObjectId, Digest, u64)]) {
        let Some(path) = &self.path else { return };
        if added.is_empty() || create_private_dir(files::parent(path)).is_err() {
            return;
        }
        drop(write_whole(
            path,
            &self.table.with(added),
            0o600,
            Durability::Disposable,
        ));
    }
}
