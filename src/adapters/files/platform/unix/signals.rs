//! The signals that interrupt this process.

use std::io;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::{emulate_default_handler, raise};

/// Has an interruption (`SIGINT`, `SIGTERM`) call `undo`. The process then dies by the signal, as a shell expects.
///
/// A signal that the parent had ignored, as for a job in the background, stays ignored.
pub fn on_interruption(undo: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let wanted = [SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(wanted.collect::<Vec<_>>())?;
    let work = move || {
        if let Some(signal) = signals.forever().next() {
            undo();
            // It does not return, unless the signal cannot be raised.
            drop(emulate_default_handler(signal));
            std::process::exit(2);
        }
    };
    std::thread::Builder::new()
        .name("interruption".into())
        .spawn(work)
        .map(drop)
}

/// Interrupts this process, for a key that reached a prompt instead of making a signal.
pub fn interrupt() -> ! {
    drop(raise(SIGINT));
    // The thread that watches ends the process.
    std::thread::sleep(Duration::from_secs(5));
    std::process::exit(2);
}

/// Returns whether the process was started with this signal ignored. False on systems that do not tell.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
