//! The notes of a clone about its remotes, on disk.

use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::format::remote_notes::RemoteNotes;
use crate::refusal::Result;

/// What the notes are authenticated for.
const PURPOSE: &str = "remotes";

/// The largest file that is read: some hundred thousand refs.
const MAX_BYTES: u64 = 32 << 20;

/// The place of the notes.
pub struct RemoteNoteFile {
    path: PathBuf,
    memory: Memory,
}

impl RemoteNoteFile {
    /// Names the file; nothing is created until something is saved.
    pub(super) fn of(own: &Path, memory: Memory) -> Self {
        Self {
            path: own.join("remotes"),
            memory,
        }
    }

    /// Reads the notes. Without them, or with damaged ones, or with those of somebody else, nothing is known.
    pub fn load(&self) -> RemoteNotes {
        let read = || {
            let key = self.memory.to_read(PURPOSE)?;
            let bytes = files::read_optional(&self.path, MAX_BYTES).ok().flatten()?;
            RemoteNotes::parse(key.open(&bytes)?)
        };
        read().unwrap_or_default()
    }

    /// Writes the notes. Where nothing can be remembered they are left out.
    pub fn save(&self, notes: &RemoteNotes) -> Result<()> {
        let Some(key) = self.memory.to_write(PURPOSE) else {
            return Ok(());
        };
        create_private_dir(files::parent(&self.path))?;
        let bytes = key.seal(notes.to_bytes());
        write_own(&self.path, &mut &bytes[..], Durability::Disposable)
    }
}
