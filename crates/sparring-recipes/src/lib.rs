//! Papers as compositions: Tool-R0's game, rewards, prompts and presets; Tool-Zero's arms and their trainer
//! ([`tool_zero`]); rewards and updates of these and other papers as settings ([`papers`]).
//!
//! ```text
//!   presets/*.toml ─▶ ToolR0Config ─build─▶ ToolR0 { game, generator_reward, solver_reward, self_play }
//!                                                                │
//!                                    two models ─────────▶ sparring_selfplay::SelfPlay
//! ```
//!
//! A recipe defines prompts, parsing and rewards; it contains neither models nor the training loop.
//!
//! ```
//! use sparring_core::{Game, Rollout, Seed};
//! use sparring_recipes::tool_r0::{Preset, TaskSpec, render_answer};
//!
//! let recipe = Preset::load("corrected")?.build()?;
//! let spec = recipe.game.draw(Seed::new(1));
//! let proposal = Rollout::from_text(
//!     r#"<think>One call.</think>
//! <question>Will it rain in Oslo tomorrow?</question>
//! <available_tools>[{"name": "forecast", "description": "Weather forecast.",
//!     "parameters": {"city": {"type": "string"}}, "required": ["city"]}]</available_tools>
//! <tool_call_answer>[{"name": "forecast", "arguments": {"city": "Oslo"}}]</tool_call_answer>"#,
//! );
//! // The specification requests more than one tool: a rejection is data, not an error.
//! assert_eq!(recipe.game.read(&spec, &proposal).unwrap_err().rule, "spec_tools");
//!
//! let spec = TaskSpec { tools: 1, calls: 1, ..spec };
//! let task = recipe.game.read(&spec, &proposal).unwrap();
//! assert!(recipe.game.solved(&task, &Rollout::from_text(render_answer(&task.calls, "Look it up."))));
//! # Ok::<(), sparring_recipes::RecipeError>(())
//! ```
//!
//! The feature `mcp`, off by default, reads the tools of a server of the Model Context Protocol (`own_tools::mcp`).
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod error;
mod grammar;
pub mod own_tools;
pub mod papers;
mod preset;
pub mod tool_r0;
pub mod tool_zero;

pub use error::RecipeError;
pub use preset::{Preset, PresetSettings};
