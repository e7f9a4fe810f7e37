use serde_json::Value;
use sparring_core::{BoxError, Sampler};
use std::path::Path;

/// An evaluation with prompts, answers and scores of its own (a published benchmark, a file of requests), between the
/// updates of a run.
///
/// # Contract
/// `run` keeps its answers in `dir`, under names that begin with `at`, and continues with those that it finds there: a
/// run that was stopped asks nothing twice. The scores depend on the answers only.
pub trait Benchmark: Send + Sync {
    /// Its name: `evaluations.NAME` of the summary.
    fn name(&self) -> &str;

    /// Number of items, for progress.
    fn items(&self) -> usize;

    /// Asks a model and scores its answers. `at` names the state of the model (`base`, `iteration-2`); `done` is called
    /// with the number of items done.
    ///
    /// # Errors
    /// Any error stops the run.
    fn run(
        &self,
        sampler: &dyn Sampler,
        at: &str,
        dir: &Path,
        done: &mut dyn FnMut(usize),
    ) -> Result<Value, BoxError>;

    /// What the run's summary says: from the scores of the base, and of the model after each iteration.
    fn summary(&self, base: &Value, later: &[Value]) -> Value;

    /// A few words on a score for progress: `accuracy 21.7 %`.
    fn note(&self, score: &Value) -> String;
}

/// The seam is object-safe.
const _: fn(&dyn Benchmark) = |_| {};
