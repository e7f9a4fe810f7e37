use super::CallPlan;
use crate::RecipeError;
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Component, Reward, RewardContext, Rollout, sum_components};
use sparring_reward::repetition::{Repetition, RepetitionSettings};
use sparring_reward::solve_rate::Band;

/// Settings of [`ProposalReward`]. Weights are at least 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ProposalRewardConfig {
    /// Weight of being a valid task: the planned calls, of the schemas, with every value in the request.
    pub valid: f32,
    /// Weight of the difficulty (arXiv 2602.21320, equation 4).
    pub difficulty: f32,
    /// The target band of solve rates.
    pub band: Band,
    /// A penalty for similar proposals of one batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition: Option<RepetitionSettings>,
}

impl Default for ProposalRewardConfig {
    fn default() -> Self {
        Self {
            valid: 0.5,
            difficulty: 1.0,
            band: Band::default(),
            repetition: Some(RepetitionSettings::default()),
        }
    }
}

/// The Generator's reward: r = w_v·⟦valid⟧ + w_d·r_diff(p̂) − repetition.
///
/// p̂ is the solve rate that the frozen Solver measured; a proposal that could not be read has none, and scores 0.
pub struct ProposalReward {
    config: ProposalRewardConfig,
    repetition: Option<Repetition<Text>>,
}

type Text = fn(&str) -> Option<String>;

impl std::fmt::Debug for ProposalReward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProposalReward").field("config", &self.config).finish_non_exhaustive()
    }
}

impl ProposalReward {
    /// A reward with these settings.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field.
    pub fn new(config: ProposalRewardConfig) -> Result<Self, RecipeError> {
        for (field, weight) in [("valid", config.valid), ("difficulty", config.difficulty)] {
            crate::tool_r0::check_weight(&format!("generator_reward.{field}"), weight)?;
        }
        config.band.validate().map_err(|error| error.within("generator_reward.band"))?;
        let whole: Text = |text| Some(text.to_owned());
        let repetition = config
            .repetition
            .map(|settings| Repetition::new(whole, settings))
            .transpose()
            .map_err(|error| error.within("generator_reward.repetition"))?;
        Ok(Self { config, repetition })
    }
}

impl Reward<CallPlan> for ProposalReward {
    fn name(&self) -> &'static str {
        "own_tools_generator"
    }

    fn score(
        &self,
        plan: &CallPlan,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        let components = self.components(plan, group, ctx)?;
        Ok(sum_components(self.name(), &components, group.len())?)
    }

    fn components(
        &self,
        plan: &CallPlan,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let rate = |i: usize| ctx.solve_rates.get(i).copied().flatten();
        let valid = |i: usize| Some(self.config.valid * f32::from(u8::from(rate(i).is_some())));
        let difficulty = |i: usize| {
            let score = rate(i).map_or(0.0, |rate| self.config.band.evaluate(f64::from(rate)));
            Some(self.config.difficulty * score as f32)
        };
        let all = 0..group.len();
        let mut components = vec![
            ("valid".to_owned(), all.clone().map(valid).collect()),
            ("difficulty".to_owned(), all.map(difficulty).collect()),
        ];
        if let Some(repetition) = &self.repetition {
            components.push(("repetition".to_owned(), repetition.score(plan, group, ctx)?));
        }
        Ok(components)
    }
}
