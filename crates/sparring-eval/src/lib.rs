//! Tool-calling benchmarks, run and scored over any sampler.
#![forbid(unsafe_code)]

mod benchmark;
pub mod bfcl;
mod error;
mod files;
mod golds;
mod interval;
mod item;
mod journal;
mod load;
mod overlap;
mod prompt;
mod read;
mod report;
mod run;
mod score;
mod table;
mod tally;

pub use benchmark::{Benchmark, Scorer};
pub use error::EvalError;
pub use golds::{gold_answers, gold_calls};
pub use interval::{Interval, wilson};
pub use item::{Defect, Expected, Item, Turn, TurnRole};
pub use journal::{Answer, Journal};
pub use load::Suite;
pub use overlap::{Counts, Overlap, OverlapRule};
pub use prompt::{InWords, Prompter, TemplateInput, Templated};
pub use read::{Reader, Reading};
pub use report::{CategoryShare, Failure, OverlapShare, Report, Share, score, write_report};
pub use run::{RunConfig, run};
pub use score::{ExactScorer, Verdict};
pub use tally::Tally;
