use super::reward::Components;
use super::{Arm, GoldThought};
use crate::RecipeError;
use serde::{Deserialize, Serialize};
use sparring_core::SamplingParams;
use sparring_grpo::{GrpoConfig, LrSchedule};
use sparring_reward::calls::{NameOrder, Overlap, Scope};
use sparring_reward::{BoxReward, Schedule};
use sparring_tools::ToolTask;
use sparring_train::{TrainError, Updater, check};
use std::collections::BTreeMap;

/// The schedule σ(t) = 1 / (1 + exp(−κ(t − m))), relative to the run's length T, so that runs of any length see the
/// same share of each end. The paper has m = 25 and κ = 0.1 per step and does not state T; the defaults assume T = 100.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ScheduleConfig {
    /// m/T: the share of the run after which general and strict reward have equal weights.
    pub middle: f64,
    /// κ·T: the steepness of the change, at least 0.
    pub steepness: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self { middle: 0.25, steepness: 10.0 }
    }
}

/// Tool-Zero's reward (arXiv 2511.01934, equations 2 to 5 and 9), with a setting for everything that the paper leaves
/// open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ToolZeroRewardConfig {
    /// Strict reward of wrong calls: 0 in equation 4, -1 in figure 3.
    pub ast_fail: f64,
    /// Penalty of one invalid value; at least 0.
    pub value_penalty: f64,
    /// Largest number of invalid values that counts; unlimited by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub penalty_cap: Option<usize>,
    /// Bonus for the right set of two or more tools; at least 0.
    pub multi_call_bonus: f64,
    /// How their names are compared.
    pub names: NameOrder,
    /// How tokens are compared: recall in the paper, which has no cost for extra tokens.
    pub overlap: Overlap,
    /// The part of the completion whose tokens are compared.
    pub scope: Scope,
}

impl Default for ToolZeroRewardConfig {
    fn default() -> Self {
        Self {
            ast_fail: 0.0,
            value_penalty: 0.3,
            penalty_cap: None,
            multi_call_bonus: 0.3,
            names: NameOrder::default(),
            overlap: Overlap::default(),
            scope: Scope::default(),
        }
    }
}

/// Settings of supervised updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SupervisedConfig {
    /// Gold answers per update, at least 1.
    pub examples_per_step: usize,
    /// The reasoning of the gold answers.
    pub thought: GoldThought,
}

impl Default for SupervisedConfig {
    fn default() -> Self {
        Self { examples_per_step: 32, thought: GoldThought::None }
    }
}

/// Settings of Tool-Zero's experiment, in serialisable form; [`ToolZeroConfig::build`] checks them. `Default` is what
/// `sparring study tool-zero` runs: the paper's method, sized for the miniature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ToolZeroConfig {
    /// T: updates of every arm, at least 2.
    pub updates: usize,
    /// Tasks per reinforcement-learning update.
    pub prompts_per_step: usize,
    /// Answers per task, at least 2.
    pub group_size: usize,
    /// Largest number of tokens of an answer.
    pub max_tokens: usize,
    /// Sampling temperature, above 0.
    pub temperature: f32,
    /// Share of the training tasks whose names are masked, in the arms with masking; in [0, 1].
    pub mask_share: f64,
    /// The learning rate over the updates of a stage.
    pub lr_schedule: LrSchedule,
    /// Learning rate of each arm. For [`Arm::SftThenRl`] it is that of the second stage; the first uses [`Arm::Sft`]'s.
    pub lr: BTreeMap<Arm, f64>,
    /// The schedule of the moving reward.
    pub schedule: ScheduleConfig,
    /// The reward.
    pub reward: ToolZeroRewardConfig,
    /// Supervised updates.
    pub supervised: SupervisedConfig,
    /// Reinforcement-learning updates; the temperature is set from above.
    pub grpo: GrpoConfig,
}

impl Default for ToolZeroConfig {
    fn default() -> Self {
        Self {
            updates: 32,
            prompts_per_step: 8,
            group_size: 8,
            max_tokens: 120,
            temperature: 1.0,
            mask_share: 1.0 / 3.0,
            lr_schedule: LrSchedule::cosine(),
            lr: Arm::ALL.into_iter().map(|arm| (arm, default_lr(arm))).collect(),
            schedule: ScheduleConfig::default(),
            reward: ToolZeroRewardConfig::default(),
            supervised: SupervisedConfig::default(),
            grpo: GrpoConfig::default(),
        }
    }
}

/// The best of three on validation tasks; `docs/tool-zero.md` has the search.
fn default_lr(arm: Arm) -> f64 {
    match arm {
        Arm::Sft => 5e-4,
        Arm::Masking => 4e-4,
        _ => 2e-4,
    }
}

