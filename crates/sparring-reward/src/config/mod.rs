//! Rewards as data: a tree of settings that builds a checked reward.
//!
//! ```
//! use sparring_core::{Reward, RewardContext, Player, Rollout};
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
//! let score = reward.score(&task, &group, &RewardContext::at(25, 100, Player::Solver))?;
//! assert_eq!(score, [Some(1.0 + 0.5 * 1.0 + 0.5 * 0.5)]);
//! # Ok::<(), sparring_core::BoxError>(())
//! ```

mod build;
mod check;

use crate::accuracy::AccuracySettings;
use crate::calls::{
    AstMatch, CallFormat, CallSimilarity, ExtraCalls, MultiCallBonus, Readable, SameNames, TokenOverlap,
    ValuePenalty,
};
use crate::extract::{Extract, Present};
use crate::format::SolverFormat;
use crate::length::Length;
use crate::majority::Majority;
use crate::reference_format::ReferenceFormat;
use crate::repetition::RepetitionSettings;
use crate::solve_rate::{Band, RateShape};
use crate::tags::OrderedTags;
use crate::tool_use::ToolUse;
use crate::validity::Validity;
use crate::{BoxReward, RewardError, Schedule};
use serde::{Deserialize, Serialize};
use sparring_tools::ToolTask;

/// A reward as settings hold it: a `kind`, and what that kind needs.
///
/// [`build`](Self::build) checks every number and makes the reward. Kinds that hold a completion against a task's calls
/// need [`ToolTask`]s; a tree without them can be [built for any task](Self::build_any). What needs code of yours (a
/// judge, a verifier) is a [`Reward`](sparring_core::Reward) of its own, to be added to what is built here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum RewardConfig {
    /// [`Sum`](crate::Sum).
    Sum {
        /// Its name, `sum` where left out.
        #[serde(default = "names::sum")]
        name: String,
        /// What is added.
        parts: Vec<RewardConfig>,
    },
    /// [`Weighted`](crate::Weighted).
    Weighted {
        /// The weight.
        weight: Schedule,
        /// What is weighted.
        reward: Box<RewardConfig>,
    },
    /// [`Mix`](crate::Mix): `sigma·late + (1 - sigma)·early`.
    Mix {
        /// Its name, `mix` where left out.
        #[serde(default = "names::mix")]
        name: String,
        /// The share of `late`, in [0, 1].
        sigma: Schedule,
        /// What counts in the end, where sigma rises.
        late: Box<RewardConfig>,
        /// What counts at first.
        early: Box<RewardConfig>,
    },
    /// [`Product`](crate::Product).
    Product {
        /// Its name, `product` where left out.
        #[serde(default = "names::product")]
        name: String,
        /// What is multiplied.
        parts: Vec<RewardConfig>,
    },
    /// [`Gate`](crate::Gate).
    Gate {
        /// What has to be above 0.
        gate: Box<RewardConfig>,
        /// What then counts.
        reward: Box<RewardConfig>,
    },
    /// [`Clamp`](crate::Clamp).
    Clamp {
        /// The least; none where left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// The most; none where left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
        /// What is limited.
        reward: Box<RewardConfig>,
    },
    /// [`Range`](crate::Range).
    Range {
        /// Worth of 0.
        min: Schedule,
        /// Worth of 1.
        max: Schedule,
        /// A reward in [0, 1].
        reward: Box<RewardConfig>,
    },
    /// [`Tiers`](crate::Tiers).
    Tiers {
        /// Its name, `tiers` where left out.
        #[serde(default = "names::tiers")]
        name: String,
        /// The rows, from the top.
        rows: Vec<Tier>,
        /// The last resort; where left out, the table does not apply to what no row takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        otherwise: Option<Schedule>,
    },
    /// [`Constant`](crate::Constant).
    Constant {
        /// The score.
        value: Schedule,
    },
    /// [`OrderedTags`].
    Tags(OrderedTags),
    /// [`Length`].
    Length(Length),
    /// [`ToolUse`].
    ToolUse(ToolUse),
    /// [`Majority`].
    Majority(Majority),
    /// [`Present`].
    Present(Present),
    /// [`Repetition`](crate::repetition::Repetition).
    Repetition {
        /// Where the question is.
        #[serde(default)]
        question: Extract,
        /// How repetition is measured and punished.
        #[serde(default)]
        rules: RepetitionSettings,
    },
    /// [`SolveRate`](crate::solve_rate::SolveRate) by a [`Band`].
    Band(Band),
    /// [`SolveRate`](crate::solve_rate::SolveRate) by another shape.
    SolveRate {
        /// The shape.
        shape: RateShape,
    },
    /// [`SolverFormat`]: Tool-R0's format of answers.
    SolverFormat(SolverFormat),
    /// [`AstMatch`]; of tool tasks.
    Ast(AstMatch),
    /// [`TokenOverlap`]; of tool tasks.
    Overlap(TokenOverlap),
    /// [`MultiCallBonus`]; of tool tasks.
    MultiCall(MultiCallBonus),
    /// [`SameNames`]; of tool tasks.
    Names(SameNames),
    /// [`ValuePenalty`]; of tool tasks.
    ValuePenalty(ValuePenalty),
    /// [`CallSimilarity`]; of tool tasks.
    Similarity(CallSimilarity),
    /// [`ExtraCalls`]; of tool tasks.
    ExtraCalls(ExtraCalls),
    /// [`Readable`]; of tool tasks.
    Readable(Readable),
    /// [`ReferenceFormat`]; of tool tasks.
    ReferenceFormat(ReferenceFormat),
    /// [`Accuracy`](crate::accuracy::Accuracy): Tool-R0's dense accuracy; of tool tasks.
    Accuracy {
        /// The format of calls.
        #[serde(default)]
        format: CallFormat,
        /// How calls are scored.
        #[serde(default)]
        rules: AccuracySettings,
    },
    /// [`CallValidity`](crate::validity::CallValidity): whether the calls fit the tool list and the question; of tool tasks.
    Validity {
        /// The format of calls.
        #[serde(default)]
        format: CallFormat,
        /// What counts.
        #[serde(default)]
        rules: Validity,
    },
}

