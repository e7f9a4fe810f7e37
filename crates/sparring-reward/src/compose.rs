//! Rewards composed of other rewards.
//!
//! A part that does not apply (`None`) is left out and never counts as 0; if no part applies, neither does the whole. A
//! part that fails stops the run, and the error names it. Sums, weights, mixtures and gates keep the components of
//! their parts, and their score is the sum of the components. Products, ranges, limits and tiers are not sums of their
//! parts: each has one component, under its own name.

mod constant;
mod mix;
mod product;
mod range;
mod tiers;

pub use constant::Constant;
pub use mix::Mix;
pub use product::Product;
pub use range::{Clamp, Range};
pub use tiers::Tiers;

use crate::{RewardError, Schedule};
use sparring_core::{BoxError, Component, Reward, RewardContext, Rollout, check_scores, sum_components};

/// A boxed reward for tasks of type `T`.
pub type BoxReward<T> = Box<dyn Reward<T>>;

type Scores = Vec<Option<f32>>;

/// Returns the components of a part; an error keeps the name of the innermost failing reward.
fn components<T: ?Sized>(
    part: &dyn Reward<T>,
    task: &T,
    group: &[Rollout],
    ctx: &RewardContext<'_>,
) -> Result<Vec<Component>, RewardError> {
    part.components(task, group, ctx).map_err(|source| match source.downcast::<RewardError>() {
        Ok(inner) => *inner,
        Err(source) => RewardError::Failed { reward: part.name().to_owned(), source },
    })
}

/// Returns the score of a reward from its components.
fn score<T: ?Sized>(
    reward: &dyn Reward<T>,
    task: &T,
    group: &[Rollout],
    ctx: &RewardContext<'_>,
) -> Result<Scores, BoxError> {
    let components = reward.components(task, group, ctx)?;
    Ok(sum_components(reward.name(), &components, group.len())?)
}

/// Returns the score of a part, for compositions that are not sums.
fn total<T: ?Sized>(
    part: &dyn Reward<T>,
    task: &T,
    group: &[Rollout],
    ctx: &RewardContext<'_>,
) -> Result<Scores, BoxError> {
    let components = components(part, task, group, ctx)?;
    Ok(sum_components(part.name(), &components, group.len())?)
}

/// Multiplies every score by a factor.
fn scale(components: &mut [Component], factor: f64) {
    for score in components.iter_mut().flat_map(|(_, scores)| scores).flatten() {
        *score = (f64::from(*score) * factor) as f32;
    }
}

/// The sum of several rewards.
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
    /// Returns a sum without parts, which does not apply to anything.
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
        score(self, task, group, ctx)
    }

    fn components(
        &self,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let mut all = Vec::new();
        for part in &self.parts {
            all.extend(components(&**part, task, group, ctx)?);
        }
        Ok(all)
    }
}

/// A reward multiplied by a weight: a number, or a [`Schedule`] over the steps of the context.
///
/// ```
/// use sparring_core::{reward_fn, Reward, RewardContext, Rollout};
/// use sparring_reward::{Schedule, Weighted};
///
/// let long = || reward_fn("long", |_: &str, out: &Rollout| Some(out.text.len() as f32));
/// let group = [Rollout::from_text("four")];
/// let middle = RewardContext::at(50, 101);
/// assert_eq!(Weighted::new(0.5, long()).score("task", &group, &middle)?, [Some(2.0)]);
/// let rising = Weighted::new(Schedule::Linear { from: 0.0, to: 2.0 }, long());
/// assert_eq!(rising.score("task", &group, &middle)?, [Some(4.0)]);
/// # Ok::<(), sparring_core::BoxError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Weighted<R> {
    weight: Schedule,
    reward: R,
}

impl<R> Weighted<R> {
    /// Returns `weight` times `reward`, under the reward's name.
    pub fn new(weight: impl Into<Schedule>, reward: R) -> Self {
        Self { weight: weight.into(), reward }
    }
}

impl<T: ?Sized, R: Reward<T>> Reward<T> for Weighted<R> {
    fn name(&self) -> &str {
        self.reward.name()
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
        let weight = self.weight.at(ctx.step, ctx.total_steps);
        let mut components = self.reward.components(task, group, ctx)?;
        scale(&mut components, weight);
        Ok(components)
    }
}

/// A reward that counts only if another one is above 0.
///
/// If the gate scores 0 or less, the result is `Some(0.0)`, even if the reward would not apply. If the gate does not
/// apply, it is open. A closed gate does not hide a broken reward: a score that is not finite, or a wrong number of
/// scores, is an error in either of the two.
#[derive(Debug, Clone)]
pub struct Gate<G, R> {
    gate: G,
    reward: R,
}

impl<G, R> Gate<G, R> {
    /// Returns `reward` behind `gate`, under the reward's name.
    pub fn new(gate: G, reward: R) -> Self {
        Self { gate, reward }
    }
}

impl<T: ?Sized, G: Reward<T>, R: Reward<T>> Reward<T> for Gate<G, R> {
    fn name(&self) -> &str {
        self.reward.name()
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
        let gate = components(&self.gate, task, group, ctx)?;
        let gate = sum_components(self.gate.name(), &gate, group.len())?;
        let mut components = self.reward.components(task, group, ctx)?;
        if components.is_empty() {
            // A reward without parts does not apply; the 0 of a closed gate needs a component.
            components.push((self.reward.name().to_owned(), vec![None; group.len()]));
        }
        for (name, scores) in &mut components {
            // Check before the 0 of a closed gate replaces them.
            check_scores(name, scores, group.len())?;
            for (score, gate) in scores.iter_mut().zip(&gate) {
                if gate.is_some_and(|gate| gate <= 0.0) {
                    *score = Some(0.0);
                }
            }
        }
        Ok(components)
    }
}

#[cfg(test)]
mod tests;
