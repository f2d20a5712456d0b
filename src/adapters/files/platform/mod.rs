//! The door to what only Unix has. Other files name neither `std::os::unix` nor a call of the system; the bytes of paths have a door
//! of their own, `format/path_bytes.rs`.
//!
//! What the standard library has for Unix is handed on under its own names. A port to another system provides traits of these names
//! with the methods that are used.

mod handles;
mod process;
mod signals;
mod terminal;

pub use std::os::unix::fs::{
    DirBuilderExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink,
};
#[cfg(test)]
pub use std::os::unix::process::ExitStatusExt;

pub use handles::{
    OpenDirectory, UNFOLLOWED, ensure_may_write_in, exchange, inherited_file, inherited_name, name_unnamed,
    share_blocks, sync_file_system, unnamed_in,
};
pub use process::{ROOT_USER, ask_to_end, limit_memory, memory, processor_time, user};
pub use signals::{interrupt, on_interruption};
pub use terminal::TerminalSettings;
