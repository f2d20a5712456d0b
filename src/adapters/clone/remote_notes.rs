//! The file in which a clone keeps its notes about remotes.

use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::format::remote_notes::RemoteNotes;
use crate::refusal::Result;

/// The purpose from which the notes' authentication key is derived.
const PURPOSE: &str = "remotes";

/// The largest file to read, in bytes: some hundred thousand refs.
const MAX_BYTES: u64 = 32 << 20;

/// The file of the notes.
pub struct RemoteNoteFile {
    path: PathBuf,
    memory: Memory,
}

impl RemoteNoteFile {
    /// Names the file. It is created by the first save.
    pub(super) fn of(own: &Path, memory: Memory) -> Self {
        Self {
            path: own.join("remotes"),
            memory,
        }
    }

    /// Reads the notes. Notes that are missing, damaged, or not authenticated by the user's key count as empty.
    pub fn load(&self) -> RemoteNotes {
        let read = || {
            let key = self.memory.to_read(PURPOSE)?;
            let bytes = files::read_optional(&self.path, MAX_BYTES).ok().flatten()?;
            RemoteNotes::parse(key.open(&bytes)?)
        };
        read().unwrap_or_default()
    }

    /// Writes the notes. Does nothing if the user's key is not available.
    pub fn save(&self, notes: &RemoteNotes) -> Result<()> {
        let Some(key) = self.memory.to_write(PURPOSE) else {
            return Ok(());
        };
        create_private_dir(files::parent(&self.path))?;
        let bytes = key.seal(notes.to_bytes());
        write_own(&self.path, &mut &bytes[..], Durability::Disposable)
    }
}
