//! Files by their metadata: who may use them, which ones they are, and whether they have changed.

use std::fs::{DirBuilder, File, FileType, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::process::geteuid;

/// The id of the user who may do everything.
const ROOT_USER: u32 = 0;

/// The bits of others than the owner.
const OTHERS: u32 = 0o077;

/// Has a file that is created belong to its owner alone, with mode 0600.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Has directories that are created belong to their owner alone, with mode 0700.
pub fn private_directories(builder: &mut DirBuilder) -> &mut DirBuilder {
    builder.mode(0o700)
}

/// Has temporary files get `mode` less the umask.
pub fn with_mode<'a, 'b, 'c>(
    builder: &'c mut tempfile::Builder<'a, 'b>,
    mode: u32,
) -> &'c mut tempfile::Builder<'a, 'b> {
    builder.permissions(Permissions::from_mode(mode))
}

/// Returns the permission bits of a file.
pub fn mode_of(meta: &Metadata) -> u32 {
    meta.mode() & 0o777
}

/// Sets the permission bits of an open file.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Sets the permission bits of a file.
pub fn set_mode_at(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Returns whether git would track this file as executable.
pub fn has_executable_bit(meta: &Metadata) -> bool {
    meta.mode() & 0o100 != 0
}

/// Returns whether git would run this file as a hook.
pub fn may_be_run(meta: &Metadata) -> bool {
    meta.mode() & 0o111 != 0
}

/// Returns whether the user owns what has this metadata, and nobody else has access to it.
pub fn is_private(meta: &Metadata, _path: &Path) -> bool {
    meta.mode() & OTHERS == 0 && meta.uid() == user()
}

/// Fails with the owner's id if what is at `path` belongs neither to this user nor to the one for whom `sudo` runs. `None` in
/// place of the id on systems that do not tell.
pub fn ensure_ours(path: &Path, sudo_uid: Option<u32>) -> Result<(), Option<u32>> {
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    let (owner, user) = (meta.uid(), user());
    match owner == user || (user == ROOT_USER && sudo_uid == Some(owner)) {
        true => Ok(()),
        false => Err(Some(owner)),
    }
}

/// Returns the id of the user for whom this process runs.
fn user() -> u32 {
    geteuid().as_raw()
}

/// Returns whether an open file or directory is still the one at `path`. A link there is not followed.
pub fn is_at(opened: &File, path: &Path) -> bool {
    let (Ok(opened), Ok(standing)) = (opened.metadata(), std::fs::symlink_metadata(path)) else {
        return false;
    };
    (opened.dev(), opened.ino()) == (standing.dev(), standing.ino())
}

/// Returns how many names an open file has.
pub fn names_of(file: &File) -> io::Result<u64> {
    file.metadata().map(|meta| meta.nlink())
}

/// Returns numbers that change when a file changes while it is read: inode, and the times of the content and the status in
/// seconds and nanoseconds.
pub fn stamp(meta: &Metadata) -> [i64; 5] {
    [
        meta.ino() as i64,
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec(),
    ]
}

/// Returns numbers that change with every change of a file, also with one that hides itself by setting the time of the content.
/// `None` on systems that do not tell.
pub fn change_print(meta: &Metadata) -> Option<[u64; 7]> {
    let [inode, times @ ..] = stamp(meta).map(|number| number as u64);
    let [written, written_nanoseconds, changed, changed_nanoseconds] = times;
    Some([
        meta.dev(),
        inode,
        meta.size(),
        written,
        written_nanoseconds,
        changed,
        changed_nanoseconds,
    ])
}

/// Returns whether a file is a FIFO.
pub fn is_fifo(kind: FileType) -> bool {
    kind.is_fifo()
}

/// Returns whether a file is a socket.
pub fn is_socket(kind: FileType) -> bool {
    kind.is_socket()
}

/// Returns whether a file is a device such as `/dev/null`.
pub fn is_character_device(kind: FileType) -> bool {
    kind.is_char_device()
}
