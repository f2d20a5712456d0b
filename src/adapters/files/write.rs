//! Files that are written whole: a reader sees the old bytes or the new, never a part.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::fs::OFlags;

use super::{ensure_is_no_link, parent, sync};
use crate::refusal::{Refusal, Result};

/// What the name of a file begins with while it is not whole.
pub const TEMPORARY: &str = ".git-pack-";

/// Whether a write must survive a power cut before it counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Synced, file and directory.
    Durable,
    /// A cache: its loss costs time only, and a damaged one is noticed.
    Disposable,
}

/// Writes a whole file in one step: a reader sees the old bytes or the new, never a part.
///
/// A new file gets `mode` less the umask; one that stands keeps its own. A link in its place is refused.
pub fn write_whole(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> Result<()> {
    write_whole_from(path, &mut &bytes[..], mode, durability)
}

/// Like [`write_whole`], from a reader.
fn write_whole_from(path: &Path, bytes: &mut dyn Read, mode: u32, durability: Durability) -> Result<()> {
    let writing = |e| Refusal::io("writing", path)(e);
    write_with(path, mode, durability, Over::Anything, |file| {
        io::copy(bytes, file).map(drop).map_err(writing)
    })
}

/// Writes a copy of `source`. Both share their blocks on the disk where the file system can; a change of one never changes the
/// other.
pub fn clone_whole(source: &Path, path: &Path, mode: u32) -> Result<()> {
    let mut from = super::open_regular(source)?.file;
    write_with(path, mode, Durability::Durable, Over::Anything, |file| {
        #[cfg(target_os = "linux")]
        if rustix::fs::ioctl_ficlone(&*file, &from).is_ok() {
            return Ok(());
        }
        let copied = io::copy(&mut from, file);
        copied.map(drop).map_err(Refusal::io("writing", path))
    })
}

/// Like [`write_whole`], by whatever `write` writes, whose error leaves nothing behind; over nothing if that is wanted, also
/// if something came there meanwhile.
pub fn write_whole_over<T>(
    path: &Path,
    mode: u32,
    over: Over,
    write: impl FnOnce(&mut File) -> Result<T>,
) -> Result<T> {
    write_with(path, mode, Durability::Durable, over, write)
}

/// What a whole file may take the place of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Whatever stands there.
    Anything,
    /// Nothing: what stands there is refused.
    Nothing,
}

fn write_with<T>(
    path: &Path,
    mode: u32,
    durability: Durability,
    over: Over,
    write: impl FnOnce(&mut File) -> Result<T>,
) -> Result<T> {
    let writing = |e| Refusal::io("writing", path)(e);
    ensure_is_no_link(path)?;
    let directory = parent(path);
    let standing = std::fs::metadata(path).ok().map(|meta| meta.permissions());
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)
        .map_err(writing)?;
    let written = write(file.as_file_mut())?;
    if let Some(permissions) = standing {
        file.as_file().set_permissions(permissions).map_err(writing)?;
    }
    if durability == Durability::Durable {
        file.as_file().sync_all().map_err(writing)?;
    }
    let placed = match over {
        Over::Anything => file.persist(path),
        Over::Nothing => file.persist_noclobber(path),
    };
    match placed {
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Refusal::OutputExists {
                path: path.to_owned(),
                replaceable: true,
            });
        }
        placed => drop(placed.map_err(|e| writing(e.error))?),
    }
    if durability == Durability::Durable {
        sync(directory)?;
    }
    Ok(written)
}

/// Returns a file without a name on the disk where `path` is, for what must not be left behind.
///
/// It gets `mode` less the umask.
pub fn unnamed_beside(path: &Path, mode: u32) -> Result<File> {
    #[cfg(target_os = "linux")]
    {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = rustix::fs::Mode::from_raw_mode(mode);
        if let Ok(file) = rustix::fs::open(parent(path), flags, mode) {
            return Ok(file.into());
        }
    }
    // Some file systems cannot; then it has a name for a moment.
    let _ = mode;
    tempfile::tempfile_in(parent(path)).map_err(Refusal::io("writing", path))
}

