//! The budget of one command on this repository: counts what reading has cost, and refuses when it exceeds a bound.

use std::process::exit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use crate::adapters::files::platform;
use crate::adapters::git::Repository;
use crate::adapters::workers;
use crate::format::budget::{Bound, SECOND_FOR_EACH, SMALL};
use crate::refusal::config::ConfigFault;
use crate::refusal::{Refusal, Result};

/// Number of calls to [`Repository::spend`] after which the processor time is checked again.
const ASK_EACH: u64 = 32;

/// Most bytes of memory that one object, and all held objects together, may take beyond the bound on a server that
/// already stores large objects.
const MORE_MEMORY: u64 = 256 << 20;

/// Additional bytes of memory for each core beyond two, since each core reads an object of its own.
const MEMORY_OF_A_CORE: u64 = 64 << 20;

/// Interval at which the watcher checks the time and memory that the process uses.
const LOOK_EACH: Duration = Duration::from_millis(5);

/// Who reads the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A user in their own clone.
    Clone,
    /// A server that receives pushes.
    Server,
}

/// What may be spent and what has been spent. Shared by all threads.
pub(super) struct Budget {
    side: Side,
    /// The bounds that git's configuration sets, in the order of [`Bound::ALL`].
    configured: [Option<u64>; Bound::ALL.len()],
    spent: [AtomicU64; Bound::ALL.len()],
    /// Size in bytes by which the bounds grow. Computed when a base is first exceeded.
    weight: OnceLock<u64>,
    expenses: AtomicU64,
    /// Additional bytes of memory, because of large objects that were stored before the push.
    more_memory: u64,
}

impl Budget {
    /// Returns a budget of which nothing is spent yet.
    pub(super) fn new(side: Side) -> Self {
        Self {
            side,
            configured: [None; Bound::ALL.len()],
            spent: std::array::from_fn(|_| AtomicU64::new(0)),
            weight: OnceLock::new(),
            expenses: AtomicU64::new(0),
            more_memory: 0,
        }
    }

    /// Returns a budget that bounds nothing but the depth of trees, since git itself refuses deeper ones.
    pub(super) fn unbounded() -> Self {
        let mut budget = Self::new(Side::Clone);
        for bound in Bound::ALL.into_iter().filter(|bound| *bound != Bound::Depth) {
            budget.configured[bound as usize] = Some(u64::MAX);
        }
        budget
    }

    fn allowed(&self, bound: Bound, weigh: impl Fn() -> u64) -> u64 {
        if let Some(configured) = self.configured[bound as usize] {
            return configured;
        }
        let allowance = match self.side {
            Side::Clone => bound.in_a_clone(),
            Side::Server => bound.on_a_server(),
        };
        if allowance.for_each_kib == 0 && bound != Bound::Seconds {
            return allowance.base;
        }
        let weight = *self.weight.get_or_init(weigh);
        match bound {
            Bound::Seconds => {
                let more = weight.saturating_sub(SMALL) / SECOND_FOR_EACH;
                allowance.base.saturating_add(more)
            }
            Bound::ObjectBytes => allowance.with(weight).saturating_add(self.more_memory),
            Bound::Memory => {
                let cores = workers::threads().saturating_sub(2) as u64;
                let more = self.more_memory.saturating_add(cores.saturating_mul(MEMORY_OF_A_CORE));
                allowance.with(weight).saturating_add(more)
            }
            _ => allowance.with(weight),
        }
    }

    /// Returns the base of a bound, which holds for a repository or push of any size.
    fn base(&self, bound: Bound) -> u64 {
        self.configured[bound as usize].unwrap_or_else(|| match self.side {
            Side::Clone => bound.in_a_clone().base,
            Side::Server => bound.on_a_server().base,
        })
    }
}

impl Repository {
    /// Bounds all further reading, by git's configuration and by the defaults for `side`.
    pub fn bounded(mut self, side: Side) -> Result<Self> {
        let mut budget = Budget::new(side);
        for bound in Bound::ALL {
            budget.configured[bound as usize] = self.config_number(bound.key())?;
        }
        self.budget = budget;
        if side == Side::Server {
            // Objects that were stored before the push may need more memory than the objects in it.
            self.budget.more_memory = self.packed_bytes().saturating_mul(8).min(MORE_MEMORY);
        } else if self.budget.configured[Bound::ObjectBytes as usize].is_none() {
            // The default limit already applies since the repository was opened.
            return Ok(self);
        }
        let memory = self.allowed(Bound::ObjectBytes);
        self.limit_memory(usize::try_from(memory).unwrap_or(usize::MAX))?;
        Ok(self)
    }

