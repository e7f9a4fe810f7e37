use crate::{BoxError, Rollout};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The two players of self-play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Player {
    /// Writes tasks.
    Generator,
    /// Solves them.
    Solver,
}

impl Player {
    /// Returns `generator` or `solver`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generator => "generator",
            Self::Solver => "solver",
        }
    }
}

/// What a reward may use besides the task and its completions.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct RewardContext<'a> {
    /// Update step, from 0, of the current phase.
    pub step: usize,
    /// Number of steps of the current phase.
    pub total_steps: usize,
    /// The player that is scored; `None` where the loop names none.
    pub player: Option<Player>,
    /// For a Generator's group: the share of the frozen Solver's samples that solved each completion's task, in
    /// [0, 1]; `None` for a completion that was not probed. Empty if nothing was probed.
    pub solve_rates: &'a [Option<f32>],
    /// The completions of every group of the update, including this one, for rewards over a whole batch (repetition,
    /// say).
    pub batch: &'a [Vec<Rollout>],
}

impl<'a> RewardContext<'a> {
    /// Returns the context of `step` out of `total_steps`.
    pub fn at(step: usize, total_steps: usize) -> Self {
        Self { step, total_steps, ..Self::default() }
    }

    /// Sets the player that is scored.
    #[must_use]
    pub fn with_player(mut self, player: Player) -> Self {
        self.player = Some(player);
        self
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

/// A named part of a reward: its contribution to the score of each completion of a group.
pub type Component = (String, Vec<Option<f32>>);

/// Scores a whole group of completions of one task.
///
/// # Contract
/// The result has one entry per completion. Four outcomes are distinct: `Err` means that the scorer is broken, and
/// stops the run; `None` means that the reward does not apply, and never counts as 0; `Some(0.0)` is a bad answer; a
/// malformed proposal is a [`Rejection`](crate::Rejection), a training signal. Scores are finite and depend on the
/// arguments only.
///
/// The components add up to the score: for each completion, `score` is the sum of the components that apply, and
/// `None` if none does, within the rounding of `f32` ([`sum_components`]). Self-play relies on this: it computes the
/// components of a group once and trains on their sum.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a reward for tasks of type `{T}`",
    note = "wrap a closure with `sparring_core::reward_fn(\"name\", |task, rollout| Some(score))`"
)]
pub trait Reward<T: ?Sized>: Send + Sync {
    /// Returns a short name, for reports and errors.
    fn name(&self) -> &str;

    /// Scores every completion of `group`.
    ///
    /// # Errors
    /// Any error stops the run and is reported with the reward's name.
    fn score(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError>;

    /// Returns the named parts that add up to the score. By default one part: the result of another call of
    /// [`Reward::score`]. A reward with a non-deterministic score therefore breaks the contract, as its parts add up
    /// to another score.
    ///
    /// A reward with several parts implements this method, and `score` as [`sum_components`] of it. Two parts may
    /// share a name; reports add up parts of the same name.
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

/// A breach of the contract of [`Reward`].
///
/// It is separate from [`PolicyError`](crate::PolicyError), which is about models and says whether to retry. Here a
/// retry does not help: the reward has a bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The number of scores is not the number of completions.
    #[error("{name:?} gave {scores} scores for {completions} completions")]
    Count {
        /// The reward or component.
        name: String,
        /// Number of scores.
        scores: usize,
        /// Number of completions.
        completions: usize,
    },
    /// A score is infinite or NaN.
    #[error("{name:?} gave completion {completion} a score that is not finite")]
    NotFinite {
        /// The reward or component.
        name: String,
        /// Index of the completion in its group.
        completion: usize,
    },
}

/// Checks that the reward or component `name` has one finite score per completion.
///
/// # Errors
/// The first breach, with the name of the reward or component.
pub fn check_scores(name: &str, scores: &[Option<f32>], completions: usize) -> Result<(), ScoreError> {
    if scores.len() != completions {
        return Err(ScoreError::Count { name: name.to_owned(), scores: scores.len(), completions });
    }
    match scores.iter().position(|score| score.is_some_and(|score| !score.is_finite())) {
        Some(completion) => Err(ScoreError::NotFinite { name: name.to_owned(), completion }),
        None => Ok(()),
    }
}

/// Returns the scores of the reward `name`, one per completion: the sum of the components that apply, or `None` if
/// none does. Sums are taken in `f64` and rounded once.
///
/// ```
/// use sparring_core::sum_components;
/// let right = ("right".to_owned(), vec![Some(1.0), Some(0.0), None]);
/// let short = ("short".to_owned(), vec![Some(0.5), None, None]);
/// let parts = [right, short];
/// assert_eq!(sum_components("total", &parts, 3)?, [Some(1.5), Some(0.0), None]);
/// # Ok::<(), sparring_core::ScoreError>(())
/// ```
///
/// # Errors
/// A component, or the sum, breaks the contract ([`check_scores`]).
pub fn sum_components(
    name: &str,
    components: &[Component],
    completions: usize,
) -> Result<Vec<Option<f32>>, ScoreError> {
    let mut sums: Vec<Option<f64>> = vec![None; completions];
    for (part, scores) in components {
        check_scores(part, scores, completions)?;
        for (sum, score) in sums.iter_mut().zip(scores) {
            if let Some(score) = score {
                *sum = Some(sum.unwrap_or(0.0) + f64::from(*score));
            }
        }
    }
    let scores: Vec<_> = sums.into_iter().map(|sum| sum.map(|sum| sum as f32)).collect();
    check_scores(name, &scores, completions)?;
    Ok(scores)
}

/// Implements `Reward` for a pointer to a reward.
macro_rules! forward {
    ($($pointer:ty),*) => {
        $(impl<T: ?Sized, R: Reward<T> + ?Sized> Reward<T> for $pointer {
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
        })*
    };
}

forward!(Box<R>, &R);

/// A reward that calls a closure; made by [`reward_fn`].
pub struct RewardFn<F> {
    name: String,
    score: F,
}

impl<F> fmt::Debug for RewardFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RewardFn").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Returns a reward that scores each completion with a closure.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(scores: &[&[Option<f32>]]) -> Vec<Component> {
        scores.iter().enumerate().map(|(i, scores)| (format!("part {i}"), scores.to_vec())).collect()
    }

    #[test]
    fn parts_that_do_not_apply_are_left_out_of_the_sum() {
        let parts = parts(&[&[Some(1.0), Some(0.0), None, None], &[Some(-3.0), None, Some(2.0), None]]);
        assert_eq!(sum_components("sum", &parts, 4).unwrap(), [Some(-2.0), Some(0.0), Some(2.0), None]);
        assert_eq!(sum_components("nothing", &[], 2).unwrap(), [None, None]);
    }

    #[test]
    fn a_breach_names_the_component() {
        let message =
            |scores: &[&[Option<f32>]]| sum_components("sum", &parts(scores), 2).unwrap_err().to_string();
        let fine: &[Option<f32>] = &[Some(1.0), None];
        assert_eq!(message(&[fine, &[None]]), "\"part 1\" gave 1 scores for 2 completions");
        let nan: &[Option<f32>] = &[None, Some(f32::NAN)];
        assert_eq!(message(&[nan, fine]), "\"part 0\" gave completion 1 a score that is not finite");
        let huge: &[Option<f32>] = &[Some(f32::MAX), None];
        assert_eq!(message(&[huge, huge]), "\"sum\" gave completion 0 a score that is not finite");
    }
}
