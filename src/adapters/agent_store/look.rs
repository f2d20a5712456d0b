//! Looks at the public packs of a store: their names, sizes and first bytes. Reads no cycles.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::adapters::files;
use crate::adapters::files::platform::open_to_lock;
use crate::format::agent::HEADER;
use crate::format::agent::genome::{ROOT, Shard, is_meant_as_pack};
use crate::refusal::agent::{CyclesFault, GenomeFault};
use crate::refusal::shown::shown;
use crate::refusal::{Refusal, Result};

/// What is in the directory of all shards.
#[derive(Debug, Default)]
pub struct SeenStore {
    /// The shards, sorted.
    pub shards: Vec<SeenShard>,
    /// What does not belong there, each with its path below the top.
    pub faults: Vec<(String, GenomeFault)>,
}

/// What is in the directory of a shard.
#[derive(Debug)]
pub struct SeenShard {
    /// The shard.
    pub shard: Shard,
    /// The files that are packs by their name, or meant to be, sorted by name.
    pub files: Vec<SeenFile>,
    /// What does not belong there or cannot be read, each with its path below the top.
    pub faults: Vec<(String, GenomeFault)>,
}

/// A file among the packs of a shard.
#[derive(Debug)]
pub struct SeenFile {
    /// Its path below the top, with `/` between its parts.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its first 128 bytes, or all of it if it is shorter.
    pub start_of_file: Vec<u8>,
}

/// Looks at the store below `top`. `None` if it has no directory for public packs. No link is followed.
pub fn store(top: &Path) -> Result<Option<SeenStore>> {
    ensure_no_link_to_read(top, Path::new(ROOT))?;
    let root = top.join(ROOT);
    if !files::exists(&root) {
        return Ok(None);
    }
    let mut seen = SeenStore::default();
    let mut entries = files::kinds_in(&root)?;
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, kind) in entries {
        let shard = name.to_str().and_then(Shard::of_directory).filter(|_| kind.is_dir());
        match shard {
            Some(shard) => seen.shards.push(look_at(&root.join(&name), shard, ROOT)?),
            None => seen.faults.push((below(ROOT, &name), foreign(kind))),
        }
    }
    Ok(Some(seen))
}

/// Refuses if any component of `below`, a path relative to `top`, is a link.
pub(super) fn ensure_no_link_to_read(top: &Path, below: &Path) -> Result<()> {
    files::ensure_no_link(top, below).map_err(to_read)
}

/// Words the refusal of a link for something that is read.
pub(super) fn to_read(refused: Refusal) -> Refusal {
    match refused {
        Refusal::ThroughLink { link, .. } => Refusal::cycles(&link, CyclesFault::Link),
        refused => refused,
    }
}

/// Looks at the shard in `directory`, whose path below the top is `place` and the shard.
pub fn look_at(directory: &Path, shard: Shard, place: &str) -> Result<SeenShard> {
    let place = match place {
        "" => shard.as_str().to_owned(),
        place => format!("{place}/{}", shard.as_str()),
    };
    let _lock = shared_lock(directory)?;
    let mut seen = SeenShard {
        shard,
        files: Vec::new(),
        faults: Vec::new(),
    };
    let mut entries = files::kinds_in(directory)?;
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, kind) in entries {
        let path = below(&place, &name);
        let meant = kind.is_file() && name.to_str().is_some_and(is_meant_as_pack);
        if !meant {
            seen.faults.push((path, foreign(kind)));
            continue;
        }
        match look_at_file(&directory.join(&name), path.clone()) {
            Ok(file) => seen.files.push(file),
            Err(refused) => seen.faults.push((
                path,
                GenomeFault::Unreadable {
                    said: refused.to_string(),
                },
            )),
        }
    }
    Ok(seen)
}

/// Looks at one file, whose path below the top is `path`.
pub fn look_at_file(file: &Path, path: String) -> Result<SeenFile> {
    let opened = files::open_regular(file)?;
    let mut start_of_file = Vec::with_capacity(HEADER);
    let read = (&opened.file).take(HEADER as u64).read_to_end(&mut start_of_file);
    read.map_err(Refusal::io("reading", file))?;
    Ok(SeenFile {
        path,
        size: opened.size,
        start_of_file,
    })
}

/// Waits until nothing is being appended to a shard, so that its names and sizes belong together. Dropping the file ends it.
///
/// Whoever may read a shard may do so. On a file system without locks, there is nothing to wait for.
pub fn shared_lock(directory: &Path) -> Result<File> {
    let opened = open_to_lock(directory).map_err(Refusal::io("opening", directory))?;
    shared(&opened);
    Ok(opened)
}

/// Waits for the shared lock on an open file or directory, if its file system has locks.
pub(super) fn shared(file: &File) {
    while file
        .lock_shared()
        .is_err_and(|e| e.kind() == io::ErrorKind::Interrupted)
    {}
}

fn foreign(kind: std::fs::FileType) -> GenomeFault {
    let kind = match kind.is_file() {
        true => "another file",
        false => files::kind_name(kind),
    };
    GenomeFault::Foreign { kind }
}

fn below(place: &str, name: &std::ffi::OsStr) -> String {
    let name = name
        .to_str()
        .map_or_else(|| shown(name.as_encoded_bytes()), str::to_owned);
    match place {
        "" => name,
        place => format!("{place}/{name}"),
    }
}
