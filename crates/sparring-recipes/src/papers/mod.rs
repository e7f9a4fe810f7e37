//! Papers whose rewards and updates are settings: Tool-Zero, ToolRL, Tool-N1, R-Zero, Absolute Zero and Agent0.
//!
//! Each is a file of this crate that can be read, changed and extended. Tool-R0, which has its own game, is in
//! [`tool_r0`](crate::tool_r0).
//!
//! ```
//! use sparring_core::{Reward, RewardContext, Rollout};
//! use sparring_recipes::papers::PaperPreset;
//! use sparring_tools::{ToolCall, ToolTask};
//!
//! let reward = PaperPreset::load("toolrl/original")?.reward()?;
//! let task = ToolTask {
//!     question: String::new(),
//!     tools: vec![],
//!     calls: vec![ToolCall::new("f", [("a", 1.into()), ("b", 2.into())])],
//!     domain: String::new(),
//! };
//! let call = r#"{"name": "f", "parameters": {"a": 1, "b": 3}}"#;
//! let text = format!("<think>One value is wrong.</think>\n<tool_call>\n{call}\n</tool_call>");
//! let score = reward.score(&task, &[Rollout::from_text(text)], &RewardContext::default())?;
//! assert_eq!(score, [Some(1.0 + 1.5)]);
//! # Ok::<(), sparring_core::BoxError>(())
//! ```

use crate::RecipeError;
use crate::preset::{self, Preset, PresetSettings, presets};
use serde::{Deserialize, Serialize};
use sparring_reward::{BoxReward, RewardConfig, RewardError};
use sparring_tools::ToolTask;
use sparring_train::TrainConfig;

/// A paper's settings by name: `tool-zero/paper`.
pub type PaperPreset = Preset<PaperConfig>;

/// The settings of a paper: one reward, or one for each player of self-play.
///
/// A file may extend a preset: `extends = "toolrl/original"`. Tables merge; every other value, and every table with a
/// `kind`, is replaced.
///
/// [`from_toml`](Self::from_toml) knows the reward kinds of `sparring-reward`. For a file with custom kinds, use
/// [`settings::from_extending_toml`](sparring_reward::settings::from_extending_toml) and
/// [`RewardConfig::build_with`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PaperConfig {
    /// The reward of a completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<RewardConfig>,
    /// The reward of the player that proposes tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposer_reward: Option<RewardConfig>,
    /// The reward of the player that solves them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver_reward: Option<RewardConfig>,
    /// How completions are sampled and the policy is updated, as run by a [`Trainer`](sparring_train::Trainer). What
    /// the paper does not state is the default of [`TrainConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<TrainConfig>,
    /// The update of the player that proposes tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposer_update: Option<TrainConfig>,
    /// The update of the player that solves them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solver_update: Option<TrainConfig>,
}

impl PresetSettings for PaperConfig {
    const PRESETS: &'static [PaperPreset] = presets![
        "tool-zero/paper",
        "tool-zero/figure-3",
        "tool-zero/response-scope",
        "tool-zero/multiset-bonus",
        "tool-zero/precise",
        "tool-zero/abrupt",
        "tool-zero/plain",
        "toolrl/original",
        "toolrl/length",
        "toolrl/dynamic-length",
        "toolrl/equal-max",
        "toolrl/two-stage",
        "toolrl/dynamic-scale",
        "toolrl/finegrained",
        "toolrl/intermediate",
        "toolrl/coarse",
        "tool-n1/binary",
        "tool-n1/v1",
        "tool-n1/v2",
        "tool-n1/v3",
        "tool-n1/v4",
        "r-zero/paper",
        "r-zero/code",
        "absolute-zero/paper",
        "absolute-zero/code",
        "agent0/paper",
        "agent0/code",
    ];

    fn check(&self) -> Result<(), RecipeError> {
        self.validate()
    }
}

impl PaperConfig {
    /// Reads settings from TOML and checks them; `filename` is the name used in errors.
    ///
    /// # Errors
    /// [`RecipeError`] with the file, the line and the field.
    pub fn from_toml(text: &str, filename: &str) -> Result<Self, RecipeError> {
        preset::from_toml(text, filename)
    }

    /// Returns all settings as TOML.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] if a number cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        preset::to_toml(self)
    }

    /// Checks every reward and update that is present.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field.
    pub fn validate(&self) -> Result<(), RecipeError> {
        self.reward.iter().try_for_each(|_| self.reward().map(drop))?;
        self.proposer_reward.iter().try_for_each(|_| self.proposer_reward::<()>().map(drop))?;
        self.solver_reward.iter().try_for_each(|_| self.solver_reward().map(drop))?;
        let updates = [
            ("update", &self.update),
            ("proposer_update", &self.proposer_update),
            ("solver_update", &self.solver_update),
        ];
        updates.into_iter().try_for_each(|(field, update)| match update {
            Some(update) => {
                update.clone().build().map(drop).map_err(|error| RecipeError::of_settings(field, error))
            }
            None => Ok(()),
        })
    }

    /// Builds the reward of a completion.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field, also if the paper has a reward for each player.
    pub fn reward(&self) -> Result<BoxReward<ToolTask>, RecipeError> {
        build("reward", self.reward.as_ref(), RewardConfig::build)
    }

    /// Builds the proposer's reward, for any type of task.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field, also if the paper has no proposer.
    pub fn proposer_reward<T: ?Sized + 'static>(&self) -> Result<BoxReward<T>, RecipeError> {
        build("proposer_reward", self.proposer_reward.as_ref(), RewardConfig::build_any)
    }

    /// Builds the solver's reward.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field, also if the paper has no solver.
    pub fn solver_reward(&self) -> Result<BoxReward<ToolTask>, RecipeError> {
        build("solver_reward", self.solver_reward.as_ref(), RewardConfig::build)
    }
}

fn build<T: ?Sized>(
    field: &str,
    config: Option<&RewardConfig>,
    make: impl Fn(&RewardConfig) -> Result<BoxReward<T>, RewardError>,
) -> Result<BoxReward<T>, RecipeError> {
    let config = config.ok_or_else(|| RecipeError::setting(field, "is not among these settings"))?;
    make(config).map_err(|error| error.within(field).into())
}
