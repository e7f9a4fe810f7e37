use crate::{BoxError, Rollout};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The two players of self-play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Invents tasks.
    Generator,
    /// Solves them.
    Solver,
}

impl Role {
    /// `generator` or `solver`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Solver => "solver",
        }
    }
}

/// What a reward may know beside the task and its completions.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RewardContext<'a> {
    /// Update step, from 0, of the current phase.
    pub step: usize,
    /// Number of steps of the current phase.
    pub total_steps: usize,
    /// Who is scored; `None` outside self-play.
    pub role: Option<Role>,
    /// For a Generator's group: share of the frozen Solver's samples that solved each completion's task, in
    /// [0, 1]; `None` for a completion that was not probed. Empty where nothing is probed.
    pub solve_rates: &'a [Option<f32>],
    /// For terms over a whole batch (repetition, say): the completions of every group of the update, this
    /// one's included.
    pub batch: &'a [Vec<Rollout>],
}

impl<'a> RewardContext<'a> {
    /// A context at `step` of `total_steps`, for `role`.
    pub fn at(step: usize, total_steps: usize, role: Role) -> Self {
        Self { step, total_steps, role: Some(role), ..Self::default() }
    }

    /// Adds the solve rates of a Generator's group.
    #[must_use]
    pub fn with_solve_rates(mut self, rates: &'a [Option<f32>]) -> Self {
        self.solve_rates = rates;
        self
    }

    /// Adds the whole batch.
    #[must_use]
    pub fn with_batch(mut self, batch: &'a [Vec<Rollout>]) -> Self {
        self.batch = batch;
        self
    }
}

/// One named part of a reward: a score for each completion of a group.
pub type Component = (String, Vec<Option<f32>>);

/// Scores one task's whole group of completions.
///
/// # Contract
/// The result has one entry a completion. Four outcomes are four different things: `Err` is a broken
/// scorer and stops the run; `None` says that the reward does not apply (it never counts as 0); `Some(0.0)`
/// is a bad answer; a malformed proposal is a [`Rejection`](crate::Rejection), a training signal.
/// Scores are finite and depend on the arguments only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reward for tasks of type `{T}`",
    note = "wrap a closure with `sparring_core::reward_fn(\"name\", |task, rollout| Some(score))`"
)]
pub trait Reward<T: ?Sized>: Send + Sync {
    /// A short name, for reports and errors.
    fn name(&self) -> &str;

    /// Scores every completion of `group`.
    ///
    /// # Errors
    /// Any error stops the run, with the reward's name.
    fn score(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError>;

    /// The parts that the score is made of, for reports: `(name, scores)`. By default one part: itself.
    ///
    /// # Errors
    /// As [`Reward::score`].
    fn components(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        Ok(vec![(self.name().to_owned(), self.score(task, group, ctx)?)])
    }
}

impl<T: ?Sized, R: Reward<T> + ?Sized> Reward<T> for Box<R> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn score(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        (**self).score(task, group, ctx)
    }

    fn components(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        (**self).components(task, group, ctx)
    }
}

/// A closure as a reward; made by [`reward_fn`].
pub struct RewardFn<F> {
    name: String,
    score: F,
}

impl<F> fmt::Debug for RewardFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RewardFn").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Makes a reward of a closure that scores one completion.
pub fn reward_fn<T: ?Sized, F>(name: impl Into<String>, score: F) -> RewardFn<F>
where
    F: Fn(&T, &Rollout) -> Option<f32> + Send + Sync,
{
    RewardFn { name: name.into(), score }
}

impl<T: ?Sized, F> Reward<T> for RewardFn<F>
where
    F: Fn(&T, &Rollout) -> Option<f32> + Send + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn score(
        &self,
        task: &T,
        group: &[Rollout],
        _: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        Ok(group.iter().map(|rollout| (self.score)(task, rollout)).collect())
    }
}
