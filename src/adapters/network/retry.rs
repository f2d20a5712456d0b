//! When a request is tried again, and how long that is waited for.

use std::time::Duration;

use crate::refusal::transport::TransportFault;

/// How often a request is tried.
const ATTEMPTS: u32 = 6;

/// How long is waited before the second attempt. Each further wait is twice as long.
const FIRST: Duration = Duration::from_millis(200);

/// The longest wait that a server may ask for.
const LONGEST: Duration = Duration::from_secs(60);

/// What a failed request says about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It would fail again.
    Never,
    /// It may succeed.
    Soon,
    /// It may succeed after this time.
    After(Duration),
}

/// A failed attempt.
#[derive(Debug)]
pub struct Failure {
    /// Why it failed.
    pub fault: TransportFault,
    /// Whether another attempt may help.
    pub again: Again,
}

impl Failure {
    /// Returns a failure after which no other attempt is made.
    pub fn last(fault: TransportFault) -> Self {
        let again = Again::Never;
        Self { fault, again }
    }
}

impl From<TransportFault> for Failure {
    fn from(fault: TransportFault) -> Self {
        let again = match fault {
            TransportFault::Connection { .. }
            | TransportFault::Timeout
            | TransportFault::Slow
            | TransportFault::Short => Again::Soon,
            _ => Again::Never,
        };
        Self { fault, again }
    }
}

/// The waits between attempts. Progress starts them anew.
#[derive(Debug)]
pub struct Waits {
    tried: u32,
}

impl Default for Waits {
    fn default() -> Self {
        Self { tried: 1 }
    }
}

impl Waits {
    /// Notes that something was achieved since the last failure.
    pub fn progressed(&mut self) {
        self.tried = 1;
    }

    /// Waits for the next attempt. Returns the fault if there is none.
    pub fn next(&mut self, failure: Failure) -> Result<(), TransportFault> {
        match self.wait(&failure) {
            Some(wait) => {
                std::thread::sleep(wait);
                self.tried += 1;
                Ok(())
            }
            None => Err(failure.fault),
        }
    }

    fn wait(&self, failure: &Failure) -> Option<Duration> {
        let own = FIRST * 2u32.pow(self.tried - 1);
        match failure.again {
            Again::Never => None,
            _ if self.tried >= ATTEMPTS => None,
            Again::Soon => Some(own),
            Again::After(asked) => (asked <= LONGEST).then(|| asked.max(own)),
        }
    }
}

/// Repeats an attempt while another one may help.
pub fn repeat<T>(mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T, TransportFault> {
    let mut waits = Waits::default();
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(failure) => waits.next(failure)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(again: Again) -> Failure {
        Failure {
            fault: TransportFault::Timeout,
            again,
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let mut waits = Waits::default();
        let mut all = Vec::new();
        while let Some(wait) = waits.wait(&failure(Again::Soon)) {
            all.push(wait.as_millis());
            waits.tried += 1;
        }
        assert_eq!(all, [200, 400, 800, 1600, 3200]);
        waits.progressed();
        assert!(waits.wait(&failure(Again::Soon)).is_some());
    }

    #[test]
    fn what_a_server_asks_for_is_bounded() {
        let waits = Waits::default();
        assert_eq!(
            waits.wait(&failure(Again::After(Duration::from_secs(3)))),
            Some(Duration::from_secs(3))
        );
        assert_eq!(waits.wait(&failure(Again::After(Duration::ZERO))), Some(FIRST));
        assert_eq!(waits.wait(&failure(Again::After(Duration::from_secs(3600)))), None);
        assert_eq!(waits.wait(&failure(Again::Never)), None);
    }
}
