//! Tool-R0 (arXiv 2602.21320): a Generator and a Solver from the same base model train each other to call tools.
//!
//! ```text
//!  SpecDistribution ─draw─▶ TaskSpec ─Prompts─▶ Generator ─▶ four blocks ─read─▶ ToolTask
//!                                                                                   │ prompt
//!                            Verifier ◀─solved─ two blocks ◀─ Solver ◀─Prompts──────┘
//! ```
//!
//! [`ToolR0Config`] is the serialisable form, a [`Preset`] an embedded file, and [`ToolR0`] the result of building: a
//! [`ToolR0Game`], a [`GeneratorReward`], a [`SolverReward`] and the checked settings of the loop.

mod config;
mod derive;
mod domains;
mod game;
mod generator_reward;
mod grammar;
mod options;
mod prompts;
mod proposal;
mod render;
mod solver_reward;
mod spec;
pub mod tags;
mod tool_list;
mod verifier;

pub use config::{Preset, ToolR0, ToolR0Config};
pub use derive::without_called_tools;
pub use domains::DOMAINS;
pub use game::ToolR0Game;
pub use generator_reward::{GeneratorReward, GeneratorRewardConfig, WithoutJudge};
pub use options::{GameOptions, Verifier};
pub use prompts::{CheckedPrompts, Prompts};
pub use proposal::Proposal;
pub(crate) use render::render_calls;
pub use render::{render_answer, render_proposal};
pub use solver_reward::{SolverReward, SolverRewardConfig};
pub use spec::{CallsWeight, Context, CountRange, SpecDistribution, TaskSpec};
pub(crate) use spec::{check_weights, pick};
pub use tool_list::ToolListStyle;
pub(crate) use verifier::canonical_calls;

use crate::RecipeError;

/// Checks that a weight is finite and at least 0.
pub(crate) fn check_weight(field: &str, weight: f32) -> Result<(), RecipeError> {
    if weight.is_finite() && weight >= 0.0 {
        Ok(())
    } else {
        Err(RecipeError::setting(field, format!("{weight} must be a finite number, at least 0")))
    }
}
