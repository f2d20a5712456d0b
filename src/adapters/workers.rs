//! A pool of threads, bounded by the cores, that maps a list in its own order.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let work = || -> Result<Vec<(usize, R)>, (usize, E)> {
        let mut done = Vec::new();
        let mut state = match state() {
            Ok(state) => state,
            Err(e) => {
                failed.store(true, Ordering::Relaxed);
                return Err((0, e));
            }
        };
        loop {
            let start = next.fetch_add(run, Ordering::Relaxed);
            if start >= items.len() {
                return Ok(done);
            }
            for (at, item) in items.iter().enumerate().skip(start).take(run) {
                if failed.load(Ordering::Relaxed) {
                    return Ok(done);
                }
                match each(&mut state, item) {
                    Ok(result) => done.push((at, result)),
                    Err(e) => {
                        failed.store(true, Ordering::Relaxed);
                        return Err((at, e));
                    }
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
    let mut results = Vec::with_capacity(items.len());
    let mut first_error: Option<(usize, E)> = None;
    for outcome in outcomes {
        match outcome {
            Ok(done) => results.extend(done),
            Err(error) => {
                if first_error.as_ref().is_none_or(|first| error.0 < first.0) {
                    first_error = Some(error);
                }
            }
        }
    }
    if let Some((_, error)) = first_error {
        return Err(error);
    }
    results.sort_unstable_by_key(|(at, _)| *at);
    Ok(results.into_iter().map(|(_, result)| result).collect())
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
