//! How long a request may take.

use std::time::Duration;

use ureq::Timeout;

use crate::refusal::transport::TransportFault;

/// How long is waited for a server.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a name, a connection, or the next bytes.
    pub step: Duration,
    /// For an answer after a request was sent whole. A registry hashes what it got before it answers.
    pub answer: Duration,
    /// The slowest transfer, in bytes a second.
    pub slowest: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            step: Duration::from_secs(60),
            answer: Duration::from_secs(300),
            slowest: 8 << 10,
        }
    }
}

impl Patience {
    /// Returns how long a transfer of `bytes` bytes may take.
    pub fn of(&self, bytes: u64) -> Duration {
        self.step + Duration::from_secs(bytes / self.slowest)
    }
}

/// Returns the fault of a wait that was too long.
pub fn timed_out(which: Timeout) -> TransportFault {
    match which {
        Timeout::RecvBody | Timeout::SendBody => TransportFault::Slow,
        _ => TransportFault::Timeout,
    }
}
