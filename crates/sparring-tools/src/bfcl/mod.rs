//! The Berkeley Function Calling Leaderboard's reading and checking of calls (`bfcl-eval` 2026.3.23).
//!
//! ```text
//!   text ──decode──▶ output (PyValue), or what the official code raises
//!   functions, ground_truth (JSON) ─┐
//!   decoded output (PyValue) ───────┴─ Checker ──▶ Verdict: valid, or the Problem and its official error_type
//! ```

mod call;
mod category;
mod checker;
mod decode;
mod format;
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
pub use problem::{Exception, Problem, ValueFault};
pub use value::{OtherKind, PyValue};
