//! Verdicts, and grading by exact match.

use crate::{Expected, Grader, Item, Reading};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sparring_tools::{Assignment, RobustComparator, ToolCall, ToolSpec, match_calls};

/// The verdict on an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether the answer is right.
    pub valid: bool,
    /// The kind of error, `None` if the answer is right; for BFCL its own names.
    pub error: Option<String>,
    /// The reason as text; empty if the answer is right.
    pub why: String,
}

impl Verdict {
    /// A right answer.
    pub const fn right() -> Self {
        Self { valid: true, error: None, why: String::new() }
    }

    /// A wrong one.
    pub fn wrong(error: impl Into<String>, why: impl Into<String>) -> Self {
        Self { valid: false, error: Some(error.into()), why: why.into() }
    }
}

/// Exact match as in Tool-R0 (arXiv 2602.21320): the same number of calls, in any order, and for each gold call one
/// with the same name, the same argument names, and values that are equal under [`RobustComparator`].
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct ExactGrader {
    defaults: bool,
}

impl ExactGrader {
    /// Exact match.
    pub const fn new() -> Self {
        Self { defaults: false }
    }

    /// Exact match after omitted parameters are set to their `default` on both sides, as NexusRaven does by calling the
    /// functions.
    pub const fn with_defaults() -> Self {
        Self { defaults: true }
    }
}

impl Grader for ExactGrader {
    fn name(&self) -> &'static str {
        if self.defaults { "exact match, defaults filled in" } else { "exact match" }
    }

    fn grade(&self, item: &Item, reading: &Reading) -> Verdict {
        let gold = match &item.expected {
            Expected::Calls(gold) => gold.clone(),
            Expected::Unreadable { why } => return Verdict::wrong("gold_unreadable", why),
            Expected::Bfcl(_) => {
                return Verdict::wrong("gold_unreadable", "the item needs `BfclGrader`");
            }
        };
        let found = match reading {
            Reading::Calls(found) => found.clone(),
            Reading::Unreadable { why } => return Verdict::wrong("unreadable", why),
            Reading::Decoded(_) => {
                return Verdict::wrong("unreadable", "the answer was decoded for BFCL's checker only");
            }
        };
        let complete = |calls| if self.defaults { filled(calls, &item.tools) } else { calls };
        let (gold, found) = (complete(gold), complete(found));
        let report = match_calls(&gold, &found, &RobustComparator, Assignment::Optimal);
        if report.exact() {
            return Verdict::right();
        }
        Verdict::wrong(kind(&gold, &found), report.to_string())
    }
}

/// The most basic error.
fn kind(gold: &[ToolCall], found: &[ToolCall]) -> &'static str {
    let sorted = |calls: &[ToolCall], of: fn(&ToolCall) -> Vec<&str>| {
        let mut all: Vec<Vec<String>> =
            calls.iter().map(|call| of(call).into_iter().map(str::to_owned).collect()).collect();
        all.sort();
        all
    };
    let name: fn(&ToolCall) -> Vec<&str> = |call| vec![call.name.trim()];
    let shape: fn(&ToolCall) -> Vec<&str> = |call| {
        let mut keys: Vec<&str> = call.arguments.keys().map(String::as_str).collect();
        keys.sort_unstable();
        [vec![call.name.trim()], keys].concat()
    };
    if gold.len() != found.len() {
        "wrong_count"
    } else if sorted(gold, name) != sorted(found, name) {
        "wrong_name"
    } else if sorted(gold, shape) != sorted(found, shape) {
        "wrong_arguments"
    } else {
        "wrong_value"
    }
}

/// The calls with defaults for omitted parameters.
fn filled(mut calls: Vec<ToolCall>, tools: &[ToolSpec]) -> Vec<ToolCall> {
    for call in &mut calls {
        let Some(tool) = tools.iter().find(|tool| tool.name == call.name) else { continue };
        for (name, schema) in &tool.parameters {
            if let Some(default) = schema.get("default") {
                call.arguments.entry(name.clone()).or_insert_with(|| Value::clone(default));
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item() -> Item {
        let tool = ToolSpec::new("f", "", serde_json::Map::new(), vec![])
            .with_parameter("a", json!({"type": "integer"}), true)
            .with_parameter("b", json!({"type": "string", "default": null}), false);
        let gold = vec![ToolCall::new("f", [("a", json!(1))]), ToolCall::new("f", [("a", json!(2))])];
        Item::calls("i", "c", vec![], vec![tool], gold)
    }

    fn judge(grader: ExactGrader, calls: &Value) -> Verdict {
        let calls = sparring_tools::calls_from_value(calls).unwrap();
        grader.grade(&item(), &Reading::Calls(calls))
    }

    #[test]
    fn errors_are_named_from_coarse_to_fine() {
        let plain = ExactGrader::new();
        let call = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
        let one = call("f", json!({"a": "1"}));
        assert!(judge(plain, &json!([call("f", json!({"a": 2.0})), one])).valid);
        for (second, want) in [
            (call("g", json!({"a": 2})), "wrong_name"),
            (call("f", json!({"a": 2, "b": "x"})), "wrong_arguments"),
            (call("f", json!({"a": 3})), "wrong_value"),
        ] {
            let verdict = judge(plain, &json!([one, second]));
            assert_eq!(verdict.error.as_deref(), Some(want));
            assert!(!verdict.why.is_empty());
        }
        assert_eq!(judge(plain, &json!([one])).error.as_deref(), Some("wrong_count"));
    }

    #[test]
    fn defaults_count_on_both_sides() {
        let calls =
            json!([{"name": "f", "arguments": {"a": 2, "b": null}}, {"name": "f", "arguments": {"a": 1}}]);
        assert!(!judge(ExactGrader::new(), &calls).valid);
        assert!(judge(ExactGrader::with_defaults(), &calls).valid);
    }

    #[test]
    fn what_cannot_be_read_is_wrong() {
        let unreadable = Reading::Unreadable { why: "byte 3".to_owned() };
        assert_eq!(ExactGrader::new().grade(&item(), &unreadable), Verdict::wrong("unreadable", "byte 3"));
        let mut item = item();
        item.expected = Expected::Unreadable { why: "no JSON".to_owned() };
        let verdict = ExactGrader::new().grade(&item, &Reading::Calls(vec![]));
        assert_eq!(verdict.error.as_deref(), Some("gold_unreadable"));
    }
}