/// Puts a file without a name in place of whatever stands at `path`, in one step: a reader sees the old bytes or the new.
///
/// It keeps the mode that it was made with, which is `mode`; one that stands keeps its own. A link in its place is refused.
/// Until it is whole there is no name for it, so that a process that is killed leaves nothing behind.
pub fn place_unnamed(mut file: File, path: &Path, mode: u32) -> Result<()> {
    use std::os::fd::AsRawFd;
    let writing = |e: io::Error| Refusal::io("writing", path)(e);
    ensure_is_no_link(path)?;
    if let Ok(standing) = std::fs::metadata(path) {
        file.set_permissions(standing.permissions()).map_err(writing)?;
    }
    file.sync_all().map_err(writing)?;
    let name = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .make_in(parent(path), |name| {
            let own = format!("/proc/self/fd/{}", file.as_raw_fd());
            let follow = rustix::fs::AtFlags::SYMLINK_FOLLOW;
            Ok(rustix::fs::linkat(rustix::fs::CWD, own, rustix::fs::CWD, name, follow)?)
        });
    match name {
        Ok(name) => {
            std::fs::rename(name.path(), path).map_err(writing)?;
            // It has another name now, and nothing stands under this one.
            drop(name.into_temp_path().keep());
            sync(parent(path))
        }
        // Where the system cannot give a name to a file that has none, its bytes are copied into one that has.
        Err(_) => {
            io::Seek::rewind(&mut file).map_err(writing)?;
            write_whole_from(path, &mut file, mode, Durability::Durable)
        }
    }
}

/// Like [`write_whole`], in place of whatever stands at `path` itself: a link is replaced, not written through.
pub fn replace_link(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let writing = |e| Refusal::io("writing", path)(e);
    let mut file = temporary(path, mode)?;
    io::Write::write_all(&mut file, bytes).map_err(writing)?;
    file.as_file().sync_all().map_err(writing)?;
    file.persist(path).map_err(|e| writing(e.error))?;
    sync(parent(path))
}

/// Makes a file with a name of its own beside `path`, to be renamed to it.
fn temporary(path: &Path, mode: u32) -> Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(parent(path))
        .map_err(Refusal::io("writing", path))
}

/// Writes a whole file of our own, for its owner's eyes only, in one step. What stands at `path` is replaced, a link itself
/// and never what it leads to: somebody may have planted it.
pub fn write_own(path: &Path, bytes: &mut dyn Read, durability: Durability) -> Result<()> {
    let writing = |e| Refusal::io("writing", path)(e);
    let mut file = temporary(path, 0o600)?;
    io::copy(bytes, &mut file).map_err(writing)?;
    if durability == Durability::Durable {
        file.as_file().sync_all().map_err(writing)?;
    }
    file.persist(path).map_err(|e| writing(e.error))?;
    match durability {
        Durability::Durable => sync(parent(path)),
        Durability::Disposable => Ok(()),
    }
}

/// Writes a whole new file for its owner's eyes only; returns false, and changes nothing, if something stands there.
pub fn write_new_private(path: &Path, bytes: &[u8]) -> Result<bool> {
    let writing = |e| Refusal::io("writing", path)(e);
    let mut file = temporary(path, 0o600)?;
    io::Write::write_all(&mut file, bytes).map_err(writing)?;
    file.as_file().sync_all().map_err(writing)?;
    match file.persist_noclobber(path) {
        Ok(_) => sync(parent(path)).map(|()| true),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(writing(e.error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::permission_bits;
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_without_a_name_gets_the_one_of_what_it_replaces() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("target");
        let link = temp.path().join("link");
        std::os::unix::fs::symlink("target", &link).unwrap();
        for content in ["new", "other"] {
            let mut file = unnamed_beside(&target, 0o600).unwrap();
            file.write_all(content.as_bytes()).unwrap();
            let inode = file.metadata().unwrap().ino();
            place_unnamed(file, &target, 0o600).unwrap();
            assert_eq!(std::fs::read_to_string(&target).unwrap(), content);
            // It was not copied.
            assert_eq!(std::fs::metadata(&target).unwrap().ino(), inode);
            assert_eq!(permission_bits(&target).unwrap(), 0o600);
        }
        // Nothing is written through a link, nor in its place.
        let file = unnamed_beside(&link, 0o600).unwrap();
        place_unnamed(file, &link, 0o600).unwrap_err();
        write_whole(&link, b"through", 0o600, Durability::Durable).unwrap_err();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "other");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 2);
    }
}
