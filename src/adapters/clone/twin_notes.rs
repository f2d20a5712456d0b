//! The notes of a clone about its sealed twins: one file for each plaintext path.

use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::format::canonical_json::{parse_strict_into, to_document};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::repo_path::RepoPath;
use crate::format::twin::{CHOICE_VERSION, SideChoice, TwinNote};
use crate::refusal::Result;

/// The purpose from which a note's authentication key is derived, together with its path.
const PURPOSE: &str = "twin note";

/// The purpose from which the authentication key of a choice is derived, together with its name.
const CHOICE: &str = "twin choice";

/// The notes of one clone.
pub struct TwinNotes {
    directory: PathBuf,
    memory: Memory,
}

impl TwinNotes {
    /// Names the directory. It is created when something is first stored.
    pub(super) fn of(own: &Path, memory: Memory) -> Self {
        Self {
            directory: own.join("twins"),
            memory,
        }
    }

    /// Returns the note about the plaintext at `path`. `None` if it is missing, damaged, or not authenticated by the
    /// user's key.
    pub fn get(&self, path: &RepoPath) -> Option<TwinNote> {
        let key = self.memory.to_read(&purpose(path))?;
        let bytes = files::read_optional(&self.place(path), 1 << 12).ok().flatten()?;
        parse_strict_into(key.open(&bytes)?).ok()
    }

    /// Returns whether there may be a note about the plaintext at `path`.
    pub fn has(&self, path: &RepoPath) -> bool {
        files::exists(&self.place(path))
    }

    /// Writes the note. Does nothing if the user's key is not available.
    pub fn put(&self, path: &RepoPath, note: &TwinNote) -> Result<()> {
        let Some(key) = self.memory.to_write(&purpose(path)) else {
            return Ok(());
        };
        create_private_dir(&self.directory)?;
        let bytes = key.seal(to_document(note));
        write_own(&self.place(path), &mut &bytes[..], Durability::Disposable)
    }

    /// Returns whether a person chose `blob` of the two sides of an unmerged twin.
    pub fn is_chosen(&self, sides: [&ObjectId; 2], blob: &ObjectId) -> bool {
        let name = choice(sides);
        let chosen = || {
            let key = self.memory.to_read(&format!("{CHOICE} {name}"))?;
            let bytes = files::read_optional(&self.choices().join(&name), 1 << 12)
                .ok()
                .flatten()?;
            parse_strict_into::<SideChoice>(key.open(&bytes)?).ok()
        };
        chosen().is_some_and(|note| note.chosen == blob.hex())
    }

    /// Notes that a person chose `blob` of the two sides. Does nothing if the user's key is not available.
    pub fn put_choice(&self, sides: [&ObjectId; 2], blob: &ObjectId) -> Result<()> {
        let name = choice(sides);
        let Some(key) = self.memory.to_write(&format!("{CHOICE} {name}")) else {
            return Ok(());
        };
        create_private_dir(&self.choices())?;
        let note = SideChoice {
            version: CHOICE_VERSION.into(),
            chosen: blob.hex(),
        };
        let bytes = key.seal(to_document(&note));
        write_own(&self.choices().join(name), &mut &bytes[..], Durability::Disposable)
    }

    fn place(&self, path: &RepoPath) -> PathBuf {
        self.directory.join(Digest::of(path.as_bytes()).hex())
    }

    fn choices(&self) -> PathBuf {
        self.directory.join("sides")
    }
}

/// Names a choice between two sides, whichever of them is called ours.
fn choice(mut sides: [&ObjectId; 2]) -> String {
    sides.sort();
    Digest::of(format!("{} {}", sides[0].hex(), sides[1].hex()).as_bytes()).hex()
}

/// Returns the purpose of a note. It names the path, so that a note copied to another path is not accepted there.
fn purpose(path: &RepoPath) -> String {
    format!("{PURPOSE} {}", Digest::of(path.as_bytes()))
}