impl ToolZeroConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field.
    pub fn build(self) -> Result<ToolZero, RecipeError> {
        let finite_at_least_0 = |x: f64| x.is_finite() && x >= 0.0;
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let r = &self.reward;
        let checks = [
            ("updates", self.updates >= 2, "must be at least 2"),
            ("prompts_per_step", self.prompts_per_step > 0, "must be at least 1"),
            ("group_size", self.group_size > 1, "must be at least 2: a group of one has no advantage"),
            ("max_tokens", self.max_tokens > 0, "must be at least 1"),
            ("mask_share", share(self.mask_share), "must be in [0, 1]"),
            ("schedule.middle", self.schedule.middle.is_finite(), "must be a number"),
            ("schedule.steepness", finite_at_least_0(self.schedule.steepness), "must be at least 0"),
            ("reward.ast_fail", r.ast_fail.is_finite() && r.ast_fail < 1.0, "must be a number below 1"),
            ("reward.value_penalty", finite_at_least_0(r.value_penalty), "must be at least 0"),
            ("reward.multi_call_bonus", finite_at_least_0(r.multi_call_bonus), "must be at least 0"),
            ("grpo.kl.coef", self.grpo.kl.coef == 0.0, "must be 0: the arms have no reference model"),
            (
                "grpo.dynamic_sampling",
                self.grpo.dynamic_sampling.is_none(),
                "must be left out: the arms do not resample groups",
            ),
            (
                "grpo.advantage",
                !self.grpo.advantage.needs_more_than_rewards(),
                "needs keys or parts, which the arms do not provide",
            ),
            ("supervised.examples_per_step", self.supervised.examples_per_step > 0, "must be at least 1"),
        ];
        self.check_bounds().map_err(RecipeError::of_setting)?;
        if let Some((field, _, why)) = checks.into_iter().find(|(_, holds, _)| !holds) {
            return Err(RecipeError::setting(field, why));
        }
        for arm in Arm::ALL {
            if !self.lr.get(&arm).copied().is_some_and(finite_at_least_0) {
                return Err(RecipeError::setting(format!("lr.{arm}"), "must be a number, at least 0"));
            }
        }
        let grpo = check::grpo("grpo", &self.grpo, &self.sampling()).map_err(RecipeError::of_setting)?;
        Ok(ToolZero { updater: Updater::new(grpo), config: self })
    }

    fn check_bounds(&self) -> Result<(), TrainError> {
        let (prompts, completions) =
            (("prompts_per_step", self.prompts_per_step), ("group_size", self.group_size));
        let bounds = [
            (prompts, check::MOST_PROMPTS),
            (completions, check::MOST_COMPLETIONS),
            (("updates", self.updates), check::MOST_STEPS),
            (("max_tokens", self.max_tokens), check::MOST_TOKENS),
            (("supervised.examples_per_step", self.supervised.examples_per_step), check::MOST_PROMPTS),
        ];
        bounds.into_iter().try_for_each(|((field, count), most)| check::at_most(field, count, most))?;
        check::product(&[prompts, completions], check::MOST_PER_UPDATE)?;
        check::training_temperature("temperature", self.temperature)?;
        check::numbers("", self)
    }

    /// Returns the sampling parameters of answers.
    pub(super) fn sampling(&self) -> SamplingParams {
        SamplingParams::default().with_temperature(self.temperature).with_max_tokens(self.max_tokens)
    }

    /// Returns all settings as TOML.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] if a number cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        crate::preset::to_toml(self)
    }
}

/// Checked settings; made by [`ToolZeroConfig::build`].
#[derive(Debug, Clone)]
pub struct ToolZero {
    config: ToolZeroConfig,
    updater: Updater,
}

impl ToolZero {
    /// Returns the settings.
    pub fn config(&self) -> &ToolZeroConfig {
        &self.config
    }

    pub(super) fn updater(&self) -> &Updater {
        &self.updater
    }

    /// Returns the learning rate of an arm at update `step` of a stage of `total`.
    pub(super) fn lr(&self, arm: Arm, step: usize, total: usize) -> f64 {
        let base = self.config.lr.get(&arm).copied().unwrap_or(0.0);
        self.config.lr_schedule.at(step, total, base)
    }

    /// Returns the weight of the strict reward over the updates of an arm; 1 if the reward does not move.
    pub fn sigma(&self, arm: Arm) -> Schedule {
        if !arm.progresses() {
            return Schedule::Constant(1.0);
        }
        let (updates, schedule) = (self.config.updates as f64, self.config.schedule);
        let (slope, middle) = (schedule.steepness / updates, schedule.middle * updates);
        Schedule::Sigmoid { from: 0.0, to: 1.0, slope, middle }
    }

    /// Returns the reward of an arm's reinforcement-learning updates.
    pub fn reward(&self, arm: Arm) -> BoxReward<ToolTask> {
        Components(&self.config.reward).of(arm, self.sigma(arm))
    }

    /// Returns every component of the reward, unweighted: the same for all arms, to compare them.
    pub fn measures(&self) -> BoxReward<ToolTask> {
        Box::new(Components(&self.config.reward).all())
    }
}
