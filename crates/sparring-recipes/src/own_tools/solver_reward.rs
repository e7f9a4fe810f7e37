use super::Request;
use crate::RecipeError;
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Component, Reward, RewardContext, Rollout, sum_components};
use sparring_reward::accuracy::{Accuracy, AccuracySettings};
use sparring_tools::Format;

/// Settings of [`AnswerReward`]. Weights are at least 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AnswerRewardConfig {
    /// Weight of the dense accuracy (arXiv 2602.21320, equation 7).
    pub accuracy: f32,
    /// Weight of being right in every argument of every call.
    pub exact: f32,
    /// How the accuracy is scored.
    pub accuracy_rules: AccuracySettings,
}

impl Default for AnswerRewardConfig {
    fn default() -> Self {
        Self { accuracy: 0.5, exact: 0.5, accuracy_rules: AccuracySettings::default() }
    }
}

/// The Solver's reward: r = w_a·r_acc + w_e·⟦r_acc = 1⟧. An answer that cannot be read scores 0.
pub struct AnswerReward {
    config: AnswerRewardConfig,
    accuracy: Accuracy,
}

impl std::fmt::Debug for AnswerReward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerReward").field("config", &self.config).finish_non_exhaustive()
    }
}

impl AnswerReward {
    /// A reward of answers in this format.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field.
    pub fn new(config: AnswerRewardConfig, format: Format) -> Result<Self, RecipeError> {
        crate::tool_r0::check_weight("solver_reward.accuracy", config.accuracy)?;
        crate::tool_r0::check_weight("solver_reward.exact", config.exact)?;
        let accuracy = Accuracy::new(format.parser(), config.accuracy_rules);
        Ok(Self { config, accuracy })
    }
}

impl Reward<Request> for AnswerReward {
    fn name(&self) -> &'static str {
        "own_tools_solver"
    }

    fn score(
        &self,
        request: &Request,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        let components = self.components(request, group, ctx)?;
        Ok(sum_components(self.name(), &components, group.len())?)
    }

    fn components(
        &self,
        request: &Request,
        group: &[Rollout],
        _: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let of = |out: &Rollout| {
            if out.truncated() { 0.0 } else { self.accuracy.of_text(&request.task.calls, &out.text) }
        };
        let scores: Vec<f64> = group.iter().map(of).collect();
        let weighted = |weight: f32, score: &dyn Fn(f64) -> f64| {
            scores.iter().map(|&s| Some(weight * score(s) as f32)).collect()
        };
        Ok(vec![
            ("accuracy".to_owned(), weighted(self.config.accuracy, &|s| s)),
            ("exact".to_owned(), weighted(self.config.exact, &|s| if s >= 1.0 { 1.0 } else { 0.0 })),
        ])
    }
}
