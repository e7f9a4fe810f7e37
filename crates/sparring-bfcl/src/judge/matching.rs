use super::{CallJudge, Expected, Judgement};
use crate::{PyValue, is_function_call_format};
use serde_json::{Map, Value};
use sparring_tools::{Comparator, Matcher, RobustComparator, ToolCall};

/// The matching of rewards as a judge. An output is valid if its report is
/// [`exact`](sparring_tools::MatchReport::exact).
///
/// The default is corrected Tool-R0: the optimal assignment and [`RobustComparator`]. Of several accepted values, the
/// one that equals the found value counts. Function documents are ignored.
#[derive(Debug, Clone, Copy)]
pub struct MatchJudge<C = RobustComparator> {
    /// The assignment of calls to gold calls.
    pub matcher: Matcher,
    /// When values are equal.
    pub comparator: C,
}

// Not derived: with one comparator only, `MatchJudge::default()` needs no type argument.
impl Default for MatchJudge {
    fn default() -> Self {
        Self { matcher: Matcher::default(), comparator: RobustComparator }
    }
}

impl<C: Comparator> CallJudge for MatchJudge<C> {
    fn judge(&self, expected: Expected<'_>, output: &PyValue) -> Judgement {
        if !is_function_call_format(output) {
            return invalid(format!("expected a list of calls, found {output}"));
        }
        let found = calls(&output.to_json());
        let nothing = Map::new();
        let pairs: Vec<Vec<ToolCall>> = expected
            .gold
            .iter()
            .map(|gold| {
                let unread = self.concrete(gold, &nothing);
                found.iter().map(|call| self.concrete(gold, &call.arguments)).chain([unread]).collect()
            })
            .collect();
        let score = |gold: &ToolCall, call| self.matcher.pair(gold, call, &self.comparator).total;
        let scores: Vec<Vec<f64>> = pairs
            .iter()
            .map(|row| row.iter().zip(&found).map(|(gold, call)| score(gold, call)).collect())
            .collect();
        let assigned = self.matcher.assignment.solve(&scores, found.len());
        // Each gold call with the accepted values closest to each prediction; the optimal assignment is the same.
        let gold: Vec<ToolCall> = pairs
            .into_iter()
            .zip(assigned)
            .map(|(mut row, column)| row.swap_remove(column.unwrap_or(row.len() - 1)))
            .collect();
        let report = self.matcher.match_calls(&gold, &found, &self.comparator);
        if report.exact() { VALID } else { invalid(report.to_string()) }
    }
}

const VALID: Judgement = Judgement { valid: true, error_type: None, explanation: String::new() };

fn invalid(explanation: String) -> Judgement {
    Judgement { valid: false, error_type: None, explanation }
}

/// Converts calls `{name: arguments}` for matching.
fn calls(output: &Value) -> Vec<ToolCall> {
    let entries = output.as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
    entries
        .map(|(name, arguments)| ToolCall::new(name, arguments.as_object().cloned().unwrap_or_default()))
        .collect()
}

impl<C: Comparator> MatchJudge<C> {
    /// The gold call with one accepted value per argument: the found one, else the first.
    fn concrete(&self, gold: &Value, found: &Map<String, Value>) -> ToolCall {
        let entry = gold.as_object().and_then(|call| call.iter().next());
        let Some((name, arguments)) = entry else { return ToolCall::default() };
        let arguments =
            arguments.as_object().map(|accepted| self.entries(accepted, found)).unwrap_or_default();
        ToolCall::new(name, arguments)
    }

    fn entries(&self, accepted: &Map<String, Value>, found: &Map<String, Value>) -> Map<String, Value> {
        let one = |(key, accepted): (&String, &Value)| {
            self.choose(accepted, found.get(key)).map(|value| (key.clone(), value))
        };
        accepted.iter().filter_map(one).collect()
    }

    /// One of the accepted values; `None` if the argument is optional and was left out.
    fn choose(&self, accepted: &Value, found: Option<&Value>) -> Option<Value> {
        let Value::Array(accepted) = accepted else { return Some(accepted.clone()) };
        let mark = |value: &Value| value.as_str() == Some("");
        match found {
            None if accepted.iter().any(mark) => None,
            None => accepted.first().map(|value| self.unfold(value, None)),
            Some(found) => {
                let mut values = accepted.iter().map(|value| self.unfold(value, Some(found)));
                let equal = values.find(|value| self.comparator.equal(value, found));
                let first = || accepted.iter().find(|value| !mark(value)).or(accepted.first());
                equal.or_else(|| first().map(|value| self.unfold(value, Some(found))))
            }
        }
    }

    /// A plain value from an accepted one: in dicts, and in lists of dicts, every key has a list of accepted values.
    fn unfold(&self, value: &Value, found: Option<&Value>) -> Value {
        match value {
            Value::Object(accepted) => {
                let none = Map::new();
                Value::Object(self.entries(accepted, found.and_then(Value::as_object).unwrap_or(&none)))
            }
            Value::Array(items) if items.iter().all(Value::is_object) => items
                .iter()
                .enumerate()
                .map(|(i, item)| self.unfold(item, found.and_then(|f| f.get(i))))
                .collect(),
            _ => value.clone(),
        }
    }
}
