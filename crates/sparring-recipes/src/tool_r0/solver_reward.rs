use crate::RecipeError;
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Component, Reward, RewardContext, Rollout, sum_components};
use sparring_reward::accuracy::{Accuracy, AccuracySettings};
use sparring_reward::format::SolverFormat;
use sparring_tools::{ToolR0Tags, ToolTask};

/// Settings of [`SolverReward`]. The default is corrected: a wrong tool scores 0, an empty list is an answer with full
/// format score, and accuracy needs a think block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SolverRewardConfig {
    /// Weight of the format, equation 6; at least 0.
    pub format: f32,
    /// Weight of the accuracy, equation 7; at least 0.
    pub accuracy: f32,
    /// Whether accuracy is 0 without a think block; `accuracy_rules.require_think` has the same effect.
    pub require_think: bool,
    /// How the format is scored.
    pub format_rules: SolverFormat,
    /// How the accuracy is scored.
    pub accuracy_rules: AccuracySettings,
}

impl Default for SolverRewardConfig {
    fn default() -> Self {
        Self {
            format: 1.0,
            accuracy: 1.0,
            require_think: true,
            format_rules: SolverFormat::default(),
            accuracy_rules: AccuracySettings::default(),
        }
    }
}

impl SolverRewardConfig {
    /// Returns the behaviour of Tool-R0's released code (commit fd222c7).
    pub fn released() -> Self {
        Self {
            format_rules: SolverFormat::released(),
            accuracy_rules: AccuracySettings::released(),
            ..Self::default()
        }
    }
}

/// The Solver's reward: r = r_fmt + r_acc, in [0, 2] with the default weights (arXiv 2602.21320, equations 6
/// and 7). Components: `format` and `accuracy`, weighted; they add up to the score.
#[derive(Debug)]
pub struct SolverReward {
    config: SolverRewardConfig,
    accuracy: Accuracy,
}

impl SolverReward {
    /// Returns a reward with these settings.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field.
    pub fn new(config: SolverRewardConfig) -> Result<Self, RecipeError> {
        super::check_weight("solver_reward.format", config.format)?;
        super::check_weight("solver_reward.accuracy", config.accuracy)?;
        let penalty = config.accuracy_rules.extra_call_penalty;
        if !(penalty.is_finite() && penalty >= 0.0) {
            let field = "solver_reward.accuracy_rules.extra_call_penalty";
            return Err(RecipeError::setting(field, "must be a finite number, at least 0"));
        }
        let require_think = config.require_think || config.accuracy_rules.require_think;
        let rules = config.accuracy_rules.with_require_think(require_think);
        let accuracy = Accuracy::new(ToolR0Tags::default(), rules);
        Ok(Self { config, accuracy })
    }

    fn parts(&self, task: &ToolTask, text: &str) -> (f32, f32) {
        let format = self.config.format_rules.of_text(text) as f32;
        let accuracy = self.accuracy.of_text(&task.calls, text) as f32;
        (self.config.format * format, self.config.accuracy * accuracy)
    }
}

impl Reward<ToolTask> for SolverReward {
    fn name(&self) -> &'static str {
        "tool_r0_solver"
    }

    fn score(
        &self,
        task: &ToolTask,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        let components = self.components(task, group, ctx)?;
        Ok(sum_components(self.name(), &components, group.len())?)
    }

    fn components(
        &self,
        task: &ToolTask,
        group: &[Rollout],
        _: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let (format, accuracy) = group
            .iter()
            .map(|rollout| self.parts(task, &rollout.text))
            .map(|(format, accuracy)| (Some(format), Some(accuracy)))
            .unzip();
        Ok(vec![("format".to_owned(), format), ("accuracy".to_owned(), accuracy)])
    }
}
