//! Tool-Zero (arXiv 2511.01934): reinforcement learning from a base model, without supervised fine-tuning, with a
//! reward that moves from general to strict; and the arms that the paper compares it with.
//!
//! ```text
//!  tasks ─mask?─▶ prompts ─▶ Sampler ─▶ groups ─▶ arm's reward ─▶ Grpo ─▶ Learner      (reinforced updates)
//!    └─────────▶ Encoder ──────────────▶ gold answers ─▶ negative log-likelihood ─▶ Learner   (supervised)
//! ```
//!
//! [`ToolZeroConfig`] is the serialisable form, [`ToolZero`] the checked settings, [`Training`] the loop over a list of
//! tasks, and [`Arm`] a training method. Tasks are answered once and compared with a reference; no tool is run.
//!
//! ```
//! use sparring_core::{Reward, RewardContext, Rollout};
//! use sparring_recipes::tool_zero::{Arm, ToolZeroConfig};
//! use sparring_tools::{ToolCall, ToolTask};
//!
//! let plan = ToolZeroConfig::default().build()?;
//! let reward = plan.reward(Arm::Progressive);
//! let call = ToolCall::new("forecast", [("city", "Oslo".into())]);
//! let task = ToolTask { question: "Rain in Oslo?".into(), tools: vec![], calls: vec![call], domain: String::new() };
//! let said = |city: &str| Rollout::from_text(format!(
//!     r#"<think>rain</think>
//! <tool_call_answer>[{{"name":"forecast","arguments":{{"city":"{city}"}}}}]</tool_call_answer>"#
//! ));
//! let group = [said("Oslo"), said("Rome")];
//! let at = |step| reward.score(&task, &group, &RewardContext::at(step, 60));
//! let (early, late) = (at(0)?, at(59)?);
//! // A wrong value costs little at first and much in the end.
//! assert!(early[0].unwrap() - early[1].unwrap() < 0.4 && late[0].unwrap() - late[1].unwrap() > 1.2);
//! # Ok::<(), sparring_core::BoxError>(())
//! ```

mod arm;
mod config;
mod coverage;
mod gold;
mod masking;
mod record;
mod reward;
mod training;

pub use arm::Arm;
pub use config::{ScheduleConfig, SupervisedConfig, ToolZero, ToolZeroConfig, ToolZeroRewardConfig};
pub use coverage::{Coverage, coverage};
pub use gold::{GoldThought, gold_answer};
pub use masking::mask_names;
pub use record::{Stage, StepRecord};
pub use training::Training;
