//! Self-play of a Generator, which writes tasks, and a Solver, which learns to solve them, over any game
//! (Tool-R0, arXiv 2602.21320).
//!
//! ```text
//!            ┌─ TrainGenerator ─┐   ┌──── BuildPool ────┐   ┌─── TrainSolver ───┐   ┌─ Evaluate ──┐
//! draw specs │ sample → read →  │   │ sample → dedup →  │   │ sample → reward → │   │ evaluations │
//!      ────▶ │ probe the frozen │ ─▶│ verify → select → │ ─▶│ GRPO, from easy   │ ─▶│             │ ─┐
//!            │ Solver → GRPO    │   │ order             │   │ to hard           │   │             │  │
//!            └──────────────────┘   └───────────────────┘   └───────────────────┘   └─────────────┘  │
//!       ▲──────────────────────────────────── next iteration ────────────────────────────────────────┘
//! ```
//!
//! The domain is a [`Game`](sparring_core::Game), of which calling tools is one. The models are
//! [`Policy`](sparring_core::Policy)s; a frozen Generator can be any [`Sampler`](sparring_core::Sampler). The rewards
//! are [`Reward`](sparring_core::Reward)s.
//!
//! A whole program, with toy models: the Generator is asked for a letter, the Solver repeats it.
//!
//! ```
//! use sparring_core::{Game, Message, Prompt, Rejection, Rollout, Seed, reward_fn};
//! use sparring_selfplay::{Players, Seat, SelfPlay, SelfPlayConfig, write_report};
//! use sparring_testkit::ToyPolicy;
//! use sparring_train::Evaluation;
//!
//! struct Echo;
//! impl Game for Echo {
//!     type Spec = ();
//!     type Task = String;
//!     fn draw(&self, _: Seed) {}
//!     fn generator_prompt(&self, _: &()) -> Prompt {
//!         vec![Message::user("a letter, please")].into()
//!     }
//!     fn read(&self, _: &(), out: &Rollout) -> Result<String, Rejection> {
//!         if out.text.len() == 1 { Ok(out.text.clone()) } else { Err(Rejection::new("length", "not a letter")) }
//!     }
//!     fn solver_prompt(&self, task: &String) -> Vec<Message> {
//!         vec![Message::user(task.clone())]
//!     }
//!     fn solved(&self, task: &String, out: &Rollout) -> bool {
//!         out.text == *task
//!     }
//! }
//!
//! let settings = "iterations = 1\n\
//!     [generator]\nsteps = 4\nlr = 0.05\nmax_tokens = 1\n\
//!     [solver]\nsteps = 40\nlr = 0.05\nmax_tokens = 1\n\
//!     [pool]\ncandidates = 50\nkeep = { min_rate = 0.0 }\nmin_agreement = 0.0\n";
//! let toy = |seed| Box::new(ToyPolicy::new("abcd", Seed::new(seed)));
//! let mut run = SelfPlay::new(
//!     SelfPlayConfig::from_toml(settings, "settings")?.build()?,
//!     &Echo,
//!     Box::new(reward_fn("one letter", |_: &(), out: &Rollout| Some(out.text.len() as f32))),
//!     Box::new(reward_fn("same", |task: &String, out: &Rollout| Some(f32::from(u8::from(out.text == *task))))),
//!     Players::Separate { generator: Seat::Learns(toy(1)), solver: toy(2) },
//!     Seed::new(3),
//! )
//! .with_evaluation(Evaluation::greedy("heldout", ["a", "b", "c", "d"].map(String::from).to_vec()));
//!
//! let dir = std::env::temp_dir().join(format!("sparring-doc-{}", std::process::id()));
//! let summary = run.run(&dir)?;
//! assert!(summary.last["heldout_accuracy"].as_f64() > summary.base["heldout_accuracy"].as_f64());
//! write_report(&dir)?;
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | wanted | where |
//! |---|---|
//! | tasks of your own beside the Generator's | [`SelfPlay::with_tasks`] |
//! | a Generator that is not trained, on a server, say | [`Seat::Frozen`], [`Seat::FrozenScorer`], [`Retry`](sparring_core::Retry) |
//! | a metric of your own | a component of weight 0 in a reward: it appears in `events.jsonl` and the report |
//! | records of your own | [`SelfPlay::with_recorder`] |
//! | sections of your own in the report | [`Report`] |
//! | to stop a run, and resume it later | [`SelfPlay::with_watch`] |
//! | the time that is left | [`SelfPlay::with_demands`], [`Forecast`](sparring_train::Forecast) |
//! | accuracy between iterations | [`SelfPlay::with_evaluation`] |
//!
//! A run has a folder:
//!
//! | file | what |
//! |---|---|
//! | `config.toml`, `run.json` | settings; seed, preset and inputs |
//! | `events.jsonl` | a record of every update, pool and evaluation, and your own records |
//! | `tasks/iteration-N.jsonl` | the pool of each iteration, with each task's statistics |
//! | `checkpoints/` | the newest checkpoints, by default two |
//! | `summary.json` | the outcome ([`Summary`]) |
//! | `report.html` | the report, once [`write_report`] has written it |
//! | `run.log`, `tensorboard/` | where such observers are added: progress as lines, curves |
//!
//! Every random choice derives from the run's seed by iteration, phase and step, and a checkpoint is renamed into place
//! only when it is complete. So a run that is killed at any moment and resumed ends with the same weights, bit for bit,
//! and the same summary as an uninterrupted run.
#![forbid(unsafe_code)]

mod attempt;
mod config;
mod error;
mod outcome;
mod phases;
mod players;
mod pool;
mod report;
mod run;
mod selfplay;
mod stages;
mod state;
mod step;
mod summary;
#[cfg(test)]
mod tests;

pub use attempt::solve_rate;
pub use config::{
    GeneratorConfig, ImitationConfig, Order, SelfPlayConfig, SelfPlayPlan, SolverConfig, Weights,
};
pub use error::SelfPlayError;
pub use outcome::Outcome;
pub use players::{Players, SamplerScorer, Seat};
pub use pool::{
    Agreement, Bucket, Keep, Mix, Origin, PoolConfig, PoolTask, PoolYield, apportion, equal_quotas,
    order_tasks, select_balanced, training_slots,
};
pub use report::{Report, SelfPlayLayout, write_report};
pub use selfplay::SelfPlay;
pub use state::{GeneratorCurve, IterationRow, SolverCurve};
pub use step::{PlayerStep, StepInput};
pub use summary::{GeneratorSummary, Summary};