/// A row of [`RewardConfig::Tiers`]: conditions, and one of `value` and `reward`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Rewards that have to be above 0.
    #[serde(default)]
    pub when: Vec<RewardConfig>,
    /// The score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Schedule>,
    /// What gives the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<Box<RewardConfig>>,
}

impl RewardConfig {
    /// Checks the settings and makes the reward.
    ///
    /// # Errors
    /// [`RewardError::Invalid`] with the path of the setting: `parts[1].late.each`.
    pub fn build(&self) -> Result<BoxReward<ToolTask>, RewardError> {
        self.check()?;
        build::assemble(self, &build::of_calls)
    }

    /// Checks the settings and makes a reward for tasks of any type, where no part needs a [`ToolTask`].
    ///
    /// # Errors
    /// As [`build`](Self::build); and for a part that needs tool tasks, with its path.
    ///
    /// ```
    /// use sparring_reward::RewardConfig;
    /// let tent: RewardConfig = serde_json::from_str(r#"{"kind": "solve_rate", "shape": "tent"}"#)?;
    /// assert!(tent.build_any::<str>().is_ok());
    /// let sum: RewardConfig = serde_json::from_str(r#"{"kind": "sum", "parts": [{"kind": "ast"}]}"#)?;
    /// let error = sum.build_any::<str>().err().map(|e| e.to_string());
    /// assert_eq!(error.as_deref(), Some("parts[0]: needs tasks that are tool tasks"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn build_any<T: ?Sized + 'static>(&self) -> Result<BoxReward<T>, RewardError> {
        self.check()?;
        build::assemble(self, &|_| Err(RewardError::invalid("", "needs tasks that are tool tasks")))
    }
}

/// The names of compositions that are given none.
mod names {
    pub(super) fn sum() -> String {
        "sum".to_owned()
    }

    pub(super) fn mix() -> String {
        "mix".to_owned()
    }

    pub(super) fn product() -> String {
        "product".to_owned()
    }

    pub(super) fn tiers() -> String {
        "tiers".to_owned()
    }
}

#[cfg(test)]
mod tests;
