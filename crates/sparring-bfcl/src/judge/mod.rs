//! Judges outputs against expected calls, by any rule.

mod matching;

pub use matching::MatchJudge;

use crate::{Checker, PyValue};
use serde_json::Value;
use std::fmt;

/// The expected calls: one entry of a benchmark, in BFCL's notation.
///
/// A gold call `{name: {parameter: [accepted values]}}` lists the accepted values of every argument; `""` among them
/// makes the parameter optional. An accepted dict has a list of accepted values for each of its keys.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The documents of the offered functions.
    pub functions: &'a [Value],
    /// The gold calls.
    pub gold: &'a [Value],
}

/// A rule that decides whether a decoded output makes the expected calls: BFCL's ([`Checker`]), that of rewards
/// ([`MatchJudge`]), or your own.
///
/// # Contract
/// The verdict depends on the arguments only. `output` can be any result of a decoder; an output that is not a list of
/// calls is invalid.
///
/// ```
/// use serde_json::json;
/// use sparring_bfcl::{CallJudge, Checker, Expected, MatchJudge, PyValue};
///
/// let functions = [json!({"name": "f", "parameters": {"type": "dict", "required": ["days"],
///     "properties": {"days": {"type": "integer"}}}})];
/// let gold = [json!({"f": {"days": [3]}})];
/// let expected = Expected { functions: &functions, gold: &gold };
/// let output = PyValue::from_json(&json!([{"f": {"days": "3"}}]));
///
/// let judges: [&dyn CallJudge; 2] = [&Checker::of("simple_python"), &MatchJudge::default()];
/// let [bfcl, tool_r0] = judges.map(|judge| judge.judge(expected, &output));
/// assert_eq!(bfcl.to_string(), "type_error:simple: days: expected the type integer, found '3' (str)");
/// assert!(tool_r0.valid, "a number may be written as a text");
/// ```
pub trait CallJudge: Send + Sync {
    /// Judges one output.
    fn judge(&self, expected: Expected<'_>, output: &PyValue) -> Judgement;
}

impl<J: CallJudge + ?Sized> CallJudge for Box<J> {
    fn judge(&self, expected: Expected<'_>, output: &PyValue) -> Judgement {
        (**self).judge(expected, output)
    }
}

/// The seam is object-safe.
const _: fn(&dyn CallJudge) = |_| {};

/// A judge's verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Whether the output makes the expected calls.
    pub valid: bool,
    /// The judge's name of the error, if it has names.
    pub error_type: Option<&'static str>,
    /// The explanation as text; empty if the output is valid.
    pub explanation: String,
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error_type {
            _ if self.valid => f.write_str("valid"),
            Some(error_type) => write!(f, "{error_type}: {}", self.explanation),
            None => f.write_str(&self.explanation),
        }
    }
}

impl CallJudge for Checker {
    /// [`Checker::judge`]; its [`Verdict`](crate::Verdict) is cheaper if nobody reads the explanation.
    fn judge(&self, expected: Expected<'_>, output: &PyValue) -> Judgement {
        let verdict = Checker::judge(self, expected.functions, expected.gold, output);
        let valid = verdict.is_valid();
        let explanation = if valid { String::new() } else { verdict.to_string() };
        Judgement { valid, error_type: verdict.error_type(), explanation }
    }
}
