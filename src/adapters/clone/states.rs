//! States that this clone computed before: their digests, and the lines of the last one for each setting.
//!
//! Lines have hashes of protected plaintext, so they lie beside the receipts, as such hashes do everywhere.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::adapters::clone::Memory;
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::format::state_lines::{LineSource, LinesFile, StateLines};

/// The most digests that are remembered.
const DIGESTS: usize = 256;
/// Length of a record in bytes: what the digest is of, and the digest.
const RECORD: usize = 64;

/// The remembered states of one clone. Whatever is damaged, or not authenticated by the user's key, counts as missing.
pub struct States {
    directory: PathBuf,
    memory: Memory,
}

impl States {
    /// Names the directory. It is created when something is first stored.
    pub(super) fn of(own: &Path, memory: Memory) -> Self {
        Self {
            directory: own.join("seals").join("states"),
            memory,
        }
    }

    /// Returns the digest of a state. `subject` stands for its tree and all settings.
    pub fn digest(&self, subject: &Digest) -> Option<Digest> {
        let records = self.records();
        let mut records = records.chunks_exact(RECORD);
        let record = records.find(|record| record[..32] == *subject.as_bytes())?;
        Some(Digest::from_bytes(record[32..].try_into().ok()?))
    }

    /// Remembers a digest. Ignores write errors: without it, a later run is only slower.
    pub fn keep_digest(&self, subject: &Digest, digest: &Digest) {
        let mut records = self.records();
        let surplus = (records.len() / RECORD + 1).saturating_sub(DIGESTS);
        records.drain(..surplus * RECORD);
        records.extend_from_slice(subject.as_bytes());
        records.extend_from_slice(digest.as_bytes());
        if let Some(key) = self.memory.to_write("digests of states")
            && create_private_dir(&self.directory).is_ok()
        {
            let sealed = key.seal(records);
            drop(write_own(&self.digests(), &mut &sealed[..], Durability::Disposable));
        }
    }

    /// Returns the lines of the last state that was computed with these settings.
    pub fn lines(&self, settings: &Digest) -> Option<StateLines<File>> {
        let key = self.memory.to_read(&purpose(settings))?;
        let opened = files::open_regular(&self.place(settings)).ok()?;
        StateLines::open(opened.file, &key)
    }

    /// Remembers the lines of the state of a tree. Ignores write errors, and lines that cannot be remembered.
    pub fn keep_lines(&self, settings: &Digest, tree: ObjectId, lines: impl LineSource) {
        if let Some(key) = self.memory.to_write(&purpose(settings))
            && create_private_dir(&self.directory).is_ok()
        {
            self.make_room();
            let mut file = LinesFile::new(tree, lines, &key);
            drop(write_own(&self.place(settings), &mut file, Durability::Disposable));
        }
    }

    /// Removes all lines if there are those of several settings, so that they do not pile up.
    fn make_room(&self) {
        const MOST: usize = 4;
        let Ok(files) = files::kinds_in(&self.directory) else {
            return;
        };
        let lines: Vec<PathBuf> = files
            .into_iter()
            .filter(|(name, _)| name != DIGESTS_NAME)
            .map(|(name, _)| self.directory.join(name))
            .collect();
        if lines.len() > MOST {
            lines.iter().for_each(|path| drop(files::remove(path)));
        }
    }

    fn records(&self) -> Vec<u8> {
        let read = || {
            let key = self.memory.to_read("digests of states")?;
            let most = (DIGESTS * RECORD + 32) as u64;
            let bytes = files::read_optional(&self.digests(), most).ok().flatten()?;
            let records = key.open(&bytes)?;
            records.len().is_multiple_of(RECORD).then(|| records.to_vec())
        };
        read().unwrap_or_default()
    }

    fn digests(&self) -> PathBuf {
        self.directory.join(DIGESTS_NAME)
    }

    fn place(&self, settings: &Digest) -> PathBuf {
        self.directory.join(settings.hex())
    }
}

/// Name of the file with the digests.
const DIGESTS_NAME: &str = "digests";

/// Returns the purpose of lines. It names their settings, so that a file copied for other settings is not accepted.
fn purpose(settings: &Digest) -> String {
    format!("lines of states {settings}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::state_lines::EntryLines;

    #[test]
    fn states_are_remembered_each_for_its_settings() {
        let temp = tempfile::tempdir().unwrap();
        let states = || States::of(temp.path(), Memory::of(Some(temp.path())));
        let subject = |number: usize| Digest::of(&number.to_le_bytes());
        for number in 0..=DIGESTS {
            states().keep_digest(&subject(number), &Digest::of(b"x"));
        }
        assert_eq!(states().digest(&subject(DIGESTS)), Some(Digest::of(b"x")));
        assert_eq!(states().digest(&subject(1)), Some(Digest::of(b"x")));
        assert_eq!(states().digest(&subject(0)), None);
        let tree = ObjectId::from_bytes(&[1; 20]).unwrap();
        let keep = |number| states().keep_lines(&subject(number), tree, EntryLines::of(&[]));
        keep(1);
        assert_eq!(*states().lines(&subject(1)).unwrap().tree(), tree);
        std::fs::copy(states().place(&subject(1)), states().place(&subject(2))).unwrap();
        assert!(states().lines(&subject(2)).is_none());
        for number in 3..9 {
            keep(number);
        }
        assert!(std::fs::read_dir(&states().directory).unwrap().count() < 7);
        assert_eq!(States::of(temp.path(), Memory::none()).digest(&subject(1)), None);
    }
}
