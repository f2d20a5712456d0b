//! Files on disk: bounded reads of regular files, and the one way in which whole files are written.

mod links;
mod write;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::format::repo_state::EntryKind;
use crate::refusal::{Refusal, Result};
pub use links::{ensure_is_no_link, ensure_no_link, ensure_stays_in_tree};
pub use write::{
    Durability, Over, TEMPORARY, clone_whole, place_unnamed, replace_link, unnamed_beside, write_new_private,
    write_own, write_whole, write_whole_over,
};

/// Names what a file is that is not a regular one.
pub fn kind_name(kind: std::fs::FileType) -> &'static str {
    if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// A regular file that is being read, with what it was when it was opened.
pub struct Opened {
    /// The open file.
    pub file: File,
    /// Its size when it was opened.
    pub size: u64,
    path: PathBuf,
    stamp: Stamp,
}

/// What tells two states of a file apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(u64, u64, i64, i64, i64, i64);

impl Stamp {
    fn of(meta: &std::fs::Metadata) -> Self {
        Self(
            meta.ino(),
            meta.len(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec(),
        )
    }
}

/// Opens a regular file. Links are not followed, and a FIFO or device in its place is refused without waiting for it.
pub fn open_regular(path: &Path) -> Result<Opened> {
    let not_regular = |kind| Refusal::NotRegular {
        path: path.to_owned(),
        kind,
    };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(e) => {
            // A link gives ELOOP and a socket ENXIO: say what it is rather than what the call said.
            return Err(match std::fs::symlink_metadata(path) {
                Ok(meta) if !meta.is_file() => not_regular(kind_name(meta.file_type())),
                _ => Refusal::io("opening", path)(e),
            });
        }
    };
    let meta = file.metadata().map_err(Refusal::io("reading", path))?;
    if !meta.is_file() {
        return Err(not_regular(kind_name(meta.file_type())));
    }
    Ok(Opened {
        size: meta.len(),
        stamp: Stamp::of(&meta),
        path: path.to_owned(),
        file,
    })
}

/// Opens a file of our own, to lock it or to add to its end, and creates it if there is none. Its content stays. As in
/// [`open_regular`], no link is followed, and a pipe does not make it wait.
pub fn open_own(path: &Path) -> Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .custom_flags(flags.bits() as i32)
        .open(path);
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

/// Opens a regular file that was looked at before, and refuses if it is not what it was then.
pub fn open_same(path: &Path, stamp: &Stamp) -> Result<Opened> {
    let opened = open_regular(path)?;
    match opened.stamp == *stamp {
        true => Ok(opened),
        false => Err(Refusal::ChangedWhileRead { path: path.to_owned() }),
    }
}

impl Opened {
    /// Returns what the file was when it was opened.
    pub fn stamp(&self) -> Stamp {
        self.stamp.clone()
    }

    /// Refuses if the file is not what it was when it was opened: what was read of it is then no version of it.
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

/// Reads a regular file of at most `max` bytes; none if there is nothing at `path`.
pub fn read_optional(path: &Path, max: u64) -> Result<Option<Vec<u8>>> {
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Refusal::io("reading", path)(e)),
        Ok(_) => read(path, max).map(Some),
    }
}

/// Returns when a file was written, in nanoseconds since the epoch; none if that cannot be told.
pub fn written_at(path: &Path) -> Option<u64> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    u64::try_from(i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())).ok()
}

/// Reads a regular file of at most `max` bytes.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>> {
    let opened = open_regular(path)?;
    read_all(&opened.file, path, max, opened.size)
}

/// Reads a file of at most `max` bytes, whatever it is: a link is followed, and a pipe is read.
pub fn read_any(path: &Path, max: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Refusal::io("opening", path))?;
    read_all(&file, path, max, 0)
}

/// Reads an open file of at most `max` bytes, and probably of `expected`.
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

/// What came of reading a file that should be its owner's alone.
pub enum Secret {
    /// There is nothing at the path.
    Missing,
    /// Why it is not to be used.
    Unfit(String),
    /// Its bytes.
    Bytes(Zeroizing<Vec<u8>>),
}

/// Reads a file of at most `max` bytes that should be its owner's alone. Links are followed, and pipes are read.
pub fn read_secret(path: &Path, max: usize) -> Result<Secret> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Secret::Missing),
        Err(e) => return Err(Refusal::io("opening", path)(e)),
    };
    let meta = file.metadata().map_err(Refusal::io("reading", path))?;
    if meta.is_dir() {
        return Ok(Secret::Unfit("it is a directory".into()));
    }
    let bits = meta.permissions().mode() & 0o777;
    if meta.is_file() && bits & 0o077 != 0 {
        let path = path.display();
        return Ok(Secret::Unfit(format!(
            "others can read it (mode {bits:03o}): chmod 600 {path}"
        )));
    }
    // Room for all of it at once: what a vector leaves behind when it grows is not wiped.
    let mut bytes = Zeroizing::new(Vec::with_capacity(max + 1));
    (&mut file)
        .take(max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(Refusal::io("reading", path))?;
    Ok(match bytes.len() > max {
        true => Secret::Unfit(format!("it has more than {max} bytes")),
        false => Secret::Bytes(bytes),
    })
}

/// Gives a file's bytes to `each`, some at a time.
pub fn read_in_chunks(path: &Path, mut each: impl FnMut(&[u8])) -> Result<()> {
    let mut file = File::open(path).map_err(Refusal::io("opening", path))?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => each(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Refusal::io("reading", path)(e)),
        }
    }
}

