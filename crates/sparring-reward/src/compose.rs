//! Rewards made of rewards.
//!
//! A part that does not apply (`None`) is left out and never counts as 0; where no part applies, the whole
//! does not. A failing part stops everything and is named. The `components` of every composition are its
//! parts' contributions: they add up to the score.

use crate::{RewardError, Schedule};
use sparring_core::{BoxError, Component, Reward, RewardContext, Rollout};

/// A reward of any kind for tasks of type `T`.
pub type BoxReward<T> = Box<dyn Reward<T>>;

type Scores = Vec<Option<f32>>;

/// Calls a reward and checks its contract: one finite score a completion.
///
/// # Errors
/// [`RewardError::Failed`] and [`RewardError::Contract`] name the reward.
pub fn checked_score<T: ?Sized>(
    reward: &dyn Reward<T>,
    task: &T,
    group: &[Rollout],
    ctx: &RewardContext<'_>,
) -> Result<Vec<Option<f32>>, RewardError> {
    let scores = reward.score(task, group, ctx).map_err(|source| named(reward.name(), source))?;
    check(reward.name(), &scores, group)?;
    Ok(scores)
}

fn checked_components<T: ?Sized>(
    reward: &dyn Reward<T>,
    task: &T,
    group: &[Rollout],
    ctx: &RewardContext<'_>,
) -> Result<Vec<Component>, RewardError> {
    let components = reward.components(task, group, ctx).map_err(|source| named(reward.name(), source))?;
    components.iter().try_for_each(|(name, scores)| check(name, scores, group))?;
    Ok(components)
}

/// The innermost failing reward keeps its name.
fn named(reward: &str, source: BoxError) -> RewardError {
    match source.downcast::<RewardError>() {
        Ok(inner) => *inner,
        Err(source) => RewardError::Failed { reward: reward.to_owned(), source },
    }
}

fn check(name: &str, scores: &[Option<f32>], group: &[Rollout]) -> Result<(), RewardError> {
    if scores.len() != group.len() {
        let what = format!("gave {} scores for {} completions", scores.len(), group.len());
        return Err(RewardError::contract(name, what));
    }
    match scores.iter().position(|score| score.is_some_and(|score| !score.is_finite())) {
        Some(i) => {
            Err(RewardError::contract(name, format!("gave completion {i} a score that is not finite")))
        }
        None => Ok(()),
    }
}

fn scale(scores: &mut Scores, by: f64) {
    for score in scores.iter_mut().flatten() {
        *score = (f64::from(*score) * by) as f32;
    }
}

/// The sum of its parts.
///
/// ```
/// use sparring_core::{reward_fn, Reward, RewardContext, Rollout};
/// use sparring_reward::{Sum, Weighted};
///
/// let reward = Sum::new("total")
///     .with(reward_fn("polite", |_: &str, out: &Rollout| Some(f32::from(u8::from(out.text.contains("please"))))))
///     .with(Weighted::new(0.5, reward_fn("short", |_: &str, out: &Rollout| (!out.text.is_empty()).then_some(1.0))));
/// let group = ["please", "no", ""].map(Rollout::from_text);
/// let scores = reward.score("task", &group, &RewardContext::default())?;
/// assert_eq!(scores, [Some(1.5), Some(0.5), Some(0.0)]); // the last has no length to judge
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
pub struct Sum<T: ?Sized> {
    name: String,
    parts: Vec<BoxReward<T>>,
}

impl<T: ?Sized> std::fmt::Debug for Sum<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<&str> = self.parts.iter().map(Reward::name).collect();
        f.debug_struct("Sum").field("name", &self.name).field("parts", &parts).finish()
    }
}

impl<T: ?Sized> Sum<T> {
    /// A sum without parts: it applies to nothing.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), parts: Vec::new() }
    }

    /// Adds a part.
    #[must_use]
    pub fn with(mut self, part: impl Reward<T> + 'static) -> Self {
        self.parts.push(Box::new(part));
        self
    }
}

