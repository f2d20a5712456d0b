//! Files on disk: bounded reads of regular files, and the one way of writing whole files.

mod below;
mod links;
pub mod platform;
mod walk;
mod write;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use zeroize::Zeroizing;

use crate::adapters::meter::{opened as file_opened, passed};
use crate::format::path_bytes::bytes_of_path;
use crate::format::repo_state::EntryKind;
use crate::refusal::{Refusal, Result};
use platform::{private, private_directories, unfollowed};

pub use below::Below;
pub use links::{ensure_is_no_link, ensure_no_link, ensure_stays_in_tree};
pub use walk::{Met, Walked, descend, walk, walk_all};
pub use write::{
    Durability, Over, TEMPORARY, UnnamedFile, clone_whole, place_new_unnamed, place_unnamed, place_unnamed_by,
    replace_link, unnamed_beside, write_new_private, write_own, write_whole, write_whole_over,
};

/// Names the kind of a file that is not regular.
pub fn kind_name(kind: std::fs::FileType) -> &'static str {
    if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a directory"
    } else if platform::is_fifo(kind) {
        "a FIFO"
    } else if platform::is_socket(kind) {
        "a socket"
    } else {
        "a device"
    }
}

/// An open regular file, with its metadata from when it was opened.
pub struct OpenedFile {
    /// The open file.
    pub file: File,
    /// Size in bytes when it was opened.
    pub size: u64,
    path: PathBuf,
    stamp: Stamp,
}

/// Metadata that changes when a file changes: its size, and what the system tells about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    size: u64,
    of_system: [i64; 5],
}

impl Stamp {
    /// Returns the metadata of an open file.
    pub fn of_open(file: &File) -> io::Result<Self> {
        file.metadata().map(|meta| Self::of(&meta))
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn of(meta: &std::fs::Metadata) -> Self {
        Self {
            size: meta.len(),
            of_system: platform::stamp(meta),
        }
    }
}

/// Opens a regular file. Links are not followed, and a FIFO or device in its place is refused without waiting for it.
pub fn open_regular(path: &Path) -> Result<OpenedFile> {
    let opened = unfollowed(OpenOptions::new().read(true)).open(path);
    regular(opened, path.to_owned())
}

/// Refuses what was opened at `path`, unless it is a regular file.
fn regular(opened: io::Result<File>, path: PathBuf) -> Result<OpenedFile> {
    let not_regular = |kind, path| Refusal::NotRegular {
        path,
        kind: kind_name(kind),
    };
    let file = match opened {
        Ok(file) => file,
        Err(e) => {
            // A link gives ELOOP and a socket ENXIO: name the kind of file instead of the error.
            return Err(match std::fs::symlink_metadata(&path) {
                Ok(meta) if !meta.is_file() => not_regular(meta.file_type(), path),
                _ => Refusal::io("opening", &path)(e),
            });
        }
    };
    let meta = file.metadata().map_err(Refusal::io("reading", &path))?;
    if !meta.is_file() {
        return Err(not_regular(meta.file_type(), path));
    }
    file_opened(meta.len());
    Ok(OpenedFile {
        size: meta.len(),
        stamp: Stamp::of(&meta),
        path,
        file,
    })
}

/// Opens a file of git-pack's own for locking or appending, and creates it if it does not exist.
///
/// As in [`open_regular`], links are not followed, and opening a FIFO does not block.
pub fn open_own(path: &Path) -> Result<File> {
    let opened = unfollowed(private(OpenOptions::new().create(true).append(true))).open(path);
    let kind = match &opened {
        Ok(file) => Some(file.metadata().map_err(Refusal::io("reading", path))?.file_type()),
        Err(_) => kind_at(path)?,
    };
    match kind.filter(|kind| !kind.is_file()) {
        Some(kind) => Err(Refusal::Planted {
            path: path.to_owned(),
            kind: kind_name(kind),
        }),
        None => opened.map_err(Refusal::io("opening", path)),
    }
}

/// Opens a regular file, and refuses if it changed since `stamp` was taken.
pub fn open_same(path: &Path, stamp: &Stamp) -> Result<OpenedFile> {
    let opened = open_regular(path)?;
    match opened.stamp == *stamp {
        true => Ok(opened),
        false => Err(Refusal::ChangedWhileRead { path: path.to_owned() }),
    }
}

impl OpenedFile {
    /// Returns the file's metadata from when it was opened.
    pub fn stamp(&self) -> Stamp {
        self.stamp.clone()
    }

    /// Refuses if the file changed since it was opened: the bytes read may then mix two versions of it.
    pub fn ensure_unchanged(&self) -> Result<()> {
        let meta = self.file.metadata().map_err(Refusal::io("reading", &self.path))?;
        if Stamp::of(&meta) == self.stamp {
            Ok(())
        } else {
            Err(Refusal::ChangedWhileRead {
                path: self.path.clone(),
            })
        }
    }
}

/// Reads a regular file of at most `max` bytes. `None` if nothing exists at `path`.
pub fn read_optional(path: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Refusal::io("reading", path)(e)),
        Ok(_) => read(path, max).map(Some),
    }
}

