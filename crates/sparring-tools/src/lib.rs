//! Tool schemas, tool-call parsing and matching, independent of training.
//!
//! ```text
//!   JSON ◀─▶ ToolSpec ──validate──▶ what is wrong with a call
//!   text ──CallParser──▶ [ToolCall] ──Matcher + Comparator──▶ MatchReport (a score that explains itself)
//!   ToolTask ──structure::check──▶ which rule it breaks;   signature() ──▶ duplicates
//! ```
//!
//! ```
//! use sparring_tools::{Assignment, CallParser, RobustComparator, ToolCall, ToolR0Tags, match_calls};
//!
//! let gold = [ToolCall::new("get_weather", [("city", "Paris".into()), ("days", 3.into())])];
//! let text = r#"<think>Three days.</think>
//! <tool_call_answer>[{'name': 'get_weather', 'arguments': {'city': 'Paris', 'days': '3'}}]</tool_call_answer>"#;
//! let found = ToolR0Tags::default().parse(text)?;
//! let report = match_calls(&gold, &found, &RobustComparator, Assignment::Optimal);
//! assert!(report.exact(), "{report}");
//! # Ok::<(), sparring_tools::ParseError>(())
//! ```
//!
//! Features, all off by default: `validate` checks calls against their schemas (`ToolSpec::validate`, `CallValidator`
//! and the module `structure`) and depends on `jsonschema`; `schemars` derives a tool from a Rust type
//! (`ToolSpec::from_type`).
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod blocks;
mod call;
mod compare;
pub mod conformance;
mod error;
pub mod grounding;
pub mod json;
mod matching;
mod parse;
mod signature;
mod spec;
#[cfg(feature = "validate")]
#[cfg_attr(docsrs, doc(cfg(feature = "validate")))]
pub mod structure;

mod task;
#[cfg(feature = "validate")]
mod validate;

pub use call::ToolCall;
pub use compare::{Comparator, PythonValues, RobustComparator, StrictJson};
pub use error::{ParseError, ToolsError};
pub use json::canonical as canonical_json;
pub use matching::{
    Assignment, CallVerdict, MatchReport, Matcher, Mismatch, PairScore, PairWeights, match_calls, same_calls,
};
pub use parse::{
    BrokenCall, ByteStream, CallParser, CallStream, Delta, Format, Reading, Repair, ToolR0Tags,
    UnknownFormat, call_from_value, calls_from_value,
};
pub use signature::{SignatureRule, signature, signature_with};
pub use spec::{Dialect, Refusal, ToolSpec};
pub use task::ToolTask;
#[cfg(feature = "validate")]
#[cfg_attr(docsrs, doc(cfg(feature = "validate")))]
pub use validate::{ArgumentProblem, CallValidator};

#[cfg(feature = "schemars")]
#[cfg_attr(docsrs, doc(cfg(feature = "schemars")))]
pub use schemars;
