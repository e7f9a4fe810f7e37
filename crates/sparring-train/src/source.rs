use crate::TrainError;
use rand::seq::SliceRandom;
use sparring_core::{BoxError, Seed, TaskSource};

/// A list of tasks, repeated without end, in a new order in each epoch.
///
/// Epoch `e` is the list shuffled by `seed.index(e)`; task number `i` is task `i mod N` of epoch `i / N`.
///
/// ```
/// use sparring_core::{Seed, TaskSource};
/// use sparring_train::Epochs;
///
/// let mut source = Epochs::new(vec!["a", "b", "c"]);
/// let six = source.tasks(0, 6, Seed::new(1))?;
/// assert_eq!(six[2..5], source.tasks(2, 3, Seed::new(1))?);
/// let mut first: Vec<_> = six[..3].to_vec();
/// first.sort_unstable();
/// assert_eq!(first, ["a", "b", "c"]);
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Epochs<T> {
    tasks: Vec<T>,
}

impl<T> Epochs<T> {
    /// A source of these tasks; an empty list is exhausted at once.
    pub fn new(tasks: Vec<T>) -> Self {
        Self { tasks }
    }
}

impl<T: Clone + Send> TaskSource<T> for Epochs<T> {
    fn tasks(&mut self, first: u64, n: usize, seed: Seed) -> Result<Vec<T>, BoxError> {
        let count = self.tasks.len() as u64;
        if count == 0 || n == 0 {
            return Ok(Vec::new());
        }
        let epoch = |e: u64| {
            let mut order: Vec<usize> = (0..self.tasks.len()).collect();
            order.shuffle(&mut seed.index(e).rng());
            order
        };
        let last = first + n as u64 - 1;
        let epochs: Vec<Vec<usize>> = (first / count..=last / count).map(epoch).collect();
        let task = |i: u64| {
            let order = &epochs[(i / count - first / count) as usize];
            self.tasks[order[(i % count) as usize]].clone()
        };
        Ok((first..=last).map(task).collect())
    }
}

/// Tasks number `first`, …, `first + n − 1` of the source; fewer where it is exhausted.
///
/// # Errors
/// [`TrainError::Source`] where the source fails, or returns more than `n` tasks.
pub fn draw_tasks<T>(
    source: &mut dyn TaskSource<T>,
    first: u64,
    n: usize,
    seed: Seed,
) -> Result<Vec<T>, TrainError> {
    let tasks = source.tasks(first, n, seed).map_err(|source| TrainError::Source { first, source })?;
    if tasks.len() > n {
        let source = format!("it returned {} tasks, but {n} were requested", tasks.len()).into();
        return Err(TrainError::Source { first, source });
    }
    Ok(tasks)
}