    /// Returns a number from git's configuration. The suffixes `k`, `m` and `g` mean powers of 1024, as in git.
    fn config_number(&self, key: &str) -> Result<Option<u64>> {
        let Some(text) = self.config_text(key) else {
            return Ok(None);
        };
        let (digits, shift) = match text.to_ascii_lowercase() {
            text if text.ends_with('k') => (text[..text.len() - 1].to_owned(), 10),
            text if text.ends_with('m') => (text[..text.len() - 1].to_owned(), 20),
            text if text.ends_with('g') => (text[..text.len() - 1].to_owned(), 30),
            text => (text, 0),
        };
        let number = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
        number.map(Some).ok_or_else(|| Refusal::BadConfig {
            origin: "git config".into(),
            line: None,
            fault: ConfigFault::NotANumber {
                key: key.to_owned(),
                found: text,
            },
        })
    }

    /// Returns the limit of a bound for this repository.
    pub(super) fn allowed(&self, bound: Bound) -> u64 {
        self.budget.allowed(bound, || self.weight())
    }

    /// Adds a cost to the sum of a bound, and refuses if the sum exceeds the limit.
    pub fn spend(&self, bound: Bound, amount: u64) -> Result<()> {
        let spent = self.budget.spent[bound as usize].fetch_add(amount, Ordering::Relaxed);
        let spent = spent.saturating_add(amount);
        let expenses = self.budget.expenses.fetch_add(1, Ordering::Relaxed);
        if expenses.is_multiple_of(ASK_EACH) {
            self.spend_time()?;
        }
        self.hold(bound, spent)
    }

    /// Refuses if `needed` exceeds the limit of a bound.
    pub fn hold(&self, bound: Bound, needed: u64) -> Result<()> {
        if needed <= self.budget.base(bound) {
            return Ok(());
        }
        match self.allowed(bound) {
            allowed if needed <= allowed => Ok(()),
            allowed => Err(Refusal::Budget {
                bound,
                allowed: Some(allowed),
            }),
        }
    }

    /// Refuses if the process has used too much processor time. Catches costs that the other bounds do not foresee.
    pub fn spend_time(&self) -> Result<()> {
        if self.budget.base(Bound::Seconds) == u64::MAX {
            return Ok(());
        }
        self.hold(Bound::Seconds, platform::processor_time().as_secs())
    }

    /// Does `work` while another thread watches the time and memory of the process.
    ///
    /// Beyond a limit, it ends the process with the exit code that `tell` returns. This bounds work that cannot count
    /// its own cost, such as a parser. Watches nothing if neither time nor memory is bounded.
    pub fn watched<R>(&self, tell: impl FnOnce(Refusal) -> u8 + Send, work: impl FnOnce() -> R) -> R {
        if [Bound::Seconds, Bound::Memory].map(|bound| self.budget.base(bound)) == [u64::MAX; 2] {
            return work();
        }
        let (working, finished) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                while finished.recv_timeout(LOOK_EACH) == Err(RecvTimeoutError::Timeout) {
                    let memory = platform::memory().map_or(Ok(()), |held| self.hold(Bound::Memory, held));
                    if let Err(refused) = memory.and_then(|()| self.spend_time()) {
                        let code = tell(refused);
                        // `exit` drops nothing, so remove temporary files first.
                        self.leave_nothing();
                        exit(code.into());
                    }
                }
            });
            let result = work();
            drop(working);
            result
        })
    }

    /// Returns the number of findings to keep. A server reports some of them to the pusher and counts the rest.
    pub fn findings_kept(&self) -> usize {
        match self.budget.side {
            Side::Clone => usize::MAX,
            Side::Server => 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_push_has_the_base_and_a_large_one_more() {
        let budget = Budget::new(Side::Server);
        assert_eq!(budget.allowed(Bound::Entries, || 0), budget.base(Bound::Entries));
        let budget = Budget::new(Side::Server);
        assert_eq!(budget.allowed(Bound::Seconds, || 1 << 20), 8);
        let budget = Budget::new(Side::Server);
        assert_eq!(budget.allowed(Bound::Seconds, || 2 << 20), 16);
        let budget = Budget::new(Side::Clone);
        assert_eq!(budget.allowed(Bound::Seconds, || 0), u64::MAX);
    }
}
