//! The objects of Git LFS that a clone keeps.

use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Opened};
use crate::adapters::git::Repository;
use crate::format::digest::Digest;
use crate::refusal::Result;

impl Repository {
    /// Opens the Git LFS object of this hash; none if it is not in the clone, or cannot be opened as a file of its own.
    ///
    /// No link below the storage is followed. What is in the file has to be held against the hash.
    pub fn lfs_object(&self, oid: &Digest) -> Result<Option<Opened>> {
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

    /// Returns where the objects are kept, as Git LFS has it: `lfs.storage`, from the common directory, or `lfs` in there.
    fn lfs_storage(&self) -> Result<PathBuf> {
        let configured = self.config_path("lfs.storage")?;
        Ok(self.common_dir().join(configured.unwrap_or_else(|| "lfs".into())))
    }
}

fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}
