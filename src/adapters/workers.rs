//! Maps a list on one thread for each core, keeping its order. Also a memory budget that threads share.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use crate::adapters::meter::Phase;

/// How many contents are sent or fetched at once. Most of the time of a small one is spent waiting.
pub const TRANSFERS: usize = 8;

/// Returns the number of threads to use: one for each core.
pub fn threads() -> usize {
    #[cfg(test)]
    if let Some(count) = FIXED.get() {
        return count;
    }
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

#[cfg(test)]
thread_local! {
    static FIXED: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
}

/// Runs a use case as on a machine with so many cores. No result may depend on their number.
#[cfg(test)]
pub fn as_if_on<R>(cores: usize, run: impl FnOnce() -> R) -> R {
    FIXED.set(Some(cores));
    let result = run();
    FIXED.set(None);
    result
}

/// Maps `items` in parallel, with one `state` for each thread. Returns the results in the order of the items.
///
/// After an error, starts no new item, and returns the error of the failed item with the lowest index.
pub fn map<T, S, R, E>(
    items: &[T],
    state: impl Fn() -> Result<S, E> + Sync,
    each: impl Fn(&mut S, &T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E>
where
    T: Sync,
    R: Send,
    E: Send,
{
    map_on(threads(), items, state, each)
}

/// Like [`map`], on up to `most` threads. More threads than cores help where threads wait.
pub fn map_on<T, S, R, E>(
    most: usize,
    items: &[T],
    state: impl Fn() -> Result<S, E> + Sync,
    each: impl Fn(&mut S, &T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E>
where
    T: Sync,
    R: Send,
    E: Send,
{
    let count = most.min(items.len()).max(1);
    // Neighbours go to the same thread, whose caches then hold what they share, such as a delta base or a directory.
    let run = (items.len() / (count * 16)).clamp(1, 256);
    map_in_runs(most, run, items, state, each)
}

/// Like [`map_on`]; each thread takes `run` items at a time.
pub fn map_in_runs<T, S, R, E>(
    most: usize,
    run: usize,
    items: &[T],
    state: impl Fn() -> Result<S, E> + Sync,
    each: impl Fn(&mut S, &T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E>
where
    T: Sync,
    R: Send,
    E: Send,
{
    let count = most.min(items.len()).max(1);
    let phase = Phase::of(items.len());
    let failed = AtomicBool::new(false);
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let runs = Mutex::new(items.chunks(run).zip(results.chunks_mut(run)).zip((0..).step_by(run)));
    let work = || -> Result<(), (usize, E)> {
        let fail = |at, e| {
            failed.store(true, Ordering::Relaxed);
            Err((at, e))
        };
        let mut state = match state() {
            Ok(state) => state,
            Err(e) => return fail(0, e),
        };
        loop {
            // This statement ends the lock before the work begins.
            let next = runs.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(((items, places), start)) = next else {
                return Ok(());
            };
            let taken = items.len();
            for (at, (item, place)) in (start..).zip(items.iter().zip(places)) {
                if failed.load(Ordering::Relaxed) {
                    return Ok(());
                }
                match each(&mut state, item) {
                    Ok(result) => *place = Some(result),
                    Err(e) => return fail(at, e),
                }
            }
            phase.advance(taken);
        }
    };
    let outcomes: Vec<_> = if count == 1 {
        vec![work()]
    } else {
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    };
    let errors = outcomes.into_iter().filter_map(Result::err);
    if let Some((_, error)) = errors.min_by_key(|(at, _)| *at) {
        return Err(error);
    }
    let results = results.into_iter();
    Ok(results
        .map(|result| result.expect("without an error, every item was mapped"))
        .collect())
}

/// An amount of memory that threads share. A thread waits until its share is available.
pub struct MemoryBudget {
    whole: u64,
    left: Mutex<u64>,
    given_back: Condvar,
}

/// A share of a [`MemoryBudget`], returned when dropped.
#[must_use = "a share that is dropped is given back"]
pub struct Share<'a> {
    of: &'a MemoryBudget,
    amount: u64,
}

impl MemoryBudget {
    /// Returns a budget of `whole` bytes.
    pub fn of(whole: u64) -> Self {
        Self {
            whole,
            left: Mutex::new(whole),
            given_back: Condvar::new(),
        }
    }

    /// Waits for a share of `amount` bytes, or of the whole budget if `amount` is larger.
    pub fn take(&self, amount: u64) -> Share<'_> {
        let amount = amount.min(self.whole);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        while *left < amount {
            left = self.given_back.wait(left).unwrap_or_else(PoisonError::into_inner);
        }
        *left -= amount;
        Share { of: self, amount }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.of.left.lock().unwrap_or_else(PoisonError::into_inner) += self.amount;
        self.of.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{MemoryBudget, map};

    #[test]
    fn no_more_is_taken_at_once_than_there_is() {
        let budget = MemoryBudget::of(10);
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for amount in [4, 7, 10, 99, 1, 0, 6, 3] {
                let (budget, held, most) = (&budget, &held, &most);
                scope.spawn(move || {
                    for _ in 0..200 {
                        let share = budget.take(amount);
                        let now = held.fetch_add(share.amount, Ordering::SeqCst) + share.amount;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        held.fetch_sub(share.amount, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 10);
        assert_eq!(*budget.left.lock().unwrap(), 10);
    }

    #[test]
    fn results_keep_the_order_and_errors_are_not_lost() {
        let items: Vec<u32> = (0..10_000).collect();
        let doubled = map(&items, || Ok::<_, ()>(()), |(), n| Ok(n * 2)).unwrap();
        assert!(doubled.iter().zip(&items).all(|(d, n)| *d == n * 2));
        let error = map(&items, || Ok(()), |(), n| if *n == 7777 { Err(*n) } else { Ok(()) });
        assert_eq!(error.unwrap_err(), 7777);
        assert_eq!(
            map(&items, || Err::<(), _>("no state"), |(), _| Ok(())),
            Err::<Vec<()>, _>("no state")
        );
        assert_eq!(map(&[] as &[u8], || Ok::<_, ()>(()), |(), _| Ok(())), Ok(vec![]));
    }
}
