//! The directory of a shard: it is made, locked and listed.
//!
//! Writers lock in this order, and hold both locks until everything is on the disk:
//!
//! 1. the directory of the shard, opened for reading, with an exclusive `flock`. It serialises all writers, also where a new
//!    pack begins;
//! 2. the last pack, with an exclusive `flock`, for writers that know only the lock on a pack. Then the directory is listed
//!    again: such a writer may have begun a new pack while this one waited.
//!
//! Readers hold both locks shared while they take names and sizes. They read the cycles without a lock, because what is
//! reported as written never changes.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::look::{ensure_no_link_to_read, shared_lock};
use crate::adapters::files::platform::{is_still_locked, open_to_lock};
use crate::adapters::files::{self, ensure_no_link};
use crate::format::agent::chain::ChainLink;
use crate::format::agent::genome::{ROOT, Shard, is_meant_as_pack, name_of, start_of};
use crate::refusal::agent::{CyclesFault, GenomeFault};
use crate::refusal::{Refusal, Result};

/// The locked directory of a shard.
#[must_use = "dropping it ends the lock"]
pub struct ShardDirectory {
    /// Its path.
    pub path: PathBuf,
    /// Holds the lock.
    _lock: File,
    /// The directories that were made for it, from the outermost on.
    made: Vec<PathBuf>,
}

impl ShardDirectory {
    /// Waits until no other process appends to the shard, and keeps others waiting. The directory is made if it is missing.
    pub fn to_append(top: &Path, shard: &Shard) -> Result<Self> {
        let below = Path::new(ROOT).join(shard.as_str());
        let path = top.join(&below);
        loop {
            ensure_no_link(top, &below)?;
            let made = make_directories(top, &below)?;
            let lock = match open_to_lock(&path) {
                // Another process made it, could not write, and removed it again.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                opened => opened.map_err(Refusal::io("opening", &path))?,
            };
            exclusive(&lock, &path)?;
            if is_still_locked(&lock, &path) {
                let _lock = lock;
                return Ok(Self { path, _lock, made });
            }
        }
    }

    /// Waits until nothing is being appended to the shard. `None` if there is no such shard.
    pub fn to_read(top: &Path, shard: &Shard) -> Result<Option<Self>> {
        let below = Path::new(ROOT).join(shard.as_str());
        ensure_no_link_to_read(top, &below)?;
        let path = top.join(&below);
        if !files::is_directory(&path) {
            return Ok(None);
        }
        let _lock = shared_lock(&path)?;
        Ok(Some(Self {
            path,
            _lock,
            made: Vec::new(),
        }))
    }

    /// Returns the path of the pack that begins with the cycle `start`.
    pub fn pack(&self, start: u64) -> PathBuf {
        // A number that has more than 32 bits is not that of a pack, and there is no such file.
        self.path.join(name_of(u32::try_from(start).unwrap_or(u32::MAX)))
    }

    /// Returns the packs by their names and sizes, in no order. Refuses what looks like a pack and is not one. Other files
    /// do not count.
    pub fn links(&self) -> Result<Vec<ChainLink>> {
        let mut links = Vec::new();
        for (name, kind) in files::kinds_in(&self.path)? {
            let path = self.path.join(&name);
            let name = name.to_string_lossy();
            if !is_meant_as_pack(&name) {
                continue;
            }
            let start = start_of(&name).filter(|start| u32::try_from(*start).is_ok());
            let Some(start) = start else {
                return Err(Refusal::genome(&path, GenomeFault::Name));
            };
            if !kind.is_file() {
                let kind = files::kind_name(kind);
                return Err(Refusal::genome(&path, GenomeFault::Foreign { kind }));
            }
            let meta = std::fs::symlink_metadata(&path).map_err(Refusal::io("reading", &path))?;
            let size = meta.len();
            links.push(ChainLink { start, size });
        }
        Ok(links)
    }

    /// Makes the removal of packs durable.
    pub fn sync(&self) -> Result<()> {
        files::sync(&self.path)
    }

    /// Removes the directories that were made for this shard, if nothing is in them.
    pub fn remove_made(self) {
        for path in self.made.iter().rev() {
            if std::fs::remove_dir(path).is_err() {
                break;
            }
        }
    }
}

/// Returns the shards of the store below `top`, sorted.
pub fn shards(top: &Path) -> Result<Vec<Shard>> {
    ensure_no_link_to_read(top, Path::new(ROOT))?;
    let root = top.join(ROOT);
    if !files::is_directory(&root) {
        return Ok(Vec::new());
    }
    let entries = files::kinds_in(&root)?.into_iter();
    let shard = |(name, kind): (std::ffi::OsString, std::fs::FileType)| {
        let shard = name.to_str().and_then(Shard::of_directory);
        shard.filter(|_| kind.is_dir())
    };
    let mut shards: Vec<Shard> = entries.filter_map(shard).collect();
    shards.sort();
    Ok(shards)
}

/// Waits for the exclusive lock on an open file or directory.
pub(super) fn exclusive(file: &File, path: &Path) -> Result<()> {
    loop {
        match file.lock() {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => {
                let said = crate::refusal::io_reason(&e);
                return Err(Refusal::cycles(path, CyclesFault::NoLock { said }));
            }
        }
    }
}

/// Makes the directories of `below` that are missing, and returns them. After a failure, there are no new ones.
fn make_directories(top: &Path, below: &Path) -> Result<Vec<PathBuf>> {
    let mut made: Vec<PathBuf> = Vec::new();
    let mut path = top.to_owned();
    for part in below.components() {
        let above = path.clone();
        path.push(part);
        let done = match std::fs::create_dir(&path) {
            Ok(()) => {
                made.push(path.clone());
                files::sync(&above)
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && files::is_directory(&path) => Ok(()),
            // Another process has removed a directory again that it had made.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && above != top => return Ok(made),
            Err(e) => Err(Refusal::io("creating", &path)(e)),
        };
        if let Err(refused) = done {
            for path in made.iter().rev() {
                drop(std::fs::remove_dir(path));
            }
            return Err(refused);
        }
    }
    Ok(made)
}