/// Copies all of `from` to `to`; the paths are what an error names.
pub fn copy(mut from: impl Read, source: &Path, mut to: impl io::Write, target: &Path) -> Result<()> {
    let mut buffer = vec![0; 128 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => to.write_all(&buffer[..n]).map_err(Refusal::io("writing", target))?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Refusal::io("reading", source)(e)),
        }
    }
}

/// Refuses if nothing could be written into the directory at `path`, or into the nearest one above it that exists.
pub fn ensure_writable(path: &Path) -> Result<()> {
    let standing = path.ancestors().find(|path| exists(path)).unwrap_or(path);
    let refuse = |e: io::Error| Refusal::io("writing to", standing)(e);
    if !std::fs::metadata(standing).map_err(refuse)?.is_dir() {
        return Err(refuse(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    rustix::fs::access(standing, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .map_err(|e| refuse(e.into()))
}

/// Returns the directory that holds `path`.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Syncs a file or, so that the names in it last, a directory.
pub fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(Refusal::io("syncing", path))
}

/// Creates a directory and its parents, for their owner's eyes only.
pub fn create_private_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Refusal::io("creating", path))
}

/// Removes a file; it is no error if there is none.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Refusal::io("removing", path)(e)),
        _ => Ok(()),
    }
}

/// Removes whatever stands at `path`, a directory with everything in it.
pub fn remove_whole(path: &Path) -> Result<()> {
    match is_directory(path) {
        true => std::fs::remove_dir_all(path).map_err(Refusal::io("removing", path)),
        false => remove(path),
    }
}

/// Returns what stands at `path` itself, a link included; none if nothing does.
pub fn kind_at(path: &Path) -> Result<Option<std::fs::FileType>> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta.file_type())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Refusal::io("reading", path)(e)),
    }
}

/// Returns the name of everything in a directory, with what it is; links are not followed.
pub fn kinds_in(path: &Path) -> Result<Vec<(std::ffi::OsString, std::fs::FileType)>> {
    let listing = |e| Refusal::io("listing", path)(e);
    let entries = std::fs::read_dir(path).map_err(listing)?;
    let kinds = entries.map(|entry| {
        let entry = entry?;
        Ok((entry.file_name(), entry.file_type()?))
    });
    kinds.collect::<io::Result<_>>().map_err(listing)
}

/// Returns whether anything, even a dangling link, stands at `path`.
pub fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Returns whether `path` is a directory, not a link to one.
pub fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

/// Returns the size of the regular file at `relative` below `root`; none if there is none, or a link is on the way.
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
        .map(|meta| meta.permissions().mode() & 0o777)
        .map_err(Refusal::io("reading", path))
}

/// Returns the absolute path without links or dots.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(Refusal::io("reading", path))
}

/// Returns what git would track at `path`, and the target of a link; none if there is nothing, or a directory.
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
        let target = std::os::unix::ffi::OsStringExt::into_vec(target.into_os_string());
        return Ok(Some((EntryKind::Symlink, Some(target))));
    }
    if !meta.is_file() {
        return Err(Refusal::NotRegular {
            path: path.to_owned(),
            kind: kind_name(meta.file_type()),
        });
    }
    Ok(Some(match meta.permissions().mode() & 0o100 {
        0 => (EntryKind::Regular, None),
        _ => (EntryKind::Executable, None),
    }))
}

/// Returns the names of the directories in `path`, sorted; links are none. Nothing there is nothing in it.
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

/// Returns every name in the directory `path`, sorted. Nothing there is nothing in it; a link that leads nowhere, or a file,
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

/// Lists the regular files and everything else below `root`, as relative paths in bytewise order; never follows links.
///
/// A directory is represented by what is in it, unless that is nothing; one for whose path `enter` does not hold is passed
/// over.
pub fn walk(root: &Path, enter: impl Fn(&[u8]) -> bool) -> Vec<(Vec<u8>, Walked)> {
    use std::os::unix::ffi::OsStrExt;
    let mut found = Vec::new();
    let mut pending = vec![(root.to_owned(), Vec::new())];
    while let Some((directory, prefix)) = pending.pop() {
        let entries = std::fs::read_dir(&directory).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let entries = match entries {
            Ok(entries) => entries,
            Err(e) => {
                found.push((prefix, Walked::UnreadableDirectory(e)));
                continue;
            }
        };
        if entries.is_empty() && !prefix.is_empty() {
            found.push((prefix.clone(), Walked::EmptyDirectory));
        }
        for entry in entries {
            let mut path = prefix.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(entry.file_name().as_bytes());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    if enter(&path) {
                        pending.push((entry.path(), path));
                    }
                }
                Ok(kind) if kind.is_file() => found.push((path, Walked::File)),
                Ok(kind) => found.push((path, Walked::NotRegular(kind_name(kind)))),
                Err(e) => found.push((path, Walked::Unreadable(e))),
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// What [`walk`] met.
pub enum Walked {
    /// A regular file.
    File,
    /// Something else, not followed.
    NotRegular(&'static str),
    /// A directory with nothing in it.
    EmptyDirectory,
    /// A directory that could not be listed.
    UnreadableDirectory(io::Error),
    /// An entry of unknown kind.
    Unreadable(io::Error),
}
