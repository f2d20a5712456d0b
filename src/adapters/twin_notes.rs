//! The notes of a clone about its sealed twins: one file a path.

use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Durability, create_private_dir, write_whole};
use crate::format::canonical_json::{parse_strict_into, to_document};
use crate::format::digest::Digest;
use crate::format::refusal::Result;
use crate::format::repo_path::RepoPath;
use crate::format::twin::TwinNote;

/// The notes below a repository's common directory.
pub struct TwinNotes {
    directory: PathBuf,
}

impl TwinNotes {
    /// Names the directory; nothing is created until something is put.
    pub fn of(common_dir: &Path) -> Self {
        Self {
            directory: common_dir.join("gitpack").join("twins"),
        }
    }

    /// Returns the note about the plaintext at `path`; one that is damaged counts as none.
    pub fn get(&self, path: &RepoPath) -> Option<TwinNote> {
        let bytes = files::read_optional(&self.place(path), 1 << 12).ok().flatten()?;
        parse_strict_into(&bytes).ok()
    }

    /// Writes the note.
    pub fn put(&self, path: &RepoPath, note: &TwinNote) -> Result<()> {
        create_private_dir(&self.directory)?;
        write_whole(&self.place(path), &to_document(note), 0o600, Durability::Disposable)
    }

    fn place(&self, path: &RepoPath) -> PathBuf {
        self.directory.join(Digest::of(path.as_bytes()).hex())
    }
}
