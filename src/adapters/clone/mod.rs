//! What git-pack keeps in a clone: everything below `$GIT_COMMON_DIR/gitpack`, behind one handle that is opened once.

pub mod clear_trees;
pub mod digests;
pub mod known;
mod memory;
pub mod publications;
pub mod remote_notes;
pub mod runs;
pub mod seals;
pub mod states;
pub mod twin_notes;
pub mod verdicts;
pub mod verified_packs;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::adapters::files;
use crate::adapters::store::disk::DiskStore;
use crate::format::digest::Digest;
use crate::refusal::{Refusal, Result};
use clear_trees::ClearTrees;
use digests::DigestCache;
use known::Known;
pub use memory::Memory;
use publications::Publications;
use remote_notes::RemoteNoteFile;
use runs::Runs;
use seals::SealStore;
use states::States;
use twin_notes::TwinNotes;
use verdicts::Verdicts;
use verified_packs::VerifiedPacks;

/// Name of git-pack's directory below a repository's common directory.
const OWN: &str = "gitpack";

/// Everything that is kept there, by the modules below and by the content store, but for the tables of known plaintext.
const PARTS: [&str; 11] = [
    "GC_PINS.json",
    "cas",
    "digests",
    "edits.lock",
    "published",
    "remotes",
    "runs",
    "seals",
    "twins",
    "verdicts",
    "verified",
];

/// The private state of one clone, shared by its worktrees. Directories are created when something is first stored.
pub struct PrivateState {
    own: PathBuf,
    memory: Memory,
    /// Read when it is first asked for.
    digests: OnceLock<DigestCache>,
}

impl PrivateState {
    /// Opens the state below a repository's common directory.
    ///
    /// An attacker may have prepared the clone. A link below `gitpack/` would redirect a read or a write to a file
    /// elsewhere, and a FIFO would block forever. So anything but directories and regular files is refused.
    pub fn open(common_dir: &Path, memory: Memory) -> Result<Self> {
        let own = common_dir.join(OWN);
        ensure_plain(&own, 2)?;
        Ok(Self {
            own,
            memory,
            digests: OnceLock::new(),
        })
    }

    /// Returns the state for a repository of another user: it remembers nothing and stores nothing.
    pub fn none(common_dir: &Path) -> Self {
        Self {
            own: common_dir.join(OWN),
            memory: Memory::none(),
            digests: OnceLock::new(),
        }
    }

    /// Returns the directory below which everything is.
    pub fn directory(&self) -> &Path {
        &self.own
    }

    /// Removes what git-pack keeps in the clone, but nothing that holds one of the files `kept`, and nothing that others put
    /// there. No other process may be storing anything.
    pub fn remove(&self, kept: &[PathBuf]) -> Result<()> {
        let names = match files::exists(&self.own) {
            true => files::names_in(&self.own)?,
            false => Vec::new(),
        };
        let tables = names
            .iter()
            .filter(|name| name.as_encoded_bytes().starts_with(known::PREFIX.as_bytes()));
        for name in PARTS.iter().map(OsStr::new).chain(tables.map(OsString::as_os_str)) {
            let part = self.own.join(name);
            if !kept.iter().any(|kept| kept.starts_with(&part)) && files::exists(&part) {
                files::remove_whole(&part)?;
            }
        }
        match files::is_empty_directory(&self.own) {
            true => files::remove_whole(&self.own),
            false => Ok(()),
        }
    }

    /// Waits until no other process edits the files to which several calls add lines: the configuration, `.gitignore`,
    /// `.gitattributes`. The lock is held until the value is dropped. A dry run edits nothing, and makes no lock.
    #[must_use = "the lock ends when it is dropped"]
    pub fn lock_edits(&self, dry_run: bool) -> Result<Option<File>> {
        if dry_run {
            return Ok(None);
        }
        files::create_private_dir(&self.own)?;
        let path = self.own.join("edits.lock");
        let lock = files::open_own(&path)?;
        lock.lock().map_err(Refusal::io("locking", &path))?;
        Ok(Some(lock))
    }

    /// Returns the digest cache, which is read once.
    pub fn digests(&self) -> &DigestCache {
        let load = || DigestCache::load(&self.own, self.memory.clone());
        self.digests.get_or_init(load)
    }

    /// Returns the states that were computed before.
    pub fn states(&self) -> States {
        States::of(&self.own, self.memory.clone())
    }

    /// Returns the entries of sealed trees that were fit to be in the clear.
    pub fn clear_trees(&self) -> ClearTrees {
        ClearTrees::of(&self.own, self.memory.clone())
    }

    /// Returns the log of what was judged clean under the rules that `key` stands for.
    pub fn verdicts(&self, key: Digest) -> Verdicts {
        Verdicts::of(&self.own, key, self.memory.clone())
    }

    /// Returns the record of packs on disk that were verified before.
    pub fn verified_packs(&self) -> VerifiedPacks {
        VerifiedPacks::of(&self.own, self.memory.clone())
    }

    /// Returns the notes about sealed twins.
    pub fn twin_notes(&self) -> TwinNotes {
        TwinNotes::of(&self.own, self.memory.clone())
    }

    /// Returns the notes about remotes.
    pub fn remote_notes(&self) -> RemoteNoteFile {
        RemoteNoteFile::of(&self.own, self.memory.clone())
    }

    /// Returns the notes about what was published.
    pub fn publications(&self) -> Publications {
        Publications::of(&self.own, self.memory.clone())
    }

    /// Returns the table of known plaintext.
    pub fn known(&self) -> Known {
        Known::open(&self.own, self.memory.clone())
    }

    /// Returns the store of ciphertexts and receipts of earlier seals.
    pub fn seals(&self) -> SealStore {
        SealStore::of(&self.own)
    }

    /// Returns the recorded runs.
    pub fn runs(&self) -> Runs {
        Runs::of(&self.own)
    }

    /// Returns the content store.
    pub fn store(&self) -> DiskStore {
        DiskStore::of(&self.own)
    }
}

/// Refuses if `path`, or anything in it down to `depth` levels of directories, is neither a directory nor a regular
/// file.
fn ensure_plain(path: &Path, depth: usize) -> Result<()> {
    let Some(kind) = files::kind_at(path)? else {
        return Ok(());
    };
    if kind.is_file() {
        return Ok(());
    }
    if !kind.is_dir() {
        return Err(Refusal::Planted {
            path: path.to_owned(),
            kind: files::kind_name(kind),
        });
    }
    if depth == 0 {
        return Ok(());
    }
    for (name, kind) in files::kinds_in(path)? {
        match kind.is_file() {
            true => {}
            false => ensure_plain(&path.join(name), depth - 1)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::adapters::files::platform::symlink;

    #[test]
    fn a_link_or_a_pipe_anywhere_in_the_state_is_refused() {
        for place in [
            "gitpack",
            "gitpack/digests",
            "gitpack/seals",
            "gitpack/seals/ab",
            "gitpack/seals/lock",
        ] {
            let temp = tempfile::tempdir().unwrap();
            let path = temp.path().join(place);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            assert!(PrivateState::open(temp.path(), Memory::none()).is_ok());
            symlink(".", &path).unwrap();
            let refused = PrivateState::open(temp.path(), Memory::none());
            assert!(matches!(refused, Err(Refusal::Planted { .. })), "{place}");
            std::fs::remove_file(&path).unwrap();
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            assert!(PrivateState::open(temp.path(), Memory::none()).is_err(), "{place}");
        }
    }
}
