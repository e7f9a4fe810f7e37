use super::{Scores, components, scale, score};
use crate::{RewardError, Schedule};
use sparring_core::{BoxError, Component, Reward, RewardContext, Rollout};

/// The mixture `σ·late + (1 - σ)·early`, where σ follows a [`Schedule`] in [0, 1]: Tool-Zero's `R_tool`, which moves
/// from exploration to exploitation (arXiv 2511.01934, Eq. 9). Its components are the weighted ones of its parts. If
/// one part does not apply, the other keeps its weight.
///
/// ```
/// use sparring_core::{reward_fn, Reward, RewardContext, Rollout};
/// use sparring_reward::{Mix, Schedule};
///
/// let strict = reward_fn("strict", |_: &str, out: &Rollout| Some(f32::from(u8::from(out.text == "42"))));
/// let general = reward_fn("general", |_: &str, out: &Rollout| Some(if out.text.contains('4') { 0.5 } else { -0.5 }));
/// let reward = Mix::new(Schedule::Sigmoid { from: 0.0, to: 1.0, slope: 0.1, middle: 25.0 }, strict, general);
/// let group = ["42", "40", "7"].map(Rollout::from_text);
/// let scores = reward.score("task", &group, &RewardContext::at(25, 100))?;
/// assert_eq!(scores, [Some(0.75), Some(0.25), Some(-0.25)]);
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mix<A, B> {
    name: String,
    sigma: Schedule,
    late: A,
    early: B,
}

impl<A, B> Mix<A, B> {
    /// Returns `sigma·late + (1 - sigma)·early`, under the name `mix`.
    pub fn new(sigma: impl Into<Schedule>, late: A, early: B) -> Self {
        Self { name: "mix".to_owned(), sigma: sigma.into(), late, early }
    }

    /// Sets the name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl<T: ?Sized, A: Reward<T>, B: Reward<T>> Reward<T> for Mix<A, B> {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, task: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Scores, BoxError> {
        score(self, task, group, ctx)
    }

    fn components(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let sigma = self.sigma.at(ctx.step, ctx.total_steps);
        if !(0.0..=1.0).contains(&sigma) {
            let what = format!("has σ = {sigma} at step {}, expected 0 to 1", ctx.step);
            return Err(RewardError::contract(&self.name, what).into());
        }
        let mut all = components(&self.late, task, group, ctx)?;
        scale(&mut all, sigma);
        let mut early = components(&self.early, task, group, ctx)?;
        scale(&mut early, 1.0 - sigma);
        all.extend(early);
        Ok(all)
    }
}
