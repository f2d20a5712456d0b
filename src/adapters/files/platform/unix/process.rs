//! This process, and the programs that it starts.

use std::fs;
use std::process::Child;
use std::time::Duration;

use rustix::param::page_size;
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

/// Asks a program to end, so that it also ends what it started. Returns false if it could not be asked.
pub fn ask_to_end(child: &Child) -> bool {
    pid_of(child).is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok())
}

/// Bounds the memory of a program, on Linux.
pub fn limit_memory(child: &Child, most: u64) {
    #[cfg(target_os = "linux")]
    if let Some(pid) = pid_of(child) {
        use rustix::process::{Resource, Rlimit, prlimit};
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        // The caller has other bounds, such as time.
        let _ = prlimit(Some(pid), Resource::Data, limit);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (child, most);
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Returns the processor time of all threads of this process since it began. Unlike wall-clock time, it does not depend on what
/// else the machine does.
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Returns the memory that this process holds now, in bytes, without mapped files. `None` on systems other than Linux,
/// which do not report it.
pub fn memory() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, shared) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some(resident.saturating_sub(shared).saturating_mul(page_size() as u64))
}

/// Returns the status of a program that ended with this code, for tests.
#[cfg(test)]
pub fn exited(code: i32) -> std::process::ExitStatus {
    std::os::unix::process::ExitStatusExt::from_raw(code << 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_that_is_written_to_counts() {
        let before = memory().unwrap();
        let held = vec![1_u8; 64 << 20];
        let now = memory().unwrap();
        assert!(now >= before + (48 << 20), "{before} {now}");
        drop(held);
    }
}
