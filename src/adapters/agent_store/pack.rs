//! One public pack: it is made whole, appended to at its end, cut back, and read in ranges.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::input::CyclesInput;
use super::look::shared;
use super::shard::exclusive;
use crate::adapters::files::platform::{FileExt, names_of, unfollowed};
use crate::adapters::files::{self, kind_name, place_new_unnamed, unnamed_beside};
use crate::format::agent::HEADER;
use crate::format::agent::genome::{CYCLE, GenomeHeader, byte_of};
use crate::refusal::agent::{CyclesFault, GenomeFault};
use crate::refusal::{Refusal, Result};

/// The mode of a new pack, less the umask: everybody may audit it.
const MODE: u32 = 0o666;
/// Number of cycles that are read at once.
const AT_ONCE: u64 = 10_000;

/// The lock on a new pack. It ends when this is dropped.
pub struct PackLock {
    _file: File,
}

/// An open pack.
pub struct PackFile {
    /// Its path.
    pub path: PathBuf,
    file: File,
}

impl PackFile {
    /// Opens a pack for reading.
    pub fn to_read(path: PathBuf) -> Result<Self> {
        let file = files::open_regular(&path)?.file;
        Ok(Self { path, file })
    }

    /// Opens a pack for appending, and waits for its lock. Refuses a pack that has other names, because those may be
    /// files of the user that somebody linked here.
    pub fn to_append(path: PathBuf) -> Result<Self> {
        let opened = unfollowed(OpenOptions::new().read(true).append(true)).open(&path);
        let file = opened.map_err(Refusal::io("opening", &path))?;
        let meta = file.metadata().map_err(Refusal::io("reading", &path))?;
        if !meta.is_file() {
            let kind = kind_name(meta.file_type());
            return Err(Refusal::genome(&path, GenomeFault::Foreign { kind }));
        }
        if names_of(&file).map_err(Refusal::io("reading", &path))? > 1 {
            return Err(Refusal::cycles(&path, CyclesFault::OtherNames));
        }
        exclusive(&file, &path)?;
        Ok(Self { path, file })
    }

    /// Waits until nothing is being appended to the pack. On a file system without locks, there is nothing to wait for.
    pub fn share(&self) {
        shared(&self.file);
    }

    /// Reads the header.
    pub fn header(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; HEADER];
        let mut filled = 0;
        while filled < HEADER {
            match self.file.read_at(&mut bytes[filled..], filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Refusal::io("reading", &self.path)(e)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Appends `count` cycles of the input, from its cycle `from` on. They are on the disk when this returns.
    pub fn append(&mut self, input: &CyclesInput, from: u64, count: u64) -> Result<()> {
        input.copy(from * CYCLE, count * CYCLE, &mut self.file, &self.path)?;
        self.file.sync_data().map_err(Refusal::io("syncing", &self.path))
    }

    /// Cuts the pack back to `size` bytes.
    pub fn cut(&self, size: u64) -> Result<()> {
        self.file
            .set_len(size)
            .and_then(|()| self.file.sync_all())
            .map_err(Refusal::io("cutting", &self.path))
    }

    /// Passes `count` cycles to `each`, from the pack's own cycle `skip` on, several at a time, until it returns false.
    /// Returns whether it always returned true.
    pub fn read(&self, skip: u64, count: u64, each: &mut dyn FnMut(&[u8]) -> bool) -> Result<bool> {
        let mut buffer = vec![0; (AT_ONCE.min(count) * CYCLE) as usize];
        let mut done = 0;
        while done < count {
            let most = AT_ONCE.min(count - done);
            let part = &mut buffer[..(most * CYCLE) as usize];
            let read = self.file.read_exact_at(part, byte_of(skip + done));
            read.map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => Refusal::ChangedWhileRead {
                    path: self.path.clone(),
                },
                _ => Refusal::io("reading", &self.path)(e),
            })?;
            if !each(part) {
                return Ok(false);
            }
            done += most;
        }
        Ok(true)
    }
}

/// Makes a pack at `path` with `count` cycles of the input, from its cycle `from` on.
///
/// The file gets its name when it is whole and on the disk, so a killed process leaves no part of a pack. Returns a lock on
/// it, if it has one: the pack may be removed again as long as nobody else writes to it.
pub fn make(
    path: &Path,
    header: &GenomeHeader,
    input: &CyclesInput,
    from: u64,
    count: u64,
) -> Result<Option<PackLock>> {
    let mut file = unnamed_beside(path, MODE)?;
    file.write_all(&header.to_bytes())
        .map_err(Refusal::io("writing", path))?;
    input.copy(from * CYCLE, count * CYCLE, &mut file, path)?;
    exclusive(&file, path)?;
    let lock = file.try_clone().ok().map(|_file| PackLock { _file });
    match place_new_unnamed(file, path, MODE) {
        Ok(()) => Ok(lock),
        Err(Refusal::OutputExists { .. }) => Err(Refusal::cycles(files::parent(path), CyclesFault::Contended)),
        Err(refused) => Err(refused),
    }
}
