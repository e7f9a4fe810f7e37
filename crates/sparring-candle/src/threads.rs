//! Divides work over threads from beginning to end: one join per call, none per operation.

use sparring_core::PolicyError;

/// Runs `f(i, parts[i])` for every part, part `i` on thread `i % threads`, and returns the results in
/// order. The calling thread is one of the threads.
///
/// # Errors
/// [`PolicyError::Backend`] if a thread panicked.
pub(crate) fn run_parts<T: Send, R: Send>(
    threads: usize,
    parts: Vec<T>,
    f: impl Fn(usize, T) -> R + Sync,
) -> Result<Vec<R>, PolicyError> {
    let threads = threads.min(parts.len()).max(1);
    let mut lanes: Vec<Vec<(usize, T)>> = (0..threads).map(|_| Vec::new()).collect();
    for (i, part) in parts.into_iter().enumerate() {
        lanes[i % threads].push((i, part));
    }
    let work = |lane: Vec<(usize, T)>| -> Vec<(usize, R)> {
        lane.into_iter().map(|(i, part)| (i, f(i, part))).collect()
    };
    let mut results = std::thread::scope(|scope| {
        let own = lanes.swap_remove(0);
        let work = &work;
        let others: Vec<_> = lanes.into_iter().map(|lane| scope.spawn(move || work(lane))).collect();
        let mut results = work(own);
        for other in others {
            results.extend(other.join().map_err(|_| PolicyError::Backend {
                what: "a worker thread panicked".to_owned(),
                source: None,
            })?);
        }
        Ok(results)
    })?;
    results.sort_by_key(|(i, _)| *i);
    Ok(results.into_iter().map(|(_, r)| r).collect())
}
