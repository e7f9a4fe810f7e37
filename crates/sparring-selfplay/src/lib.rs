//! The Generator/Solver loop over any game: two models that teach each other from nothing but rewards
//! (Tool-R0, arXiv 2602.21320).
//!
//! ```text
//!            ┌─ TrainGenerator ─┐   ┌──── BuildPool ────┐   ┌── TrainSolver ──┐   ┌ Evaluate ┐
//! draw specs │ ask → read →     │   │ candidates → dedup│   │ pose → reward → │   │  exams   │
//!      ────▶ │ probe the frozen │ ─▶│ → verify → select │ ─▶│ GRPO, from easy │ ─▶│          │ ─┐
//!            │ Solver → GRPO    │   │ → order           │   │ to hard         │   │          │  │
//!            └──────────────────┘   └───────────────────┘   └─────────────────┘   └──────────┘  │
//!       ▲───────────────────────────────── next iteration ──────────────────────────────────────┘
//! ```
//!
//! The domain is a [`Game`](sparring_core::Game); the models are [`Policy`](sparring_core::Policy)s; the rewards
//! are [`Reward`](sparring_core::Reward)s. The loop knows none of them closer: calling tools is one game.
//!
//! A run lives in a folder:
//!
//! | file | what |
//! |---|---|
//! | `config.toml`, `run.json` | settings; seed and preset |
//! | `events.jsonl` | a record of every update, pool and exam |
//! | `tasks/iteration-N.jsonl` | the pool of each iteration, with each task's statistics |
//! | `checkpoints/` | the newest two checkpoints |
//! | `summary.json` | what the run came to ([`Summary`]) |
//! | `report.html` | where [`write_report`] was asked for it |
//!
//! Every random choice descends from the run's seed by iteration, phase and step, and a checkpoint is renamed
//! into place only when it is whole. So a run that is killed at any moment and resumed ends with the weights,
//! bit for bit, and the summary of a run that was not.
#![forbid(unsafe_code)]

mod config;
mod error;
mod exam;
mod journal;
mod phases;
mod pool;
mod report;
mod roles;
mod run;
mod sampling;
mod score;
mod selfplay;
mod state;
mod store;
mod summary;
#[cfg(test)]
mod tests;

pub use config::{GeneratorConfig, Order, SelfPlayConfig, SelfPlayPlan, SolverConfig, Weights};
pub use error::SelfPlayError;
pub use exam::{Exam, ExamScore, ShownAnswer, accuracy_with_error};
pub use pool::{
    Agreement, Bucket, Keep, Mix, Origin, PoolConfig, PoolTask, PoolYield, apportion, equal_quotas,
    order_tasks, select_balanced, training_slots,
};
pub use report::{Report, write_report};
pub use roles::Roles;
pub use selfplay::SelfPlay;
pub use state::{GeneratorCurve, IterationRow, SolverCurve};
pub use store::RunInfo;
pub use summary::{GeneratorSummary, Summary};
