use crate::TrainError;
use crate::summary::mean;
use serde_json::{Map, Value};
use sparring_core::{BoxError, Component, Hook, Reward, RewardContext, Rollout, sum_components};
use sparring_grpo::is_zero_advantage;

/// The rewards of one group.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Score {
    /// One entry a completion; `None` where no reward applies.
    pub rewards: Vec<Option<f32>>,
    /// The components that add up to the rewards, each name once: those of one name are added up.
    pub components: Vec<Component>,
    /// For the keyed advantages: a task and a player, say. Groups of one key share a statistic.
    pub key: String,
    /// p of [`Adpo`](sparring_grpo::Adpo): share of the completions that agree with the majority, in [0, 1].
    pub consistency: Option<f64>,
    /// The hook that the completions were drawn under.
    pub hook: Option<Hook>,
}

impl Score {
    /// Scores one group, by one call of the reward.
    ///
    /// # Errors
    /// [`TrainError::Reward`] where the reward fails or breaks its contract.
    pub fn of<T: ?Sized>(
        reward: &dyn Reward<T>,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Self, TrainError> {
        let failed = |source: BoxError| TrainError::Reward { name: reward.name().to_owned(), source };
        let given = reward.components(task, group, ctx).map_err(failed)?;
        let rewards = sum_components(reward.name(), &given, group.len()).map_err(|e| failed(e.into()))?;
        let mut components: Vec<Component> = Vec::new();
        for (i, (name, _)) in given.iter().enumerate() {
            if components.iter().any(|(known, _)| known == name) {
                continue;
            }
            let same: Vec<Component> = given[i..].iter().filter(|(n, _)| n == name).cloned().collect();
            let values = sum_components(name, &same, group.len()).map_err(|e| failed(e.into()))?;
            components.push((name.clone(), values));
        }
        Ok(Self { rewards, components, ..Self::default() })
    }

    /// Sets the hook, or none.
    #[must_use]
    pub fn with_hook(mut self, hook: Option<Hook>) -> Self {
        self.hook = hook;
        self
    }

    /// Returns whether the rewards are equal, or all of their components, if advantages are computed `by_parts`.
    pub(crate) fn is_zero_advantage(&self, by_parts: bool) -> bool {
        if by_parts && !self.components.is_empty() {
            return self.components.iter().all(|(_, scores)| is_zero_advantage(scores));
        }
        is_zero_advantage(&self.rewards)
    }

    /// Rewards from elsewhere, without components.
    pub fn from_rewards(rewards: Vec<Option<f32>>) -> Self {
        Self { rewards, ..Self::default() }
    }
}

/// The scores of an update, group by group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scored {
    /// In the order of the groups.
    pub groups: Vec<Score>,
}

impl Scored {
    /// Scores one group, by one call of the reward, and appends it.
    ///
    /// # Errors
    /// As [`Score::of`].
    pub fn add<T: ?Sized>(
        &mut self,
        reward: &dyn Reward<T>,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<(), TrainError> {
        self.groups.push(Score::of(reward, task, group, ctx)?);
        Ok(())
    }

    /// Mean of all rewards that apply; 0 without any.
    pub fn mean(&self) -> f32 {
        let all: Vec<f32> = self.groups.iter().flat_map(|g| &g.rewards).copied().flatten().collect();
        mean(&all).unwrap_or(0.0)
    }

    /// Mean of each component over the completions it applies to, in order of appearance.
    pub fn components(&self) -> Map<String, Value> {
        let mut all: Vec<(&str, Vec<f32>)> = Vec::new();
        for (name, scores) in self.groups.iter().flat_map(|group| &group.components) {
            let values = scores.iter().copied().flatten();
            match all.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => known.extend(values),
                None => all.push((name, values.collect())),
            }
        }
        all.into_iter().map(|(name, values)| (name.to_owned(), Value::from(mean(&values)))).collect()
    }
}

impl FromIterator<Score> for Scored {
    fn from_iter<I: IntoIterator<Item = Score>>(scores: I) -> Self {
        Self { groups: scores.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two parts of one name and one of another; the text is their three scores, `-` where one does not apply.
    struct Twins;

    impl Reward<()> for Twins {
        fn name(&self) -> &'static str {
            "whole"
        }

        fn score(
            &self,
            task: &(),
            group: &[Rollout],
            ctx: &RewardContext<'_>,
        ) -> Result<Vec<Option<f32>>, BoxError> {
            Ok(sum_components(self.name(), &self.components(task, group, ctx)?, group.len())?)
        }

        fn components(
            &self,
            (): &(),
            group: &[Rollout],
            _: &RewardContext<'_>,
        ) -> Result<Vec<Component>, BoxError> {
            let part = |i| {
                let read = |out: &Rollout| out.text.split(' ').nth(i).and_then(|number| number.parse().ok());
                group.iter().map(read).collect()
            };
            Ok(vec![("twin".into(), part(0)), ("other".into(), part(1)), ("twin".into(), part(2))])
        }
    }

    #[test]
    fn components_of_one_name_are_added_up_before_the_mean() {
        let mut scored = Scored::default();
        for group in [&["1 5 2", "4 - -"][..], &["- 1 -", "- - 2"]] {
            let group: Vec<_> = group.iter().map(|text| Rollout::from_text(*text)).collect();
            scored.add(&Twins, &(), &group, &RewardContext::default()).unwrap();
        }
        let rewards: Vec<_> = scored.groups.iter().map(|group| group.rewards.clone()).collect();
        assert_eq!(rewards, [[Some(8.0), Some(4.0)], [Some(1.0), Some(2.0)]]);
        // Over three completions, 1 + 2, 4 and 2; not over the four numbers.
        let means = scored.components();
        assert_eq!(means, serde_json::from_str(r#"{"twin": 3.0, "other": 3.0}"#).unwrap());
    }
}
