//! Open files and directories: opened without following links, without a name, and what a file system does with them.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, RenameFlags, linkat, openat, renameat_with};

/// How a file is opened that must not be a link: a link is not followed, and a FIFO is not waited for.
const NO_LINK: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// The same for [`custom_flags`](super::OpenOptionsExt::custom_flags).
pub const UNFOLLOWED: i32 = NO_LINK.bits() as i32;

/// How a directory is opened.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

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

/// Syncs the whole file system of an open directory. Returns false where no call does so.
pub fn sync_file_system(directory: &File) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        Ok(rustix::fs::syncfs(directory).map(|()| true)?)
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

/// Returns an empty file without a name. Programs that this process starts can read it under its [`inherited_name`].
pub fn inherited_file() -> io::Result<File> {
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

/// Returns the path at which a program that this process starts finds an [`inherited_file`].
pub fn inherited_name(file: &File) -> String {
    format!("/dev/fd/{}", file.as_raw_fd())
}
