use super::Scores;
use crate::Schedule;
use sparring_core::{BoxError, Reward, RewardContext, Rollout};

/// The same score for every completion: a number, or a [`Schedule`] over the steps.
///
/// ```
/// use sparring_core::{Reward, RewardContext, Rollout};
/// use sparring_reward::Constant;
/// let scores = Constant::new(-1.0).score("any task", &[Rollout::from_text("x")], &RewardContext::default())?;
/// assert_eq!(scores, [Some(-1.0)]);
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constant {
    value: Schedule,
}

impl Constant {
    /// Returns this value, under the name `constant`.
    pub fn new(value: impl Into<Schedule>) -> Self {
        Self { value: value.into() }
    }
}

impl<T: ?Sized> Reward<T> for Constant {
    fn name(&self) -> &'static str {
        "constant"
    }

    fn score(&self, _: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Scores, BoxError> {
        Ok(vec![Some(self.value.at(ctx.step, ctx.total_steps) as f32); group.len()])
    }
}
