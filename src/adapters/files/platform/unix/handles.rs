//! Open files and directories: opened without following links, without a name, and what a file system does with them.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, openat, renameat_with};

/// How a file is opened that must not be a link: a link is not followed, and a FIFO is not waited for.
const NO_LINK: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// How a directory is opened.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Has a file be opened without following a link in its place, or waiting for a FIFO.
pub fn unfollowed(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(NO_LINK.bits() as i32)
}

/// An open directory. What is in it is opened by name, however long the way to it is.
pub struct OpenDirectory(OwnedFd);

impl OpenDirectory {
    /// Opens a directory. Links are followed.
    pub fn at(path: &Path) -> io::Result<Self> {
        Ok(Self(openat(CWD, path, DIRECTORY, Mode::empty())?))
    }

    /// Opens a directory in this one. A link is not followed.
    pub fn directory(&self, name: &Path) -> io::Result<Self> {
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        Ok(Self(openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Opens a file in this directory for reading. A link is not followed, and a FIFO is not waited for.
    pub fn file(&self, name: &Path) -> io::Result<File> {
        let flags = OFlags::RDONLY | NO_LINK;
        Ok(openat(&self.0, name, flags, Mode::empty())?.into())
    }
}

/// Creates a file without a name on the file system of a directory, with `mode` less the umask. `None` where there are no
/// such files.
pub fn unnamed_in(directory: &Path, mode: u32) -> Option<File> {
    #[cfg(target_os = "linux")]
    {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let opened = rustix::fs::open(directory, flags, Mode::from_raw_mode(mode));
        opened.ok().map(File::from)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (directory, mode);
        None
    }
}

/// Gives a file without a name this one. Refuses a name that something has; fails where the system cannot do it.
pub fn name_unnamed(file: &File, name: &Path) -> io::Result<()> {
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, own, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

/// Makes `to` share the disk blocks of `from`. Returns false where the file system cannot.
pub fn share_blocks(from: &File, to: &File) -> bool {
    #[cfg(target_os = "linux")]
    {
        rustix::fs::ioctl_ficlone(to, from).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (from, to);
        false
    }
}

/// Exchanges what is at two paths in one step.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Syncs the whole file system of a directory. Returns false where no call does so.
pub fn sync_file_system(directory: &Path) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        Ok(rustix::fs::syncfs(File::open(directory)?).map(|()| true)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = directory;
        Ok(false)
    }
}

/// Fails if this process may not make files in a directory.
pub fn ensure_may_write_in(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Renames what is at `from` to `to`, where nothing or an empty directory is.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    // rename(2) replaces nothing but an empty directory.
    std::fs::rename(from, to)
}

/// Syncs a file or a directory. Syncing a directory makes the names in it durable.
pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Opens a directory to lock it. No file is made for the lock.
pub fn open_to_lock(directory: &Path) -> io::Result<File> {
    File::open(directory)
}

/// Returns whether a lock that was [opened](open_to_lock) is still the one of the directory at `path`.
pub fn is_still_locked(lock: &File, path: &Path) -> bool {
    super::is_at(lock, path)
}

/// Puts a program into a directory under this name.
pub fn place_program(program: &Path, directory: &Path, name: &str) -> io::Result<PathBuf> {
    let place = directory.join(name);
    std::os::unix::fs::symlink(program, &place).map(|()| place)
}

/// Content for a program that this process starts, in memory where the system can.
pub struct Inherited(File);

impl Inherited {
    /// Holds this content.
    pub fn of(content: &[u8]) -> io::Result<Self> {
        let mut file = unnamed_and_inherited()?;
        file.write_all(content)?;
        file.rewind()?;
        Ok(Self(file))
    }

    /// Returns the path at which a program that this process starts reads it.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/dev/fd/{}", self.0.as_raw_fd()))
    }
}

fn unnamed_and_inherited() -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        Ok(rustix::fs::memfd_create("git-pack", rustix::fs::MemfdFlags::empty())?.into())
    }
    // Elsewhere it is a file that has lost its name.
    #[cfg(not(target_os = "linux"))]
    {
        let file = tempfile::tempfile()?;
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
        Ok(file)
    }
}
