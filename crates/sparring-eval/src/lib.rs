//! Tool-calling benchmarks, run and scored over any sampler.
//!
//! ```text
//!   files ──Suite──▶ Benchmark: Items ──Prompter──▶ prompts ──Sampler──▶ Journal: Answers (saved as they arrive)
//!                        │                                                   │ AnswerReader: a call format, or BFCL's
//!                        └──────────────── Grader ◀──────────────────────────┘
//!                                            └──▶ Report: shares with 95 % intervals, errors by kind, Failures
//! ```
//!
//! * [`Suite`] reads the published files of BFCL v3 and v4 (single turn), ToolAlpaca, Seal-Tools, NexusRaven, API-Bank,
//!   SNIPS and Hammer's cleaned versions from a folder. Nothing is downloaded.
//! * Items that are defective as published still count; [`Defect`] identifies them.
//! * [`run`] decodes greedily and resumes: items with an answer on disk are not asked again.
//! * A [`Grader`] decides whether an answer is right. BFCL has its own checker ([`bfcl::BfclGrader`]) and totals
//!   ([`bfcl::leaderboard`]); the others use Tool-R0's exact match ([`ExactGrader`]) and report the precision and
//!   recall of their papers ([`Overlap`]). Intervals are [`wilson`]'s.
//! * An [`AnswerReader`] reads calls from an answer's text.
//! * [`gold_answers`] turns a benchmark's gold into answers. Their score is the highest that a model can reach.
//!
//! ```
//! use sparring_core::Message;
//! use sparring_eval::{Benchmark, ExactGrader, InWords, Item, Journal, AnswerReader, RunConfig, run, score};
//! use sparring_testkit::ScriptedSampler;
//! use sparring_tools::{Format, ToolCall, ToolSpec};
//!
//! let tool = ToolSpec::default().with_parameter("city", serde_json::json!({"type": "string"}), true);
//! let tool = ToolSpec { name: "get_weather".to_owned(), ..tool };
//! let item = |id: &str, city: &str| {
//!     let question = vec![Message::user(format!("How is the weather in {city}?"))];
//!     let gold = ToolCall::new("get_weather", [("city", city.into())]);
//!     Item::calls(id, "weather", question, vec![tool.clone()], vec![gold])
//! };
//! let items = vec![item("a", "Paris"), item("b", "Rome")];
//! let benchmark = Benchmark { name: "weather".to_owned(), items, grader: std::sync::Arc::new(ExactGrader::new()) };
//!
//! // A model that always asks for Paris.
//! let reader = AnswerReader::Format(Format::Hermes);
//! let paris = reader.render(&[ToolCall::new("get_weather", [("city", "Paris".into())])]);
//! let model = ScriptedSampler::new(move |_, _| paris.clone());
//!
//! let dir = tempfile::tempdir()?;
//! let mut journal = Journal::open(&dir.path().join("answers.jsonl"), &serde_json::json!({"model": "paris"}))?;
//! run(&benchmark, &model, &InWords::new(&reader), &RunConfig::default(), &mut journal, |_done| ())?;
//! let (report, failures) = score(&benchmark, &reader, journal.answers());
//! assert_eq!(report.total.accuracy, 0.5);
//! assert_eq!(failures[0].why, "call 0 (get_weather): city: expected \"Rome\", found \"Paris\"");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod benchmark;
pub mod bfcl;
mod bootstrap;
mod error;
mod files;
mod golds;
mod grade;
mod interval;
mod item;
mod journal;
mod load;
mod overlap;
mod prompt;
mod read;
mod report;
mod run;
mod table;
mod tally;

pub use benchmark::{Benchmark, Grader};
pub use bootstrap::{PairedDifference, paired_bootstrap};
pub use error::EvalError;
pub use golds::{gold_answers, gold_calls};
pub use grade::{ExactGrader, Verdict};
pub use interval::{Interval, wilson};
pub use item::{Defect, Expected, Item, calling, calls_of};
pub use journal::{Answer, Journal};
pub use load::Suite;
pub use overlap::{Counts, Overlap, OverlapRule};
pub use prompt::{InWords, Prompter, Templated, conversation};
pub use read::{AnswerReader, Reading};
pub use report::{CategoryShare, Failure, OverlapShare, Report, Share, score, write_report};
pub use run::{RunConfig, run};
pub use tally::Tally;
