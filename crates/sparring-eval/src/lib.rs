//! Tool-calling benchmarks, run and scored over any sampler.
//!
//! ```text
//!   files ──Suite──▶ Benchmark: Items ──Prompter──▶ prompts ──Sampler──▶ Journal: Answers (kept as they come)
//!                        │                                                   │ Reader: a call format, or BFCL's own
//!                        └──────────────── Scorer ◀──────────────────────────┘
//!                                            └──▶ Report: shares with 95 % intervals, errors by kind, Failures
//! ```
//!
//! * [`Suite`] reads the published files of BFCL v3 and v4 (single turn), ToolAlpaca, Seal-Tools, NexusRaven, API-Bank,
//!   SNIPS and of Hammer's cleaned versions, from a folder that you name. Nothing is fetched.
//! * Items that are defective as published count all the same; [`Defect`] says which they are.
//! * [`run`] asks greedily and resumes: answers that are on disk are not asked for again.
//! * BFCL is scored by its own checker ([`sparring_bfcl`]) and totalled as its leaderboard does
//!   ([`bfcl::leaderboard`]); the others by the exact match of Tool-R0 ([`ExactScorer`]), beside the precision and recall
//!   that their papers count ([`Overlap`]). Intervals are [`wilson`]'s.
//! * [`gold_answers`] lets the benchmark answer itself: what its own golds score is the most that a model can.
//!
//! ```
//! use sparring_core::Message;
//! use sparring_eval::{Benchmark, ExactScorer, InWords, Item, Journal, Reader, RunConfig, run, score};
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
//! let benchmark = Benchmark { name: "weather".to_owned(), items, scorer: Box::new(ExactScorer::new()) };
//!
//! // A model that always asks for Paris.
//! let reader = Reader::Format(Format::Hermes);
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
pub use item::{Defect, Expected, Item, calling, calls_of};
pub use journal::{Answer, Journal};
pub use load::Suite;
pub use overlap::{Counts, Overlap, OverlapRule};
pub use prompt::{InWords, Prompter, Templated, conversation};
pub use read::{Reader, Reading};
pub use report::{CategoryShare, Failure, OverlapShare, Report, Share, score, write_report};
pub use run::{RunConfig, run};
pub use score::{ExactScorer, Verdict};
pub use tally::Tally;
