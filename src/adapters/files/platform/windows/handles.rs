//! Open files and directories: opened without following links, and locked by a file elsewhere.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::windows::fs::{FileExt as _, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use gix_sec::identity::is_path_owned_by_current_user;

/// `FILE_FLAG_OPEN_REPARSE_POINT`: a link or junction is opened itself.
const OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// `FILE_FLAG_BACKUP_SEMANTICS`: a directory may be opened.
const BACKUP_SEMANTICS: u32 = 0x0200_0000;

/// `FILE_ATTRIBUTE_REPARSE_POINT`: a link, a junction or the like.
const REPARSE_POINT: u32 = 0x400;

/// The directory for the locks on directories, below the user's directory for temporary files.
const LOCKS: &str = "git-pack-locks";

/// Reads at a place of its own.
pub trait FileExt {
    /// Reads bytes from `at` on. Returns how many.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;

    /// Reads as many bytes as the buffer has room for, from `at` on.
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;
}

impl FileExt for File {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.seek_read(buffer, at)
    }

    fn read_exact_at(&self, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.seek_read(buffer, at) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    at += read as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// Has a file be opened without following a link in its place. The caller looks at what was opened.
pub fn unfollowed(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(OPEN_REPARSE_POINT)
}

/// Opens whatever is at `path`, to look at it. A link is not followed.
#[cfg(test)]
pub(super) fn open_named(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(0)
        .custom_flags(OPEN_REPARSE_POINT | BACKUP_SEMANTICS)
        .open(path)
}

/// A directory and the way to it. A directory that is open can be neither renamed nor removed, so its name stays its own.
pub struct OpenDirectory {
    path: PathBuf,
    _held: Vec<File>,
}

impl OpenDirectory {
    /// Opens a directory. Links are followed.
    pub fn at(path: &Path) -> io::Result<Self> {
        let path = super::canonicalize(path)?;
        let held = hold(&path)?;
        Ok(Self {
            path,
            _held: vec![held],
        })
    }

    /// Opens a directory in this one. A link is not followed.
    pub fn directory(&self, name: &Path) -> io::Result<Self> {
        let path = self.path.join(name);
        let mut held = self._held.iter().map(File::try_clone).collect::<io::Result<Vec<_>>>()?;
        held.push(hold(&path)?);
        Ok(Self { path, _held: held })
    }

    /// Opens a file in this directory for reading. A link is not followed.
    pub fn file(&self, name: &Path) -> io::Result<File> {
        let file = unfollowed(OpenOptions::new().read(true)).open(self.path.join(name))?;
        ensure_no_reparse_point(&file)?;
        Ok(file)
    }
}

/// Opens a directory, and keeps others from renaming or removing it meanwhile.
fn hold(path: &Path) -> io::Result<File> {
    const SHARE_READ: u32 = 1;
    const SHARE_WRITE: u32 = 2;
    const READ_ATTRIBUTES_AND_LIST: u32 = 0x81;
    let held = OpenOptions::new()
        .access_mode(READ_ATTRIBUTES_AND_LIST)
        .share_mode(SHARE_READ | SHARE_WRITE)
        .custom_flags(OPEN_REPARSE_POINT | BACKUP_SEMANTICS)
        .open(path)?;
    ensure_no_reparse_point(&held)?;
    match held.metadata()?.is_dir() {
        true => Ok(held),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

fn ensure_no_reparse_point(file: &File) -> io::Result<()> {
    match file.metadata()?.file_attributes() & REPARSE_POINT {
        0 => Ok(()),
        _ => Err(io::Error::other("it is a link or a junction")),
    }
}

/// Returns `None`: a file always has a name here.
pub fn unnamed_in(_directory: &Path, _mode: u32) -> Option<File> {
    None
}

/// Fails: a file always has a name here.
pub fn name_unnamed(_file: &File, name: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(name) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Returns false: no safe call makes two files share their blocks.
pub fn share_blocks(_from: &File, _to: &File) -> bool {
    false
}

/// Exchanges what is at two paths, in three steps. A failure takes the steps back. If the process is killed between them, what was
/// at `other` is beside it.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    // Not beside `one`, which may lie in a directory that the next run clears.
    let mut aside = OsString::from(other);
    aside.push(".before");
    if std::fs::symlink_metadata(&aside).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!(
                "{} is in the way: an exchange was killed, or it is yours",
                aside.display()
            ),
        ));
    }
    std::fs::rename(other, &aside)?;
    if let Err(e) = std::fs::rename(one, other) {
        std::fs::rename(&aside, other)?;
        return Err(e);
    }
    std::fs::rename(&aside, one)
}

/// Renames what is at `from` to `to`, where nothing or an empty directory is.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(to) {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir(to)?,
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => {}
    }
    std::fs::rename(from, to)
}

/// Syncs a file. The names in a directory are durable without that.
pub fn sync(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path)?.is_dir() {
        true => Ok(()),
        false => OpenOptions::new().write(true).open(path)?.sync_all(),
    }
}

/// Returns false: no call syncs a whole file system.
pub fn sync_file_system(_directory: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Opens a file to lock in place of a directory, which cannot be locked. The file is among the user's temporary files, where other
/// users do not find it. So the directory must be the user's, too.
pub fn open_to_lock(directory: &Path) -> io::Result<File> {
    let canonical = super::canonicalize(directory)?;
    if !canonical.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    if !is_path_owned_by_current_user(&canonical)? {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it belongs to another account, which would not see this lock",
        ));
    }
    let locks = tempfile::env::temp_dir().join(LOCKS);
    std::fs::create_dir_all(&locks)?;
    // A directory that shares a number with another one is only waited for longer.
    let mut number = DefaultHasher::new();
    canonical.hash(&mut number);
    let place = locks.join(format!("{:016x}", number.finish()));
    let options = &mut OpenOptions::new();
    unfollowed(options.read(true).write(true).create(true).truncate(false)).open(place)
}

/// Returns whether there is still a directory at `path`, which a lock was opened for.
pub fn is_still_locked(_lock: &File, path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

/// Fails if this process may not make files in a directory.
pub fn ensure_may_write_in(directory: &Path) -> io::Result<()> {
    tempfile::tempfile_in(directory).map(drop)
}

/// Puts a program into a directory under this name.
pub fn place_program(program: &Path, directory: &Path, name: &str) -> io::Result<PathBuf> {
    let place = directory.join(name).with_extension("exe");
    std::fs::hard_link(program, &place).or_else(|_| std::fs::copy(program, &place).map(drop))?;
    Ok(place)
}

/// Content for a program that this process starts: a file among the user's temporary files, which is removed when dropped.
pub struct Inherited(tempfile::TempPath);

impl Inherited {
    /// Holds this content.
    pub fn of(content: &[u8]) -> io::Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(content)?;
        Ok(Self(file.into_temp_path()))
    }

    /// Returns the path at which a program that this process starts reads it.
    pub fn path(&self) -> PathBuf {
        self.0.to_path_buf()
    }
}

/// Makes a link, for tests.
#[cfg(test)]
pub fn symlink(target: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (target, link) = (target.as_ref(), link.as_ref());
    match link.parent().unwrap_or(link).join(target).is_dir() {
        true => std::os::windows::fs::symlink_dir(target, link),
        false => std::os::windows::fs::symlink_file(target, link),
    }
}
