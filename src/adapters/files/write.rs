//! Writes whole files: a reader sees the old bytes or the new, never a part.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::platform::{name_unnamed, share_blocks, unnamed_in, with_mode};
use super::{ensure_is_no_link, parent, sync};
use crate::adapters::interruption::{self, Temporary};
use crate::refusal::{Refusal, Result};

/// Prefix of the name of a file that is not complete yet.
pub const TEMPORARY: &str = ".git-pack-";

/// Whether a write must survive a power cut before it counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The file and its directory are synced.
    Durable,
    /// Nothing is synced. For caches: losing one costs only time, and a damaged one is detected.
    Disposable,
}

/// Writes a whole file in one step: a reader sees the old bytes or the new, never a part.
///
/// A new file gets `mode` less the umask; an existing one keeps its mode. A link at `path` is refused.
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

/// Copies the file `source` to `path`.
///
/// The two files share disk blocks where the file system supports it. A later change to one never changes the other.
pub fn clone_whole(source: &Path, path: &Path, mode: u32) -> Result<()> {
    let mut from = super::open_regular(source)?.file;
    write_with(path, mode, Durability::Durable, Over::Anything, |file| {
        if share_blocks(&from, file) {
            return Ok(());
        }
        let copied = io::copy(&mut from, file);
        copied.map(drop).map_err(Refusal::io("writing", path))
    })
}

/// Like [`write_whole`], with the content that `write` produces. An error of `write` leaves nothing behind.
///
/// With [`Over::Nothing`], a file that another process creates at `path` meanwhile is not replaced.
pub fn write_whole_over<T>(
    path: &Path,
    mode: u32,
    over: Over,
    write: impl FnOnce(&mut File) -> Result<T>,
) -> Result<T> {
    write_with(path, mode, Durability::Durable, over, write)
}

/// What a whole file may replace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Any existing file.
    Anything,
    /// Nothing: an existing file is refused.
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
    let mut file = temporary(path, mode)?;
    let written = write(file.as_file_mut())?;
    if let Some(permissions) = standing {
        file.as_file().set_permissions(permissions).map_err(writing)?;
    }
    if durability == Durability::Durable {
        file.as_file().sync_all().map_err(writing)?;
    }
    let (file, _noted) = file.into_parts();
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

/// A file without a name, until [`place_unnamed`] gives it one.
pub type UnnamedFile = File;

/// Creates a file without a name on the file system of `path`, for content that must not be left behind after a crash.
///
/// The file gets `mode` less the umask.
pub fn unnamed_beside(path: &Path, mode: u32) -> Result<UnnamedFile> {
    match unnamed_in(parent(path), mode) {
        Some(file) => Ok(file),
        // On file systems without unnamed files, the file has a name for a moment.
        None => tempfile::tempfile_in(parent(path)).map_err(Refusal::io("writing", path)),
    }
}

/// Moves an unnamed file to `path` in one step: a reader sees the old bytes or the new.
///
/// The file keeps the mode `mode` that it was made with, unless it replaces a file, whose mode it takes. A link at
/// `path` is refused. The file has no name until it is complete, so a killed process leaves nothing behind.
pub fn place_unnamed(mut file: UnnamedFile, path: &Path, mode: u32) -> Result<()> {
    let writing = |e: io::Error| Refusal::io("writing", path)(e);
    ensure_is_no_link(path)?;
    if let Ok(standing) = std::fs::metadata(path) {
        file.set_permissions(standing.permissions()).map_err(writing)?;
    }
    file.sync_all().map_err(writing)?;
    let name = interruption::temporary(|| {
        tempfile::Builder::new()
            .prefix(TEMPORARY)
            .make_in(parent(path), |name| name_unnamed(&file, name))
    });
    match name {
        Ok(name) => {
            let (name, _noted) = name.into_parts();
            std::fs::rename(name.path(), path).map_err(writing)?;
            // The rename has taken this name away, so there is nothing to remove under it.
            drop(name.into_temp_path().keep());
            sync(parent(path))
        }
        // Where the system cannot name an unnamed file, copy its bytes into a named one.
        Err(_) => {
            io::Seek::rewind(&mut file).map_err(writing)?;
            write_whole_from(path, &mut file, mode, Durability::Durable)
        }
    }
}

/// Gives an unnamed file the name `path` in one step. An existing file is refused.
///
/// The file keeps the mode `mode` that it was made with. A killed process leaves nothing behind.
pub fn place_new_unnamed(mut file: UnnamedFile, path: &Path, mode: u32) -> Result<()> {
    let writing = |e: io::Error| Refusal::io("writing", path)(e);
    file.sync_all().map_err(writing)?;
    match name_unnamed(&file, path) {
        Ok(()) => sync(parent(path)),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(Refusal::OutputExists {
            path: path.to_owned(),
            replaceable: true,
        }),
        // Where the system cannot name an unnamed file, copy its bytes into a named one.
        Err(_) => {
            io::Seek::rewind(&mut file).map_err(writing)?;
            write_with(path, mode, Durability::Durable, Over::Nothing, |copy| {
                io::copy(&mut file, copy).map(drop).map_err(writing)
            })
        }
    }
}

