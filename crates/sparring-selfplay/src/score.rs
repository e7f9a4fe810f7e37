use crate::SelfPlayError;
use crate::summary::mean;
use serde_json::{Map, Value};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};

/// The rewards of an update, checked, and the mean of each component.
#[derive(Debug, Default)]
pub(crate) struct Scored {
    /// For each group, one entry a completion.
    pub(crate) rewards: Vec<Vec<Option<f32>>>,
    /// Values of each component over the update, in order of appearance.
    components: Vec<(String, Vec<f32>)>,
}

impl Scored {
    /// Scores one group and appends it.
    pub(crate) fn add<T>(
        &mut self,
        reward: &dyn Reward<T>,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<(), SelfPlayError> {
        let failed = |source: BoxError| SelfPlayError::Reward { name: reward.name().to_owned(), source };
        let scores = reward.score(task, group, ctx).map_err(failed)?;
        check(&scores, group.len()).map_err(failed)?;
        for (name, values) in reward.components(task, group, ctx).map_err(failed)? {
            check(&values, group.len()).map_err(failed)?;
            let values = values.into_iter().flatten();
            match self.components.iter_mut().find(|(known, _)| *known == name) {
                Some((_, all)) => all.extend(values),
                None => self.components.push((name, values.collect())),
            }
        }
        self.rewards.push(scores);
        Ok(())
    }

    /// Mean of all rewards that apply.
    pub(crate) fn mean(&self) -> f32 {
        let all: Vec<f32> = self.rewards.iter().flatten().copied().flatten().collect();
        mean(&all).unwrap_or(0.0)
    }

    /// Mean of each component over the completions it applies to.
    pub(crate) fn components(&self) -> Map<String, Value> {
        self.components.iter().map(|(name, values)| (name.clone(), Value::from(mean(values)))).collect()
    }
}

/// The contract of a reward: one finite score a completion.
fn check(scores: &[Option<f32>], wanted: usize) -> Result<(), BoxError> {
    if scores.len() != wanted {
        return Err(format!("it gave {} scores for {wanted} completions", scores.len()).into());
    }
    match scores.iter().position(|s| s.is_some_and(|s| !s.is_finite())) {
        Some(i) => Err(format!("its score of completion {i} is not finite").into()),
        None => Ok(()),
    }
}
