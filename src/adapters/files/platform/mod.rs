//! The door to what systems do differently. Other files name neither `std::os` nor a call of the system; the bytes of paths have a
//! door of their own, `format/path_bytes.rs`.
//!
//! Each system has a directory with the same items. What one of them lacks it says in their return values, never by guessing:
//! callers then go on more slowly, or refuse.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use system::{
    FileExt, Inherited, OpenDirectory, TerminalSettings, ask_to_end, canonicalize, change_print, ensure_may_write_in,
    ensure_ours, exchange, has_executable_bit, interrupt, is_character_device, is_fifo, is_private, is_socket,
    is_still_locked, limit_memory, may_be_run, memory, mode_of, name_unnamed, names_of, on_interruption, open_to_lock,
    place_program, private, private_directories, processor_time, rename_new, set_mode, set_mode_at, share_blocks,
    stamp, sync, sync_file_system, unfollowed, unnamed_in, with_mode,
};
#[cfg(test)]
pub use system::{exited, is_at, symlink};

#[cfg(test)]
mod tests {
    use std::fs;

    use super::exchange;

    #[test]
    fn an_exchange_is_done_whole_or_not_at_all() {
        let temp = tempfile::tempdir().unwrap();
        let [one, other] = ["staged/one", "other"].map(|name| temp.path().join(name));
        for path in [&one, &other] {
            fs::create_dir_all(path).unwrap();
            fs::write(path.join("of"), path.file_name().unwrap().as_encoded_bytes()).unwrap();
        }
        let read = || [&one, &other].map(|path| fs::read_to_string(path.join("of")).unwrap());
        exchange(&one, &other).unwrap();
        assert_eq!(read(), ["other", "one"]);
        assert!(exchange(&temp.path().join("missing"), &other).is_err());
        assert!(exchange(&one, &temp.path().join("missing")).is_err());
        assert_eq!(read(), ["other", "one"]);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2);
    }
}
