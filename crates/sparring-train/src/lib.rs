//! The training loop (sample, score, update) over any policy, with checkpoints, exact resume, evaluations and a report.
//!
//! ```text
//!  TaskSource ──▶ prompts ──▶ Sampler ──▶ groups ──▶ Reward ──▶ Scored ──▶ Updater ──▶ Learner ─┐
//!      ▲                         ▲          └─ zero advantage? ─ further tasks                  │
//!      └──────── next update ────┴───────────────────── new weights ────────────────────────────┘
//!          between updates: evaluations, events.jsonl, checkpoints
//! ```
//!
//! A whole program, with a toy model that learns to repeat a letter:
//!
//! ```
//! use sparring_core::{Message, Rollout, SamplingParams, Seed, reward_fn};
//! use sparring_testkit::ToyPolicy;
//! use sparring_train::{Epochs, TrainConfig, Trainer};
//!
//! # let dir = std::env::temp_dir().join(format!("sparring-train-doc-{}", std::process::id()));
//! let mut policy = ToyPolicy::new("abc", Seed::new(1));
//! let config = TrainConfig::default().with_steps(40).with_lr(0.1);
//! let plan = config.with_sampling(SamplingParams::default().with_max_tokens(1)).build()?;
//! let tasks = Epochs::new(vec!["a", "b", "c"]);
//! let prompt = |letter: &&str| vec![Message::user(*letter)];
//! let reward = reward_fn("same", |letter: &&str, out: &Rollout| Some(f32::from(out.text == **letter)));
//! let summary = Trainer::new(plan, &mut policy, tasks, prompt, reward, Seed::new(7)).run(&dir)?;
//! assert!(summary.reward_last > summary.reward_first);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! There are two layers. [`Trainer`] is the loop: whole runs in a folder ([`Trainer::run`], [`Trainer::resume`]), or
//! one update at a time in memory ([`Trainer::step`]). Below it are the two halves of an update, for loops of your own:
//! [`requests`] and [`sample`], then [`Scored`] and [`Updater`]. Self-play is such a loop: it reads and probes the
//! Generator's proposals before they are scored.
//!
//! | wanted | where |
//! |---|---|
//! | tasks from a list, a file, a service | [`Epochs`], [`task_source_fn`](sparring_core::task_source_fn) |
//! | advantages by task or player | [`Trainer::with_key`] |
//! | advantages of each component of a reward | `grpo.advantage = "normalize_then_sum"`, `part_weights` |
//! | other tasks for zero-advantage groups | `grpo.dynamic_sampling` |
//! | a KL term | `reference`, `grpo.kl` |
//! | ADPO | `adpo`, [`Trainer::with_consistency`], [`majority`] |
//! | a policy that proposes tasks | [`Trainer::with_solve_rates`] |
//! | accuracy between updates | [`Evaluation`], [`Trainer::with_solved`] |
//! | a supervised stage | [`Examples`] |
//! | a metric of your own | a component of weight 0 in the reward: it appears in `events.jsonl` and the report |
//! | records of your own | [`Trainer::with_recorder`] |
//! | sections of your own in the report | [`Report`] |
//! | curves in TensorBoard | `TensorBoard`, an observer (feature `tensorboard`) |
//! | to stop a run, and resume it later | [`StopFlag`], [`Trainer::with_watch`] |
//! | the time that is left | [`Forecast`], [`Trainer::with_demands`] |
//!
//! A run has a folder, which a [`store::Store`] keeps; self-play uses it too:
//!
//! | file | what |
//! |---|---|
//! | `config.toml`, `run.json` | settings; seed, preset and inputs |
//! | `events.jsonl` | a record of every update ([`StepRecord`]) and evaluation, and your own records |
//! | `checkpoints/` | the newest checkpoints, and those that hold the reference model of one of them |
//! | `summary.json` | the outcome ([`TrainSummary`]) |
//! | `report.html` | the report, once [`write_report`] has written it |
//! | `run.log`, `tensorboard/` | where such observers are added: progress as lines, curves |
//!
//! Every random choice derives from the run's seed by update and task, and a checkpoint is renamed into place only when
//! it is complete. So a run that is killed at any moment and resumed ends with the same weights, bit for bit, and the
//! same summary as an uninterrupted run.
#![forbid(unsafe_code)]

mod benchmark;
pub mod check;
mod config;
mod error;
mod estimate;
mod evaluation;
mod forecast;
mod outcome;
#[cfg(feature = "progress")]
pub mod progress;
mod reference;
pub mod report;
mod sampling;
mod scored;
mod source;
pub mod store;
pub mod summary;
mod supervised;
#[cfg(feature = "tensorboard")]
mod tensorboard;
#[cfg(test)]
mod tests;
mod trainer;
mod update;
mod watch;

pub use benchmark::Benchmark;
pub use config::{TrainConfig, TrainPlan, from_toml};
pub use error::TrainError;
pub use estimate::{Demands, Estimate, Speed, show_memory, show_time};
pub use evaluation::{Evaluation, EvaluationScore, Evaluator, ShownAnswer, accuracy_with_error};
pub use forecast::Forecast;
pub use outcome::Outcome;
pub use reference::ReferenceKind;
pub use report::{Report, write_report};
pub use sampling::{majority, requests, sample, sample_where_possible, under_hooks};
pub use scored::{Score, Scored};
pub use source::{Epochs, draw_tasks};
pub use supervised::Examples;
#[cfg(feature = "tensorboard")]
pub use tensorboard::TensorBoard;
pub use trainer::{EvaluationRow, Step, StepRecord, TrainSummary, Trainer};
pub use update::Updater;
pub use watch::{Meter, Reading, StopFlag, Watch, Watched};
