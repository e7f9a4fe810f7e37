//! The Berkeley Function Calling Leaderboard's decoding and checking of tool calls (`bfcl-eval` 2026.3.23).
//!
//! ```text
//!   text ──decode──▶ output (PyValue), or the exception of the official code
//!   functions, ground_truth (JSON) ─┐
//!   decoded output (PyValue) ───────┴─ Checker ──▶ Verdict: valid, or the Problem and its official error_type
//! ```
//!
//! ```
//! use serde_json::json;
//! use sparring_bfcl::{Checker, ReturnFormat, decode};
//!
//! let functions = [json!({"name": "area", "parameters": {"type": "dict", "required": ["base"],
//!     "properties": {"base": {"type": "integer"}}}})];
//! let gold = [json!({"area": {"base": [10]}})];
//! let output = decode("[area(base='10')]", ReturnFormat::Python, false)?;
//! let verdict = Checker::of("simple_python").judge(&functions, &gold, &output);
//! assert_eq!(verdict.error_type(), Some("type_error:simple"));
//! # Ok::<(), sparring_bfcl::DecodeError>(())
//! ```
//!
//! [`CallJudge`] is the trait behind BFCL's rule ([`Checker`]) and the matching of rewards ([`MatchJudge`]).
//!
//! The feature `tree-sitter`, off by default, decodes Java and JavaScript with the grammars of the official code. It
//! compiles C.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod call;
mod category;
mod checker;
mod decode;
mod format;
mod judge;
mod literal;
mod number;
mod problem;
mod repr;
mod standard;
mod target;
mod types;
mod value;
mod values;
mod view;

pub use category::{Kind, Language};
pub use checker::{Checker, Verdict};
pub use compact_str::CompactString;
pub use decode::{DecodeError, Raised, ReturnFormat, UnknownFormat, decode};
pub use format::{Relevance, is_empty_output, is_function_call_format};
pub use judge::{CallJudge, Expected, Judgement, MatchJudge};
pub use num_bigint::BigInt;
pub use problem::{Exception, Problem, ValueFault};
pub use value::{OtherKind, PyValue};
