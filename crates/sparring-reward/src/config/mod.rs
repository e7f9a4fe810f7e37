//! Rewards as data: a tree of settings from which a checked reward is built.
//!
//! ```
//! use sparring_core::{Reward, RewardContext, Rollout};
//! use sparring_reward::RewardConfig;
//! use sparring_tools::{ToolCall, ToolTask};
//!
//! let config: RewardConfig = serde_json::from_str(r#"{
//!     "kind": "sum", "name": "tool_zero", "parts": [
//!         {"kind": "tags", "tags": ["think", "answer"]},
//!         {"kind": "mix",
//!             "sigma": {"kind": "sigmoid", "from": 0, "to": 1, "slope": 0.1, "middle": 25},
//!             "late": {"kind": "ast", "format": "r1_python"},
//!             "early": {"kind": "overlap", "format": "r1_python"}}
//!     ]}"#)?;
//! let reward = config.build()?;
//! let task = ToolTask {
//!     question: "Will it rain in Oslo?".into(),
//!     tools: vec![],
//!     calls: vec![ToolCall::new("forecast", [("city", "Oslo".into())])],
//!     domain: String::new(),
//! };
//! let group = [Rollout::from_text("<think>Ask.</think><answer>[forecast(city='Oslo')]</answer>")];
//! let score = reward.score(&task, &group, &RewardContext::at(25, 100))?;
//! assert_eq!(score, [Some(1.0 + 0.5 * 1.0 + 0.5 * 0.5)]);
//! # Ok::<(), sparring_core::BoxError>(())
//! ```

mod build;
mod check;
mod kinds;
pub(crate) mod read;
mod registry;

pub use kinds::RewardConfig;
pub use registry::{Builder, CustomKind, Registry};

use crate::{BoxReward, RewardError, Schedule};
use serde::{Deserialize, Serialize};
use sparring_tools::ToolTask;

/// A row of [`RewardConfig::Tiers`]: conditions, and either `value` or `reward`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Rewards that must be above 0.
    #[serde(default)]
    pub when: Vec<RewardConfig>,
    /// The score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Schedule>,
    /// The reward that gives the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<Box<RewardConfig>>,
}

impl RewardConfig {
    /// Checks the settings and builds the reward.
    ///
    /// # Errors
    /// [`RewardError::Invalid`] with the path of the setting: `parts[1].late.each`.
    pub fn build(&self) -> Result<BoxReward<ToolTask>, RewardError> {
        self.build_with(&Registry::new())
    }

    /// Checks the settings and builds a reward for tasks of any type, if no part needs a [`ToolTask`].
    ///
    /// # Errors
    /// As [`build`](Self::build); also for a part that needs tool tasks, with its path.
    ///
    /// ```
    /// use sparring_reward::RewardConfig;
    /// let tent: RewardConfig = serde_json::from_str(r#"{"kind": "solve_rate", "shape": "tent"}"#)?;
    /// assert!(tent.build_any::<str>().is_ok());
    /// let sum: RewardConfig = serde_json::from_str(r#"{"kind": "sum", "parts": [{"kind": "ast"}]}"#)?;
    /// let error = sum.build_any::<str>().err().map(|e| e.to_string());
    /// assert_eq!(error.as_deref(), Some("parts[0]: needs tool tasks"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn build_any<T: ?Sized + 'static>(&self) -> Result<BoxReward<T>, RewardError> {
        self.build_with(&Registry::new())
    }

    /// Checks the settings and builds the reward, with the custom kinds of a [`Registry`].
    ///
    /// # Errors
    /// As [`build_any`](Self::build_any); also if a kind is unknown (with the nearest and all known kinds), and if the
    /// registry has a kind with a name of this library.
    pub fn build_with<T: ?Sized + 'static>(
        &self,
        registry: &Registry<T>,
    ) -> Result<BoxReward<T>, RewardError> {
        registry.check()?;
        Builder(registry).assemble(self)
    }
}

#[cfg(test)]
mod registry_tests;
#[cfg(test)]
mod tests;
