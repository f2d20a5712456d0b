//! The Git LFS objects that a clone stores.

use std::path::{Path, PathBuf};

use crate::adapters::files::{self, OpenedFile};
use crate::adapters::git::Repository;
use crate::format::digest::Digest;
use crate::refusal::Result;

impl Repository {
    /// Opens the Git LFS object with this hash. `None` if the clone does not have it, or it cannot be opened as a
    /// regular file.
    ///
    /// Follows no link below the storage. The caller must check the content against the hash.
    pub fn lfs_object(&self, oid: &Digest) -> Result<Option<OpenedFile>> {
        let hex = oid.hex();
        let mut path = self.lfs_storage()?;
        for below in ["objects", &hex[..2], &hex[2..4]] {
            path.push(below);
            if !is_directory(&path) {
                return Ok(None);
            }
        }
        Ok(files::open_regular(&path.join(hex)).ok())
    }

    /// Returns the storage directory as Git LFS determines it: `lfs.storage`, relative to the common directory, or else
    /// `lfs` in it.
    fn lfs_storage(&self) -> Result<PathBuf> {
        let configured = self.config_path("lfs.storage")?;
        Ok(self.common_dir().join(configured.unwrap_or_else(|| "lfs".into())))
    }
}

fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}
