//! Rewards for tool calls and reasoning: components, schedules and composition.
//!
//! ```text
//!   pure functions                         Reward<T>                      composition
//!   same_calls(reference, found, ..) ──▶   AstMatch, TokenOverlap,   ──▶  Sum, Weighted,
//!   Band::evaluate(p), penalties(..)       SolveRate, Repetition, ..      Mix, Gate
//! ```
//!
//! A [`RewardConfig`] is such a tree as data. It is checked when it is built, and can contain custom kinds
//! ([`config::Registry`]). Every formula of a paper is a small function with its equation in the docs; the types around
//! it apply it to a group of completions. In the modules of Tool-R0 (arXiv 2602.21320), `Default` is the corrected
//! version and `released()` reproduces the published code, for comparison.
//!
//! ```
//! use sparring_core::{Reward, RewardContext, Rollout};
//! use sparring_reward::{accuracy::{Accuracy, AccuracySettings}, format::SolverFormat, Sum};
//! use sparring_tools::{ToolCall, ToolR0Tags, ToolTask};
//!
//! let solver = Sum::new("solver")
//!     .with(SolverFormat::default())
//!     .with(Accuracy::new(ToolR0Tags::default(), AccuracySettings::default()));
//! let task = ToolTask {
//!     question: "Will it rain in Oslo?".into(),
//!     tools: vec![],
//!     calls: vec![ToolCall::new("forecast", [("city", "Oslo".into())])],
//!     domain: String::new(),
//! };
//! let group = [r#"[{"name": "forecast", "arguments": {"city": "Oslo"}}]"#, "[]", "oops"]
//!     .map(|calls| Rollout::from_text(format!("<tool_call_answer>{calls}</tool_call_answer>")));
//! let scores = solver.score(&task, &group, &RewardContext::default())?;
//! assert_eq!(scores, [Some(2.0), Some(1.0), Some(0.3)]);
//! # Ok::<(), sparring_core::BoxError>(())
//! ```
#![forbid(unsafe_code)]
// The compared values are exact in binary.
#![cfg_attr(test, allow(clippy::float_cmp))]

pub mod accuracy;
pub mod calls;
mod compose;
pub mod config;
mod error;
pub mod extract;
pub mod format;
pub mod length;
pub mod majority;
pub mod ngram_repetition;
pub mod ordered_tags;
pub mod reference_format;
pub mod repetition;
mod schedule;
pub mod semantic;
pub mod settings;
pub mod solve_rate;
pub mod tool_use;
pub mod validity;

pub use compose::{BoxReward, Clamp, Constant, Gate, Mix, Product, Range, Sum, Tiers, Weighted};
pub use config::RewardConfig;
pub use error::RewardError;
pub use schedule::Schedule;