/// Gives an unnamed file the name `path` in one step. The file keeps its mode, whatever it replaces.
///
/// The file may first have the name `temporary`, in the directory of `path`. The caller must hold a lock on that directory:
/// a file with that name is one that a killed process left, and is removed.
pub fn place_unnamed_by(mut file: UnnamedFile, path: &Path, over: Over, temporary: &Path) -> Result<()> {
    let writing = |e: io::Error| Refusal::io("writing", path)(e);
    ensure_is_no_link(path)?;
    file.sync_all().map_err(writing)?;
    let exists = |e: io::Error| match e.kind() {
        io::ErrorKind::AlreadyExists => Refusal::OutputExists {
            path: path.to_owned(),
            replaceable: true,
        },
        _ => writing(e),
    };
    if over == Over::Nothing {
        match name_unnamed(&file, path) {
            Ok(()) => return sync(parent(path)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(exists(e)),
            Err(_) => {}
        }
    }
    super::remove(temporary)?;
    if name_unnamed(&file, temporary).is_err() {
        // Where the system cannot name an unnamed file, copy its bytes into a named one.
        let mode = file.metadata().map_err(writing)?.permissions();
        io::Seek::rewind(&mut file).map_err(writing)?;
        let mut copy = File::create_new(temporary).map_err(writing)?;
        copy.set_permissions(mode).map_err(writing)?;
        io::copy(&mut file, &mut copy).map_err(writing)?;
        copy.sync_all().map_err(writing)?;
    }
    match over {
        Over::Anything => std::fs::rename(temporary, path).map_err(writing)?,
        Over::Nothing => {
            let linked = std::fs::hard_link(temporary, path).map_err(exists);
            super::remove(temporary)?;
            linked?;
        }
    }
    sync(parent(path))
}

/// Like [`write_whole`], but a link at `path` is replaced, not refused and not written through.
pub fn replace_link(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let writing = |e| Refusal::io("writing", path)(e);
    let mut file = temporary(path, mode)?;
    io::Write::write_all(&mut *file, bytes).map_err(writing)?;
    file.as_file().sync_all().map_err(writing)?;
    let (file, _noted) = file.into_parts();
    file.persist(path).map_err(|e| writing(e.error))?;
    sync(parent(path))
}

/// Creates a temporary file beside `path`, to be renamed to `path`.
fn temporary(path: &Path, mode: u32) -> Result<Temporary<tempfile::NamedTempFile>> {
    let made = interruption::temporary(|| {
        with_mode(tempfile::Builder::new().prefix(TEMPORARY), mode).tempfile_in(parent(path))
    });
    made.map_err(Refusal::io("writing", path))
}

/// Writes a whole file of git-pack's own in one step, with mode 0600.
///
/// Replaces whatever exists at `path`. A link, which an attacker may have planted, is replaced itself; its target is
/// not written.
pub fn write_own(path: &Path, bytes: &mut dyn Read, durability: Durability) -> Result<()> {
    let writing = |e| Refusal::io("writing", path)(e);
    let mut file = temporary(path, 0o600)?;
    io::copy(bytes, &mut *file).map_err(writing)?;
    if durability == Durability::Durable {
        file.as_file().sync_all().map_err(writing)?;
    }
    let (file, _noted) = file.into_parts();
    file.persist(path).map_err(|e| writing(e.error))?;
    match durability {
        Durability::Durable => sync(parent(path)),
        Durability::Disposable => Ok(()),
    }
}

/// Writes a whole new file with mode 0600. Returns false and changes nothing if something exists at `path`.
pub fn write_new_private(path: &Path, bytes: &[u8]) -> Result<bool> {
    let writing = |e| Refusal::io("writing", path)(e);
    let mut file = temporary(path, 0o600)?;
    io::Write::write_all(&mut *file, bytes).map_err(writing)?;
    file.as_file().sync_all().map_err(writing)?;
    let (file, _noted) = file.into_parts();
    match file.persist_noclobber(path) {
        Ok(_) => sync(parent(path)).map(|()| true),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(writing(e.error)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::platform::{is_at, mode_of, set_mode_at, symlink};
    use super::*;
    use std::io::Write;

    #[test]
    #[cfg(unix)]
    fn a_file_with_a_name_of_its_own_meanwhile_keeps_its_mode() {
        let temp = tempfile::tempdir().unwrap();
        let [target, own, link] = ["target", ".own", "link"].map(|name| temp.path().join(name));
        let place = |path: &Path, content: &str, over| {
            let mut file = unnamed_beside(&target, 0o600).unwrap();
            file.write_all(content.as_bytes()).unwrap();
            place_unnamed_by(file, path, over, &own)
        };
        place(&target, "new", Over::Nothing).unwrap();
        assert!(matches!(
            place(&target, "other", Over::Nothing),
            Err(Refusal::OutputExists { .. })
        ));
        set_mode_at(&target, 0o644).unwrap();
        std::fs::write(&own, "left by a killed process").unwrap();
        place(&target, "other", Over::Anything).unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "other");
        assert_eq!(mode_of(&std::fs::metadata(&target).unwrap()), 0o600);
        symlink("target", &link).unwrap();
        place(&link, "through", Over::Anything).unwrap_err();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "other");
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 2);
    }

    #[test]
    #[cfg(unix)]
    fn a_file_without_a_name_gets_the_one_of_what_it_replaces() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("target");
        let link = temp.path().join("link");
        symlink("target", &link).unwrap();
        for content in ["new", "other"] {
            let mut file = unnamed_beside(&target, 0o600).unwrap();
            file.write_all(content.as_bytes()).unwrap();
            let same = file.try_clone().unwrap();
            place_unnamed(file, &target, 0o600).unwrap();
            assert_eq!(std::fs::read_to_string(&target).unwrap(), content);
            assert!(is_at(&same, &target), "the file was copied, not moved");
            assert_eq!(mode_of(&std::fs::metadata(&target).unwrap()), 0o600);
        }
        // A link is neither written through nor replaced.
        let file = unnamed_beside(&link, 0o600).unwrap();
        place_unnamed(file, &link, 0o600).unwrap_err();
        write_whole(&link, b"through", 0o600, Durability::Durable).unwrap_err();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "other");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 2);
    }
}
