//! The processor time and memory that this process has used. Unlike wall-clock time, processor time does not depend on
//! what else the machine does.

use std::fs;
use std::time::Duration;

use rustix::param::page_size;
use rustix::time::{ClockId, clock_gettime};

/// Returns the processor time of all threads of this process since it began.
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
