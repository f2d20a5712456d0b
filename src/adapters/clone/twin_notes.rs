//! The notes of a clone about its sealed twins: one file a path.

use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::format::canonical_json::{parse_strict_into, to_document};
use crate::format::digest::Digest;
use crate::format::repo_path::RepoPath;
use crate::format::twin::TwinNote;
use crate::refusal::Result;

/// What a note is authenticated for.
const PURPOSE: &str = "twin note";

/// The notes of one clone.
pub struct TwinNotes {
    directory: PathBuf,
    memory: Memory,
}

impl TwinNotes {
    /// Names the directory; nothing is created until something is put.
    pub(super) fn of(own: &Path, memory: Memory) -> Self {
        Self {
            directory: own.join("twins"),
            memory,
        }
    }

    /// Returns the note about the plaintext at `path`. One that is damaged, or that somebody else wrote, does not count.
    pub fn get(&self, path: &RepoPath) -> Option<TwinNote> {
        let key = self.memory.to_read(&purpose(path))?;
        let bytes = files::read_optional(&self.place(path), 1 << 12).ok().flatten()?;
        parse_strict_into(key.open(&bytes)?).ok()
    }

    /// Writes the note. Where nothing can be remembered it is left out.
    pub fn put(&self, path: &RepoPath, note: &TwinNote) -> Result<()> {
        let Some(key) = self.memory.to_write(&purpose(path)) else {
            return Ok(());
        };
        create_private_dir(&self.directory)?;
        let bytes = key.seal(to_document(note));
        write_own(&self.place(path), &mut &bytes[..], Durability::Disposable)
    }

    fn place(&self, path: &RepoPath) -> PathBuf {
        self.directory.join(Digest::of(path.as_bytes()).hex())
    }
}

/// A note counts for its own path only.
fn purpose(path: &RepoPath) -> String {
    format!("{PURPOSE} {}", Digest::of(path.as_bytes()))
}
