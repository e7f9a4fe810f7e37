use crate::SelfPlayError;
use crate::summary::mean;
use serde_json::{Map, Value};
use sparring_core::{BoxError, Component, Reward, RewardContext, Rollout, sum_components};

/// The rewards of an update, checked, and the mean of each component.
#[derive(Debug, Default)]
pub struct Scored {
    /// For each group, one entry a completion.
    pub rewards: Vec<Vec<Option<f32>>>,
    /// Values of each component over the update, in order of appearance. Components of one name are one: their
    /// sum, completion by completion.
    components: Vec<(String, Vec<f32>)>,
}

impl Scored {
    /// Scores one group, by one call of the reward, and appends it.
    ///
    /// # Errors
    /// [`SelfPlayError::Reward`] where the reward failed or broke its contract.
    pub fn add<T>(
        &mut self,
        reward: &dyn Reward<T>,
        task: &T,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<(), SelfPlayError> {
        let failed = |source: BoxError| SelfPlayError::Reward { name: reward.name().to_owned(), source };
        let components = reward.components(task, group, ctx).map_err(failed)?;
        let scores = sum_components(reward.name(), &components, group.len()).map_err(|e| failed(e.into()))?;
        for (i, (name, _)) in components.iter().enumerate() {
            if components[..i].iter().any(|(known, _)| known == name) {
                continue;
            }
            let same: Vec<Component> = components[i..].iter().filter(|(n, _)| n == name).cloned().collect();
            let values = sum_components(name, &same, group.len()).map_err(|e| failed(e.into()))?;
            let values = values.into_iter().flatten();
            match self.components.iter_mut().find(|(known, _)| known == name) {
                Some((_, all)) => all.extend(values),
                None => self.components.push((name.clone(), values.collect())),
            }
        }
        self.rewards.push(scores);
        Ok(())
    }

    /// Mean of all rewards that apply.
    pub fn mean(&self) -> f32 {
        let all: Vec<f32> = self.rewards.iter().flatten().copied().flatten().collect();
        mean(&all).unwrap_or(0.0)
    }

    /// Mean of each component over the completions it applies to; of the sum of those that share a name.
    pub fn components(&self) -> Map<String, Value> {
        self.components.iter().map(|(name, values)| (name.clone(), Value::from(mean(values)))).collect()
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
        assert_eq!(scored.rewards, [[Some(8.0), Some(4.0)], [Some(1.0), Some(2.0)]]);
        // Over three completions, 1 + 2, 4 and 2; not over the four numbers.
        let means = scored.components();
        assert_eq!(means, serde_json::from_str(r#"{"twin": 3.0, "other": 3.0}"#).unwrap());
    }
}
