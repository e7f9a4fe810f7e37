use super::{Scores, total};
use crate::{RewardError, Schedule};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};

/// Maps a reward in [0, 1] to the range `min + (max - min)·r`, where both ends may follow a [`Schedule`].
///
/// ToolRL's `R_corr = 6·score/S_max - 3` (arXiv 2504.13958) and its dynamic scales. It has one component, under the
/// reward's name. A reward outside [0, 1] is an error.
///
/// ```
/// use sparring_core::{reward_fn, Reward, RewardContext, Rollout};
/// use sparring_reward::Range;
///
/// let share = reward_fn("share", |_: &str, out: &Rollout| out.text.parse().ok());
/// let reward = Range::new(-3.0, 3.0, share);
/// let group = ["0", "0.75", "1", "none"].map(Rollout::from_text);
/// let scores = reward.score("task", &group, &RewardContext::default())?;
/// assert_eq!(scores, [Some(-3.0), Some(1.5), Some(3.0), None]);
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Range<R> {
    min: Schedule,
    max: Schedule,
    reward: R,
}

impl<R> Range<R> {
    /// Returns `reward` mapped to [min, max].
    pub fn new(min: impl Into<Schedule>, max: impl Into<Schedule>, reward: R) -> Self {
        Self { min: min.into(), max: max.into(), reward }
    }
}

/// Sums of `f32` shares may exceed 1 by rounding.
const ROUNDING: f64 = 1e-5;

impl<T: ?Sized, R: Reward<T>> Reward<T> for Range<R> {
    fn name(&self) -> &str {
        self.reward.name()
    }

    fn score(&self, task: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Scores, BoxError> {
        let [min, max] = [self.min, self.max].map(|end| end.at(ctx.step, ctx.total_steps));
        let put = |share: f32| {
            let share = f64::from(share);
            if !(-ROUNDING..=1.0 + ROUNDING).contains(&share) {
                let what = format!("scored {share}, expected 0 to 1, to map it onto a range");
                return Err(RewardError::contract(self.reward.name(), what));
            }
            Ok((min + (max - min) * share.clamp(0.0, 1.0)) as f32)
        };
        let scores = total(&self.reward, task, group, ctx)?;
        let scores = scores.into_iter().map(|share| share.map(put).transpose());
        Ok(scores.collect::<Result<_, RewardError>>()?)
    }
}

/// Limits a reward to an interval: R-Zero's `max(0, r_unc - r_rep)` (arXiv 2508.05004). It has one component, under the
/// reward's name.
///
/// ```
/// use sparring_core::{reward_fn, Reward, RewardContext, Rollout};
/// use sparring_reward::Clamp;
///
/// let reward = Clamp::new(0.0, 1.0, reward_fn("number", |_: &str, out: &Rollout| out.text.parse().ok()));
/// let group = ["-2", "0.5", "7", "none"].map(Rollout::from_text);
/// let scores = reward.score("task", &group, &RewardContext::default())?;
/// assert_eq!(scores, [Some(0.0), Some(0.5), Some(1.0), None]);
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Clamp<R> {
    min: f64,
    max: f64,
    reward: R,
}

impl<R> Clamp<R> {
    /// Limits `reward` to at least `min` and at most `max`. An infinite limit has no effect; if `min` is above `max`,
    /// `min` wins.
    pub fn new(min: f64, max: f64, reward: R) -> Self {
        Self { min, max, reward }
    }
}

impl<T: ?Sized, R: Reward<T>> Reward<T> for Clamp<R> {
    fn name(&self) -> &str {
        self.reward.name()
    }

    fn score(&self, task: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Scores, BoxError> {
        let limit = |score: f32| f64::from(score).min(self.max).max(self.min) as f32;
        let scores = total(&self.reward, task, group, ctx)?;
        Ok(scores.into_iter().map(|score| score.map(limit)).collect())
    }
}