impl<T: ?Sized> Reward<T> for Sum<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, task: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Scores, BoxError> {
        let mut total: Vec<Option<f64>> = vec![None; group.len()];
        for part in &self.parts {
            let scores = checked_score(&**part, task, group, ctx)?;
            for (total, score) in total.iter_mut().zip(scores) {
                if let Some(score) = score {
                    *total = Some(total.unwrap_or(0.0) + f64::from(score));
                }
            }
        }
        Ok(total.into_iter().map(|total| total.map(|total| total as f32)).collect())
    }

    fn components(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let mut all = Vec::new();
        for part in &self.parts {
            all.extend(checked_components(&**part, task, group, ctx)?);
        }
        Ok(all)
    }
}

/// A reward times a constant.
#[derive(Debug, Clone)]
pub struct Weighted<R>(Scheduled<R>);

impl<R> Weighted<R> {
    /// `weight` times `reward`, under the reward's name.
    pub fn new(weight: f64, reward: R) -> Self {
        Self(Scheduled::new(Schedule::Constant(weight), reward))
    }
}

impl<T: ?Sized, R: Reward<T>> Reward<T> for Weighted<R> {
    fn name(&self) -> &str {
        Reward::<T>::name(&self.0)
    }

    fn score(&self, task: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Scores, BoxError> {
        self.0.score(task, group, ctx)
    }

    fn components(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        self.0.components(task, group, ctx)
    }
}

/// A reward times a weight that follows a [`Schedule`] over the steps of the context.
#[derive(Debug, Clone)]
pub struct Scheduled<R> {
    weight: Schedule,
    reward: R,
}

impl<R> Scheduled<R> {
    /// `weight` times `reward`, under the reward's name.
    pub fn new(weight: Schedule, reward: R) -> Self {
        Self { weight, reward }
    }
}

impl<T: ?Sized, R: Reward<T>> Reward<T> for Scheduled<R> {
    fn name(&self) -> &str {
        self.reward.name()
    }

    fn score(&self, task: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Scores, BoxError> {
        let mut scores = self.reward.score(task, group, ctx)?;
        scale(&mut scores, self.weight.at(ctx.step, ctx.total_steps));
        Ok(scores)
    }

    fn components(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let weight = self.weight.at(ctx.step, ctx.total_steps);
        let mut components = self.reward.components(task, group, ctx)?;
        for (_, scores) in &mut components {
            scale(scores, weight);
        }
        Ok(components)
    }
}

/// A reward that counts only where another one is above 0.
///
/// Where the gate scores 0 or less, the whole is `Some(0.0)`, whatever the reward says, even where it would
/// not apply. Where the gate does not apply, it is open.
#[derive(Debug, Clone)]
pub struct Gate<G, R> {
    gate: G,
    reward: R,
}

impl<G, R> Gate<G, R> {
    /// `reward` behind `gate`, under the reward's name.
    pub fn new(gate: G, reward: R) -> Self {
        Self { gate, reward }
    }

    fn shut<T: ?Sized>(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<bool>, BoxError>
    where
        G: Reward<T>,
    {
        let scores = self.gate.score(task, group, ctx).map_err(|source| named(self.gate.name(), source))?;
        check(self.gate.name(), &scores, group)?;
        Ok(scores.into_iter().map(|score| score.is_some_and(|score| score <= 0.0)).collect())
    }
}

fn close(scores: &mut Scores, shut: &[bool]) {
    for (score, shut) in scores.iter_mut().zip(shut) {
        if *shut {
            *score = Some(0.0);
        }
    }
}

impl<T: ?Sized, G: Reward<T>, R: Reward<T>> Reward<T> for Gate<G, R> {
    fn name(&self) -> &str {
        self.reward.name()
    }

    fn score(&self, task: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Scores, BoxError> {
        let shut = self.shut(task, group, ctx)?;
        let mut scores = self.reward.score(task, group, ctx)?;
        close(&mut scores, &shut);
        Ok(scores)
    }

    fn components(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let shut = self.shut(task, group, ctx)?;
        let mut components = self.reward.components(task, group, ctx)?;
        for (_, scores) in &mut components {
            close(scores, &shut);
        }
        Ok(components)
    }
}

#[cfg(test)]
mod tests;
