//! What a look at this repository has cost so far, held against what it may cost.

use std::process::exit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use crate::adapters::git::Repository;
use crate::adapters::{usage, workers};
use crate::format::budget::{Bound, SECOND_FOR_EACH, SMALL};
use crate::refusal::{Refusal, Result};

/// The processor time is asked for once in so many expenses.
const ASK_EACH: u64 = 32;

/// What one object, and all that is held, may take more of on a server that has large ones already.
const MORE_MEMORY: u64 = 256 << 20;

/// What may be held more for each core beyond two, since each reads an object of its own.
const MEMORY_OF_A_CORE: u64 = 64 << 20;

/// How often it is looked at what the process uses.
const LOOK_EACH: Duration = Duration::from_millis(5);

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Somebody in their own clone.
    Clone,
    /// A server that receives what others made.
    Server,
}

/// What may be spent, and what was; shared by all threads.
pub(super) struct Budget {
    side: Side,
    /// What git's configuration sets, in the order of [`Bound::ALL`].
    configured: [Option<u64>; Bound::ALL.len()],
    spent: [AtomicU64; Bound::ALL.len()],
    /// Bytes of which the bounds grow; found out when a base is exceeded.
    weight: OnceLock<u64>,
    expenses: AtomicU64,
    /// What may be held besides, because of the objects that were here before.
    more_memory: u64,
}

impl Budget {
    /// Makes one of which nothing is spent yet.
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

    /// Makes one that bounds nothing but how deep things nest: git itself refuses to go deeper.
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

    /// Returns what is allowed of a bound before anything is weighed.
    fn base(&self, bound: Bound) -> u64 {
        self.configured[bound as usize].unwrap_or_else(|| match self.side {
            Side::Clone => bound.in_a_clone().base,
            Side::Server => bound.on_a_server().base,
        })
    }
}

impl Repository {
    /// Bounds what is read from now on: by what git's configuration says, and as fits `side`.
    pub fn bounded(mut self, side: Side) -> Result<Self> {
        let mut budget = Budget::new(side);
        for bound in Bound::ALL {
            budget.configured[bound as usize] = self.config_number(bound.key())?;
        }
        self.budget = budget;
        if side == Side::Server {
            // The objects that were here before may need more than what was sent.
            self.budget.more_memory = self.packed_bytes().saturating_mul(8).min(MORE_MEMORY);
        } else if self.budget.configured[Bound::ObjectBytes as usize].is_none() {
            // As the repository was opened.
            return Ok(self);
        }
        let memory = self.allowed(Bound::ObjectBytes);
        self.limit_memory(usize::try_from(memory).unwrap_or(usize::MAX))?;
        Ok(self)
    }

    /// Returns the number in git's configuration; `k`, `m` and `g` behind it count as git counts them.
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
            problem: format!("{key}: expected a number such as 2000000 or 512m, found {text:?}"),
        })
    }

    /// Returns how much of a bound is allowed here.
    pub(super) fn allowed(&self, bound: Bound) -> u64 {
        self.budget.allowed(bound, || self.weight())
    }

    /// Counts what something costs, and refuses it where all together is more than allowed.
    pub fn spend(&self, bound: Bound, amount: u64) -> Result<()> {
        let spent = self.budget.spent[bound as usize].fetch_add(amount, Ordering::Relaxed);
        let spent = spent.saturating_add(amount);
        let expenses = self.budget.expenses.fetch_add(1, Ordering::Relaxed);
        if expenses.is_multiple_of(ASK_EACH) {
            self.spend_time()?;
        }
        self.hold(bound, spent)
    }

    /// Refuses something that takes more of a bound than is allowed.
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

    /// Refuses to go on where the processor was busy for too long: what the other bounds cannot foresee.
    pub fn spend_time(&self) -> Result<()> {
        if self.budget.base(Bound::Seconds) == u64::MAX {
            return Ok(());
        }
        self.hold(Bound::Seconds, usage::processor_time().as_secs())
    }

    /// Does `work`, and meanwhile ends the process once that has used more time or memory than it may, with the code that
    /// `tell` returns: this holds for what cannot count by itself, such as a parser. Nothing is watched where neither is
    /// bounded.
    pub fn watched<R>(&self, tell: impl FnOnce(Refusal) -> u8 + Send, work: impl FnOnce() -> R) -> R {
        if [Bound::Seconds, Bound::Memory].map(|bound| self.budget.base(bound)) == [u64::MAX; 2] {
            return work();
        }
        let (working, finished) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                while finished.recv_timeout(LOOK_EACH) == Err(RecvTimeoutError::Timeout) {
                    let memory = usage::memory().map_or(Ok(()), |held| self.hold(Bound::Memory, held));
                    if let Err(refused) = memory.and_then(|()| self.spend_time()) {
                        let code = tell(refused);
                        // What waits to be dropped is not.
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

    /// Returns how many findings are worth keeping: a server tells whoever pushes of some, and the rest is counted.
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
