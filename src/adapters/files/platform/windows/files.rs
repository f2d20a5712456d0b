//! Files by their metadata: who may use them, which ones they are, and whether they have changed.

use std::fs::{DirBuilder, File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::MetadataExt;
use std::path::Path;

use gix_sec::identity::is_path_owned_by_current_user;
use winapi_util::file::information;

/// The mode of a file of the user, for messages and comparisons.
const OWN: u32 = 0o600;

/// Files get the access list of their directory.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Directories get the access list of the one that holds them.
pub fn private_directories(builder: &mut DirBuilder) -> &mut DirBuilder {
    builder
}

/// Temporary files get the access list of their directory.
pub fn with_mode<'a, 'b, 'c>(
    builder: &'c mut tempfile::Builder<'a, 'b>,
    _mode: u32,
) -> &'c mut tempfile::Builder<'a, 'b> {
    builder
}

/// Returns the mode of a file of the user, because there are no modes.
pub fn mode_of(_meta: &Metadata) -> u32 {
    OWN
}

/// Does nothing, because there are no modes.
pub fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Does nothing, because there are no modes.
pub fn set_mode_at(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Returns false: git for Windows takes the executable bit from its index.
pub fn has_executable_bit(_meta: &Metadata) -> bool {
    false
}

/// Returns whether it is a file: git for Windows runs every script.
pub fn may_be_run(meta: &Metadata) -> bool {
    meta.is_file()
}

/// Returns whether the user owns what is at `path`. Who else has access, its directory says.
pub fn is_private(_meta: &Metadata, path: &Path) -> bool {
    is_path_owned_by_current_user(path).unwrap_or(false)
}

/// Fails if what is at `path` does not belong to the user, without the owner's id.
pub fn ensure_ours(path: &Path, _sudo_uid: Option<u32>) -> Result<(), Option<u32>> {
    match std::fs::symlink_metadata(path).is_err() || is_path_owned_by_current_user(path).unwrap_or(false) {
        true => Ok(()),
        false => Err(None),
    }
}

/// Returns whether an open file is still the one at `path`. A link there is not followed.
#[cfg(test)]
pub fn is_at(opened: &File, path: &Path) -> bool {
    let standing = super::handles::open_named(path).and_then(|standing| information(&standing));
    let (Ok(opened), Ok(standing)) = (information(opened), standing) else {
        return false;
    };
    let id = |of: &winapi_util::file::Information| (of.volume_serial_number(), of.file_index());
    id(&opened) == id(&standing)
}

/// Returns how many names an open file has.
pub fn names_of(file: &File) -> io::Result<u64> {
    information(file).map(|of| of.number_of_links())
}

/// Returns numbers that change when a file changes while it is read: its attributes, and its times in units of 100 nanoseconds.
pub fn stamp(meta: &Metadata) -> [i64; 5] {
    [
        i64::from(meta.file_attributes()),
        meta.last_write_time() as i64,
        meta.creation_time() as i64,
        0,
        0,
    ]
}

/// Returns `None`: every time that the standard library tells can be set, so nothing is believed by it.
pub fn change_print(_meta: &Metadata) -> Option<[u64; 7]> {
    None
}

/// Returns false: a named pipe is no file of a directory.
pub fn is_fifo(_kind: FileType) -> bool {
    false
}

/// Returns false: the standard library does not tell.
pub fn is_socket(_kind: FileType) -> bool {
    false
}

/// Returns whether it is neither a file, a directory nor a link.
pub fn is_character_device(kind: FileType) -> bool {
    !kind.is_file() && !kind.is_dir() && !kind.is_symlink()
}
