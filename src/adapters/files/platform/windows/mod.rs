//! Windows, without calls of the system: only what the standard library and safe wrappers offer.
//!
//! What belongs to a user lies below the user's profile, whose access list keeps other users out. Modes of files mean nothing here.

mod files;
mod handles;
mod process;
mod signals;
mod terminal;

/// Returns the absolute path without links, in the form that git takes.
pub use dunce::canonicalize;
#[cfg(test)]
pub use files::is_at;
pub use files::{
    change_print, ensure_ours, has_executable_bit, is_character_device, is_fifo, is_private, is_socket, may_be_run,
    mode_of, names_of, private, private_directories, set_mode, set_mode_at, stamp, with_mode,
};
#[cfg(test)]
pub use handles::symlink;
pub use handles::{
    FileExt, Inherited, OpenDirectory, ensure_may_write_in, exchange, is_still_locked, name_unnamed, open_to_lock,
    place_program, rename_new, share_blocks, sync, sync_file_system, unfollowed, unnamed_in,
};
#[cfg(test)]
pub use process::exited;
pub use process::{ask_to_end, limit_memory, memory, processor_time};
pub use signals::{interrupt, on_interruption};
pub use terminal::TerminalSettings;
