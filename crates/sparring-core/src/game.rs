use crate::{BoxError, Message, Rollout, Seed};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A malformed proposal: data with a reward, never an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rejection {
    /// A short, stable name of the check that failed: reports count by it.
    pub rule: String,
    /// What was wrong, for a reader.
    pub detail: String,
}

impl Rejection {
    /// A rejection by `rule`.
    pub fn new(rule: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { rule: rule.into(), detail: detail.into() }
    }
}

/// The domain that the two roles play.
///
/// The Generator is asked for a task that meets a specification; its answer is read into a task or rejected;
/// the Solver is posed the task; the verifier says whether an answer solves it.
///
/// # Contract
/// Every method depends on its arguments only. `solved` is the verifier: never shaped, never lenient in the
/// Generator's favour. `read` rejects what `solved` could not judge.
pub trait Game: Send + Sync {
    /// What the Generator is asked for.
    type Spec: Serialize + DeserializeOwned + Clone + Send + Sync;
    /// What the Solver is posed. Its serialised form is what a run writes to disk.
    type Task: Serialize + DeserializeOwned + Clone + Send + Sync;

    /// Draws a specification.
    fn draw(&self, seed: Seed) -> Self::Spec;

    /// The Generator's prompt.
    fn generator_prompt(&self, spec: &Self::Spec) -> Vec<Message>;

    /// Reads the Generator's completion.
    ///
    /// # Errors
    /// A [`Rejection`] says which rule the proposal broke.
    fn read(&self, spec: &Self::Spec, out: &Rollout) -> Result<Self::Task, Rejection>;

    /// The Solver's prompt.
    fn solver_prompt(&self, task: &Self::Task) -> Vec<Message>;

    /// Whether the completion solves the task.
    fn solved(&self, task: &Self::Task, out: &Rollout) -> bool;

    /// The part of a completion that answers, in canonical form: equal answers agree (cross-verification).
    /// `None` where there is none. By default the whole text.
    fn answer(&self, task: &Self::Task, out: &Rollout) -> Option<String> {
        let _ = task;
        Some(out.text.clone())
    }

    /// Tasks of the same signature are duplicates. By default the serialised task.
    fn signature(&self, task: &Self::Task) -> String {
        serde_json::to_string(task).unwrap_or_default()
    }

    /// The stratum (domain) by which the pool is balanced.
    fn stratum(&self, task: &Self::Task) -> String {
        let _ = task;
        String::new()
    }

    /// Further tasks that follow from a verified one (the same request without the tool that serves it, say),
    /// or from it and another one of the pool, where there is one. By default none.
    fn derive(&self, task: &Self::Task, other: Option<&Self::Task>, seed: Seed) -> Vec<Self::Task> {
        let _ = (task, other, seed);
        Vec::new()
    }
}

/// Numbered tasks from somewhere else than a Generator: a list, a file, a service, another program.
///
/// # Contract
/// The result depends on the arguments only: the same numbers and seed give the same tasks, whatever was asked for
/// before, in this process or in another. So a run that is resumed learns on the tasks that it would have learned on.
/// The list is as long as the source likes, and need not end; fewer than `n` tasks come only where it does.
pub trait TaskSource<T>: Send {
    /// Tasks number `first`, …, `first + n − 1` of the list that belongs to `seed`.
    ///
    /// # Errors
    /// Any error stops the run.
    fn tasks(&mut self, first: u64, n: usize, seed: Seed) -> Result<Vec<T>, BoxError>;
}

impl<T, S: TaskSource<T> + ?Sized> TaskSource<T> for Box<S> {
    fn tasks(&mut self, first: u64, n: usize, seed: Seed) -> Result<Vec<T>, BoxError> {
        (**self).tasks(first, n, seed)
    }
}

/// Makes a [`TaskSource`] of a closure that gives one task by its number; `None` is the end of the list.
///
/// ```
/// use sparring_core::{Seed, TaskSource, task_source_fn};
/// let mut squares = task_source_fn(|i, _seed| Ok((i < 5).then_some(i * i)));
/// assert_eq!(squares.tasks(1, 3, Seed::new(0))?, [1, 4, 9]);
/// assert_eq!(squares.tasks(3, 3, Seed::new(0))?, [9, 16]);
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
pub fn task_source_fn<T>(
    f: impl FnMut(u64, Seed) -> Result<Option<T>, BoxError> + Send,
) -> impl TaskSource<T> {
    struct FromFn<F>(F);
    impl<T, F: FnMut(u64, Seed) -> Result<Option<T>, BoxError> + Send> TaskSource<T> for FromFn<F> {
        fn tasks(&mut self, first: u64, n: usize, seed: Seed) -> Result<Vec<T>, BoxError> {
            (first..first + n as u64).map_while(|i| (self.0)(i, seed).transpose()).collect()
        }
    }
    FromFn(f)
}
