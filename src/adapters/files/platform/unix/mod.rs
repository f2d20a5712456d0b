//! Linux, macOS and other systems of the kind.

mod files;
mod handles;
mod process;
mod signals;
mod terminal;

pub use std::fs::canonicalize;
pub use std::os::unix::fs::FileExt;
#[cfg(test)]
pub use std::os::unix::fs::symlink;

pub use files::{
    change_print, ensure_ours, has_executable_bit, is_at, is_character_device, is_fifo, is_private, is_socket,
    may_be_run, mode_of, names_of, private, private_directories, set_mode, set_mode_at, stamp, with_mode,
};
pub use handles::{
    Inherited, OpenDirectory, ensure_may_write_in, exchange, is_still_locked, name_unnamed, open_to_lock,
    place_program, rename_new, share_blocks, sync, sync_file_system, unfollowed, unnamed_in,
};
#[cfg(test)]
pub use process::exited;
pub use process::{ask_to_end, limit_memory, memory, processor_time};
pub use signals::{interrupt, on_interruption};
pub use terminal::TerminalSettings;
