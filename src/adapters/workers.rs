//! A pool of threads, bounded by the cores, that maps a list in its own order.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Returns how many threads are worth having.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Maps `items` with one `state` a thread; results stand in the order of the items.
///
/// After an error no new item is begun, and the error of the earliest failed item is returned.
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
    let count = threads().min(items.len()).max(1);
    // Neighbours go to one thread, which keeps what they share (a delta base, a directory) in its caches.
    let run = (items.len() / (count * 16)).clamp(1, 256);
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
            // The lock is given back before the work begins.
            let next = runs.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(((items, places), start)) = next else {
                return Ok(());
            };
            for (at, (item, place)) in (start..).zip(items.iter().zip(places)) {
                if failed.load(Ordering::Relaxed) {
                    return Ok(());
                }
                match each(&mut state, item) {
                    Ok(result) => *place = Some(result),
                    Err(e) => return fail(at, e),
                }
            }
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

#[cfg(test)]
mod tests {
    use super::map;

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
