use crate::{BoxError, Hook, Message, Prompt, Rollout, Seed};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A malformed proposal. It is data with a reward, never an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rejection {
    /// A short, stable name of the check that failed; reports count rejections by it.
    pub rule: String,
    /// What was wrong, in words.
    pub detail: String,
}

impl Rejection {
    /// Returns a rejection by `rule`.
    pub fn new(rule: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { rule: rule.into(), detail: detail.into() }
    }
}

/// A self-play domain: how the two players' prompts, tasks and answers are made and judged.
///
/// The Generator is prompted for a task that meets a specification. Its answer is parsed into a task or rejected. The
/// Solver is prompted with the task, and the verifier decides whether an answer solves it.
///
/// # Contract
/// Every method depends on its arguments only. `solved` is the verifier: its verdict is not shaped, and never lenient
/// in the Generator's favour. `read` rejects what `solved` could not judge.
pub trait Game: Send + Sync {
    /// The specification of a task, which the Generator is prompted with.
    type Spec: Serialize + DeserializeOwned + Clone + Send + Sync;
    /// The task, which the Solver is prompted with. Runs write its serialised form to disk.
    type Task: Serialize + DeserializeOwned + Clone + Send + Sync;

    /// Draws a specification at random.
    fn draw(&self, seed: Seed) -> Self::Spec;

    /// Returns the Generator's prompt: a conversation, or a text to continue.
    fn generator_prompt(&self, spec: &Self::Spec) -> Prompt;

    /// Returns the hook that the Generator's proposals are drawn under (a grammar, say); it may only forbid tokens. By
    /// default none.
    fn generator_hook(&self, spec: &Self::Spec) -> Option<Hook> {
        let _ = spec;
        None
    }

    /// Returns the Generator's prompt without what its proposal should be about. A proposal that is hardly more likely
    /// after [`Game::generator_prompt`] than after this one misses the point. By default none.
    fn contrast_prompt(&self, spec: &Self::Spec) -> Option<Prompt> {
        let _ = spec;
        None
    }

    /// Parses the Generator's completion into a task.
    ///
    /// # Errors
    /// A [`Rejection`] with the rule that the proposal broke.
    fn read(&self, spec: &Self::Spec, out: &Rollout) -> Result<Self::Task, Rejection>;

    /// Returns the Solver's prompt.
    fn solver_prompt(&self, task: &Self::Task) -> Vec<Message>;

    /// Returns the hook that the Solver's answers are drawn under; it may only forbid tokens. By default none.
    fn solver_hook(&self, task: &Self::Task) -> Option<Hook> {
        let _ = task;
        None
    }

    /// Chooses `n` tasks of the Solver's pool for an update: their places in the pool, and each task as the Solver is
    /// to see it. Updates are numbered from 0 over all iterations.
    ///
    /// A game may change what is not the task itself, such as the menu of tools. Tasks whose prompts begin alike are
    /// computed much faster, since backends compute a common beginning once. With `None`, the default, updates take the
    /// tasks in the run's own order.
    fn choose(
        &self,
        pool: &[&Self::Task],
        n: usize,
        update: u64,
        seed: Seed,
    ) -> Option<Vec<(usize, Self::Task)>> {
        let _ = (pool, n, update, seed);
        None
    }

    /// Returns whether the completion solves the task.
    fn solved(&self, task: &Self::Task, out: &Rollout) -> bool;

    /// Returns an answer that solves the task, for a Solver that first imitates. By default none.
    fn gold_answer(&self, task: &Self::Task) -> Option<String> {
        let _ = task;
        None
    }

    /// Returns the answer in a completion in canonical form, so that answers can be compared (cross-verification);
    /// `None` if there is no answer. By default the whole text.
    fn answer(&self, task: &Self::Task, out: &Rollout) -> Option<String> {
        let _ = task;
        Some(out.text.clone())
    }

    /// Returns the key by which duplicate tasks are found. By default the serialised task.
    fn signature(&self, task: &Self::Task) -> String {
        serde_json::to_string(task).unwrap_or_default()
    }

    /// Returns the task's stratum (its domain, say); the pool is balanced over strata.
    fn stratum(&self, task: &Self::Task) -> String {
        let _ = task;
        String::new()
    }

    /// Derives further tasks from a verified one (the same request without the tool that serves it, say), or from it
    /// and `other`, another task of the pool, if there is one. By default none.
    fn derive(&self, task: &Self::Task, other: Option<&Self::Task>, seed: Seed) -> Vec<Self::Task> {
        let _ = (task, other, seed);
        Vec::new()
    }
}

/// A numbered list of tasks that does not come from a Generator: a data set, a file, a service.
///
/// # Contract
/// The result depends on the arguments only: the same numbers and seed give the same tasks, whatever was requested
/// before, in this process or another. A resumed run therefore trains on the tasks that it would have trained on.
/// The list may be endless; fewer than `n` tasks are returned only at its end.
pub trait TaskSource<T>: Send {
    /// Returns tasks `first`, …, `first + n − 1` of the list that belongs to `seed`.
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

/// Returns a [`TaskSource`] that calls a closure with a task's number; `None` ends the list.
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
