//! Self-play over a person's own tools: a Generator writes calls of the tools and requests that they serve, a Solver
//! learns to answer such requests. No data is needed but the tools' definitions.
//!
//! ```text
//!  Catalogue ─draw─▶ CallPlan ─prompt, grammar─▶ Generator ─▶ calls and a request ─read─▶ Request
//!                                                                                            │ prompt, grammar
//!                                       solved ◀─ calls ◀─ Solver ◀───────────────────────────┘
//! ```
//!
//! It is Tool-R0 (arXiv 2602.21320) with two differences. The tools are given, not invented. And both players write
//! under grammars ([`sparring_guided`]): a small model writes prose or broken JSON where it is free to, so that
//! reinforcement learning finds nothing to start from. The plan draws the values of the calls ([`ParameterValues`]) or
//! the Generator invents them; then it writes a request, in which a grammar has every value stand
//! ([`GameSettings::grounded`]). So the calls are right for the request.
//!
//! [`OwnToolsConfig`] is the serialisable form, and [`OwnTools`] the result of building. The definitions come from a
//! text ([`Catalogue::from_text`]), or from a server of the Model Context Protocol (module `mcp`, with the feature
//! `mcp`).

mod catalogue;
mod choice;
mod complete;
mod config;
mod extended;
mod game;
mod generator_reward;
mod grammar;
mod joined;
#[cfg(feature = "mcp")]
#[cfg_attr(docsrs, doc(cfg(feature = "mcp")))]
pub mod mcp;
mod outside;
mod plan;
mod prompts;
mod redraw;
mod request;
mod solver_reward;
mod spans;
mod twins;
mod values;
mod words;

pub use catalogue::Catalogue;
pub use config::{OwnTools, OwnToolsConfig, Preset};
pub use game::{GameSettings, Order, OwnToolsGame};
pub use generator_reward::{ProposalReward, ProposalRewardConfig};
pub use plan::{CallPlan, PlanConfig, PlannedCall, Style, Wording};
pub use prompts::{describe, solver_messages};
pub use request::Request;
pub use solver_reward::{AnswerReward, AnswerRewardConfig};
pub use values::ParameterValues;