/// Returns the modification time of a file in nanoseconds since the epoch. `None` if it cannot be read.
pub fn written_at(path: &Path) -> Option<u64> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    let written = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(written.as_nanos()).ok()
}

/// Reads a regular file of at most `max` bytes.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>> {
    let opened = open_regular(path)?;
    read_all(&opened.file, path, max, opened.size)
}

/// Reads a file of any kind, of at most `max` bytes. Follows links and reads pipes.
pub fn read_any(path: &Path, max: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Refusal::io("opening", path))?;
    read_all(&file, path, max, 0)
}

/// Reads an open file of at most `max` bytes. Reserves memory for `expected` bytes.
fn read_all(file: &File, path: &Path, max: u64, expected: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(expected.min(max) as usize);
    file.take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(Refusal::io("reading", path))?;
    if bytes.len() as u64 > max {
        let source = io::Error::other(format!("it has more than {max} bytes"));
        return Err(Refusal::io("reading", path)(source));
    }
    Ok(bytes)
}

/// A file to which only its owner should have access: opened, but not read yet.
pub struct SecretFile {
    file: File,
    meta: std::fs::Metadata,
    path: PathBuf,
}

/// Opens a file to which only its owner should have access. Returns `None` if nothing exists at `path`. Follows links, and
/// opens pipes.
pub fn open_secret(path: &Path) -> Result<Option<SecretFile>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Refusal::io("opening", path)(e)),
    };
    let meta = file.metadata().map_err(Refusal::io("reading", path))?;
    Ok(Some(SecretFile {
        file,
        meta,
        path: path.to_owned(),
    }))
}

impl SecretFile {
    /// Returns whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.meta.is_dir()
    }

    /// Returns the permission bits of a regular file. `None` for anything else.
    pub fn bits(&self) -> Option<u32> {
        self.meta.is_file().then(|| platform::mode_of(&self.meta))
    }

    /// Reads the file. Returns `None` if it has more than `max` bytes.
    pub fn read(mut self, max: usize) -> Result<Option<Zeroizing<Vec<u8>>>> {
        // Reserve all the room first: a growing vector leaves copies of the secret behind that are not wiped.
        let mut bytes = Zeroizing::new(Vec::with_capacity(max + 1));
        (&mut self.file)
            .take(max as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(Refusal::io("reading", &self.path))?;
        Ok((bytes.len() <= max).then_some(bytes))
    }
}

/// Opens a regular file for reading `size` bytes from byte `at`.
pub fn open_range(path: &Path, at: u64, size: u64) -> Result<Box<dyn Read + Send>> {
    let mut file = open_regular(path)?.file;
    file.seek(io::SeekFrom::Start(at))
        .map_err(Refusal::io("reading", path))?;
    Ok(Box::new(file.take(size)))
}

/// Passes the bytes of a file to `each`, one buffer at a time.
pub fn read_in_chunks(path: &Path, mut each: impl FnMut(&[u8])) -> Result<()> {
    let mut file = File::open(path).map_err(Refusal::io("opening", path))?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                passed(n);
                each(&buffer[..n]);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Refusal::io("reading", path)(e)),
        }
    }
}

/// Copies all of `from` to `to`. `source` and `target` are the paths that an error names.
pub fn copy(mut from: impl Read, source: &Path, mut to: impl io::Write, target: &Path) -> Result<()> {
    let mut buffer = vec![0; 128 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                passed(n);
                to.write_all(&buffer[..n]).map_err(Refusal::io("writing", target))?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Refusal::io("reading", source)(e)),
        }
    }
}

/// Refuses if the directory at `path`, or the nearest existing one above it, is not writable.
pub fn ensure_writable(path: &Path) -> Result<()> {
    let standing = path.ancestors().find(|path| exists(path)).unwrap_or(path);
    let refuse = |e: io::Error| Refusal::io("writing to", standing)(e);
    if !std::fs::metadata(standing).map_err(refuse)?.is_dir() {
        return Err(refuse(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    platform::ensure_may_write_in(standing).map_err(refuse)
}

/// Returns the directory that holds `path`.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Syncs a file or a directory. Syncing a directory makes the names in it durable.
pub fn sync(path: &Path) -> Result<()> {
    platform::sync(path).map_err(Refusal::io("syncing", path))
}

/// Creates a directory and its parents with mode 0700.
pub fn create_private_dir(path: &Path) -> Result<()> {
    private_directories(std::fs::DirBuilder::new().recursive(true))
        .create(path)
        .map_err(Refusal::io("creating", path))
}

/// Creates a directory that everybody may read. Succeeds if it exists.
pub fn create_shared_dir(path: &Path) -> Result<()> {
    match std::fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && is_directory(path) => Ok(()),
        made => made.map_err(Refusal::io("creating", path)),
    }
}

/// Removes a file. Succeeds if the file does not exist.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Refusal::io("removing", path)(e)),
        _ => Ok(()),
    }
}

