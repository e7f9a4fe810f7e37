//! The training loop: sample, score, update; over any policy, with checkpoints, evaluations and exact resume.
#![forbid(unsafe_code)]

pub mod check;
mod config;
mod error;
mod evaluation;
mod reference;
pub mod report;
mod sampling;
mod scored;
mod source;
pub mod store;
pub mod summary;
mod supervised;
mod trainer;
mod update;

pub use config::{TrainConfig, TrainPlan, from_toml};
pub use error::TrainError;
pub use evaluation::{Evaluation, EvaluationScore, Evaluator, ShownAnswer, accuracy_with_error};
pub use reference::ReferenceKind;
pub use report::write_report;
pub use sampling::{majority, requests, sample, sample_where_possible};
pub use scored::{Score, Scored};
pub use source::Epochs;
pub use supervised::Examples;
pub use trainer::{EvaluationRow, Step, StepRecord, TrainSummary, Trainer};
pub use update::Updater;
