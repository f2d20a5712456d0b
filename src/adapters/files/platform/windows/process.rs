//! This process, and the programs that it starts.

use std::process::Child;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Returns false: a program cannot be asked to end.
pub fn ask_to_end(_child: &Child) -> bool {
    false
}

/// Does nothing. The caller has other bounds, such as time.
pub fn limit_memory(_child: &Child, _most: u64) {}

/// Returns the time since this was first asked for. Unlike processor time, it passes while the process waits, so a limit of it is
/// reached sooner.
pub fn processor_time() -> Duration {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

/// Returns `None`: no safe call tells how much memory this process holds.
pub fn memory() -> Option<u64> {
    None
}

/// Returns the status of a program that ended with this code, for tests.
#[cfg(test)]
pub fn exited(code: i32) -> std::process::ExitStatus {
    std::os::windows::process::ExitStatusExt::from_raw(code as u32)
}