/// Removes whatever exists at `path`: a file, or a directory with everything in it.
pub fn remove_whole(path: &Path) -> Result<()> {
    match is_directory(path) {
        true => std::fs::remove_dir_all(path).map_err(Refusal::io("removing", path)),
        false => remove(path),
    }
}

/// Removes a directory in which nothing is.
pub fn remove_if_empty(directory: &Path) {
    drop(std::fs::remove_dir(directory));
}

/// Returns the kind of file at `path`, without following a link. `None` if nothing exists there.
pub fn kind_at(path: &Path) -> Result<Option<std::fs::FileType>> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta.file_type())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Refusal::io("reading", path)(e)),
    }
}

/// Returns the name and the kind of everything in a directory. Links are not followed.
pub fn kinds_in(path: &Path) -> Result<Vec<(std::ffi::OsString, std::fs::FileType)>> {
    let listing = |e| Refusal::io("listing", path)(e);
    let entries = std::fs::read_dir(path).map_err(listing)?;
    let kinds = entries.map(|entry| {
        let entry = entry?;
        Ok((entry.file_name(), entry.file_type()?))
    });
    kinds.collect::<io::Result<_>>().map_err(listing)
}

/// Returns whether anything exists at `path`, even a dangling link.
pub fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Returns whether `path` is a directory, not a link to one.
pub fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

/// Returns the size in bytes of the regular file at `relative` below `root`. `None` if there is no such file, or a link
/// is on the way.
pub fn regular_size(root: &Path, relative: &str) -> Option<u64> {
    for (at, _) in relative.match_indices('/') {
        if !is_directory(&root.join(&relative[..at])) {
            return None;
        }
    }
    let meta = std::fs::symlink_metadata(root.join(relative)).ok()?;
    meta.is_file().then_some(meta.len())
}

/// Returns whether `path` is a directory with nothing in it.
pub fn is_empty_directory(path: &Path) -> bool {
    is_directory(path) && std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Returns the permission bits of a file.
pub fn permission_bits(path: &Path) -> Result<u32> {
    std::fs::metadata(path)
        .map(|meta| platform::mode_of(&meta))
        .map_err(Refusal::io("reading", path))
}

/// Returns whether git would run a file as a hook. Links are followed.
pub fn may_be_run(path: &Path) -> Result<bool> {
    std::fs::metadata(path)
        .map(|meta| platform::may_be_run(&meta))
        .map_err(Refusal::io("reading", path))
}

/// Returns the absolute path without links or dots.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    platform::canonicalize(path).map_err(Refusal::io("reading", path))
}

/// Returns the kind of entry that git would track at `path`, with the target of a link. `None` if nothing or a
/// directory is there.
pub fn entry(path: &Path) -> Result<Option<(EntryKind, Option<Vec<u8>>)>> {
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(Refusal::io("reading", path)(e)),
    };
    if meta.is_dir() {
        return Ok(None);
    }
    if meta.is_symlink() {
        let target = std::fs::read_link(path).map_err(Refusal::io("reading", path))?;
        return Ok(Some((EntryKind::Symlink, Some(bytes_of_path(&target).to_vec()))));
    }
    if !meta.is_file() {
        return Err(Refusal::NotRegular {
            path: path.to_owned(),
            kind: kind_name(meta.file_type()),
        });
    }
    Ok(Some(match platform::has_executable_bit(&meta) {
        false => (EntryKind::Regular, None),
        true => (EntryKind::Executable, None),
    }))
}

/// Returns the names of the directories in `path`, sorted, without links to directories. A missing directory counts as
/// empty.
pub fn directories_in(path: &Path) -> Result<Vec<std::ffi::OsString>> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(e) => return Err(Refusal::io("listing", path)(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Refusal::io("listing", path))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.push(entry.file_name());
        }
    }
    names.sort();
    Ok(names)
}

/// Returns names in the directory `path`, at most `max` of them, sorted. A missing directory counts as empty.
pub fn first_names_in(path: &Path, max: usize) -> Result<Vec<std::ffi::OsString>> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound && !exists(path) => return Ok(Vec::new()),
        Err(e) => return Err(Refusal::io("listing", path)(e)),
    };
    let names = entries.take(max).map(|entry| entry.map(|entry| entry.file_name()));
    let mut names: Vec<_> = names.collect::<io::Result<_>>().map_err(Refusal::io("listing", path))?;
    names.sort();
    Ok(names)
}

/// Returns every name in the directory `path`, sorted. A missing directory counts as empty; a dangling link or a file
/// is an error.
pub fn names_in(path: &Path) -> Result<Vec<std::ffi::OsString>> {
    let listing = |e| Refusal::io("listing", path)(e);
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound && !exists(path) => return Ok(Vec::new()),
        Err(e) => return Err(listing(e)),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names: Vec<_> = names.collect::<io::Result<_>>().map_err(listing)?;
    names.sort();
    Ok(names)
}
