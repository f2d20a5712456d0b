//! What was published from a clone: one small file for each place and commit, with the id of the pack.

use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::refusal::Result;

/// The notes of one clone.
pub struct Publications {
    directory: PathBuf,
    memory: Memory,
}

impl Publications {
    /// Names the directory. It is created when something is first stored.
    pub(super) fn of(own: &Path, memory: Memory) -> Self {
        Self {
            directory: own.join("published"),
            memory,
        }
    }

    /// Returns whether there is a note, of whatever worth.
    pub fn has_any(&self) -> bool {
        files::names_in(&self.directory).is_ok_and(|names| !names.is_empty())
    }

    /// Returns the pack of a commit that was published at a place. `None` if there is no note that the user's key
    /// authenticates.
    pub fn get(&self, place: &str, commit: &ObjectId) -> Option<Digest> {
        let subject = subject(place, commit);
        let key = self.memory.to_read(&subject)?;
        let bytes = files::read_optional(&self.file(&subject), 1 << 10).ok().flatten()?;
        Digest::parse_hex(std::str::from_utf8(key.open(&bytes)?).ok()?)
    }

    /// Notes that a pack of a commit was published at a place. Does nothing if the user's key is not available.
    pub fn put(&self, place: &str, commit: &ObjectId, pack: &Digest) -> Result<()> {
        let subject = subject(place, commit);
        let Some(key) = self.memory.to_write(&subject) else {
            return Ok(());
        };
        create_private_dir(&self.directory)?;
        let bytes = key.seal(pack.hex().into_bytes());
        write_own(&self.file(&subject), &mut &bytes[..], Durability::Disposable)
    }

    fn file(&self, subject: &str) -> PathBuf {
        self.directory.join(Digest::of(subject.as_bytes()).hex())
    }
}

/// Returns the purpose of a note. It names the place and the commit, so that a note copied for others is not accepted.
fn subject(place: &str, commit: &ObjectId) -> String {
    format!("published {} at {}", commit.hex(), Digest::of(place.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_holds_for_its_place_and_commit_only() {
        let temp = tempfile::tempdir().unwrap();
        let memory = Memory::of(Some(&temp.path().join("state")));
        let notes = Publications::of(temp.path(), memory);
        let commit = |byte: u8| ObjectId::from_bytes(&[byte; 20]).unwrap();
        let pack = Digest::of(b"pack");
        assert_eq!(notes.get("git:origin", &commit(1)), None);
        notes.put("git:origin", &commit(1), &pack).unwrap();
        assert_eq!(notes.get("git:origin", &commit(1)), Some(pack));
        assert_eq!(notes.get("git:other", &commit(1)), None);
        assert_eq!(notes.get("git:origin", &commit(2)), None);
        let of = |byte| notes.file(&subject("git:origin", &commit(byte)));
        std::fs::copy(of(1), of(2)).unwrap();
        assert_eq!(notes.get("git:origin", &commit(2)), None, "a copied note");
        std::fs::write(of(1), pack.hex()).unwrap();
        assert_eq!(notes.get("git:origin", &commit(1)), None, "a forged note");
    }
}
