//! Precision, recall and F1 of call names and arguments, as defined by two of the benchmarks.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sparring_bfcl::PyValue;
use sparring_tools::ToolCall;

/// Which benchmark's rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OverlapRule {
    /// Hammer's `evaluation/evaluate.py`: arguments whose value is `""` do not count; an unreadable answer counts as
    /// one predicted call; a right call without arguments adds one right argument; each predicted call is compared with
    /// the first gold call of its name that shares an argument.
    Hammer,
    /// Seal-Tools' score: every argument counts, an unreadable answer predicts nothing, and each predicted call is
    /// compared with the first gold call of its name.
    SealTools,
}

/// Counts of gold, predicted and right names and arguments, summed over items (micro-average).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Overlap {
    /// Calls.
    pub calls: Counts,
    /// Arguments.
    pub arguments: Counts,
}

/// Gold, predicted and right counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// In the gold.
    pub gold: usize,
    /// In the answers.
    pub predicted: usize,
    /// In both.
    pub right: usize,
}

impl Counts {
    /// `right / predicted`; 0 if nothing was predicted.
    pub fn precision(self) -> f64 {
        self.right as f64 / self.predicted.max(1) as f64
    }

    /// `right / gold`; 0 if there is no gold.
    pub fn recall(self) -> f64 {
        self.right as f64 / self.gold.max(1) as f64
    }

    /// `2·P·R / (P + R)`; 0 if both are 0.
    pub fn f1(self) -> f64 {
        let (p, r) = (self.precision(), self.recall());
        if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 }
    }
}

impl Overlap {
    /// Adds one item; `predicted` is `None` if the answer could not be read.
    ///
    /// ```
    /// use sparring_eval::{Overlap, OverlapRule};
    /// use sparring_tools::ToolCall;
    /// let gold = [ToolCall::new("f", [("a", 1.into()), ("b", "x".into())])];
    /// let mut overlap = Overlap::default();
    /// overlap.add(OverlapRule::SealTools, &gold, Some(&[ToolCall::new("f", [("a", "1".into())])]));
    /// assert_eq!((overlap.calls.f1(), overlap.arguments.recall()), (1.0, 0.5));
    /// ```
    pub fn add(&mut self, rule: OverlapRule, gold: &[ToolCall], predicted: Option<&[ToolCall]>) {
        let counted = |call: &ToolCall| call.arguments.values().filter(|v| counts(rule, v)).count();
        self.calls.gold += gold.len();
        self.arguments.gold += gold.iter().map(counted).sum::<usize>();
        let Some(predicted) = predicted else {
            self.calls.predicted += usize::from(rule == OverlapRule::Hammer);
            return;
        };
        self.calls.predicted += predicted.len();
        self.arguments.predicted += predicted.iter().map(counted).sum::<usize>();
        for call in predicted {
            let mut same_name = gold.iter().filter(|g| g.name == call.name).peekable();
            self.calls.right += usize::from(same_name.peek().is_some());
            let mut shared = same_name.map(|gold| shared(rule, gold, call));
            self.arguments.right += match rule {
                OverlapRule::Hammer => shared.find(|n| *n > 0),
                OverlapRule::SealTools => shared.next(),
            }
            .unwrap_or(0);
        }
    }
}

/// Whether an argument of this value counts.
fn counts(rule: OverlapRule, value: &Value) -> bool {
    rule == OverlapRule::SealTools || *value != ""
}

fn shared(rule: OverlapRule, gold: &ToolCall, call: &ToolCall) -> usize {
    if rule == OverlapRule::Hammer
        && gold.arguments.is_empty()
        && call.arguments.values().all(|v| !counts(rule, v))
    {
        return 1;
    }
    let same = |(name, value): &(&String, &Value)| {
        let found = call.arguments.get(*name).filter(|v| counts(rule, v));
        counts(rule, value) && found.is_some_and(|found| python_str(found) == python_str(value))
    };
    gold.arguments.iter().filter(same).count()
}

/// Python's `str(value)`.
fn python_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => PyValue::from_json(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(name: &str, arguments: &Value) -> ToolCall {
        ToolCall::new(name, arguments.as_object().unwrap().clone())
    }

    fn overlap(rule: OverlapRule, gold: &[ToolCall], predicted: Option<&[ToolCall]>) -> [usize; 6] {
        let mut o = Overlap::default();
        o.add(rule, gold, predicted);
        let (c, a) = (o.calls, o.arguments);
        [c.gold, c.predicted, c.right, a.gold, a.predicted, a.right]
    }

    #[test]
    fn values_are_compared_as_python_writes_them() {
        let pairs = [
            (json!(1), json!("1")),
            (json!(true), json!("True")),
            (json!(null), json!("None")),
            (json!(["a", 1, {"b": "it's"}]), json!("['a', 1, {'b': \"it's\"}]")),
            (json!(0.5), json!("0.5")),
        ];
        for (gold, found) in pairs {
            let (gold, found) = (call("f", &json!({"x": gold})), call("f", &json!({"x": found})));
            assert_eq!(overlap(OverlapRule::SealTools, &[gold], Some(&[found]))[5], 1);
        }
        let (gold, found) = (call("f", &json!({"x": 1})), call("f", &json!({"x": 1.0})));
        assert_eq!(overlap(OverlapRule::SealTools, &[gold], Some(&[found]))[5], 0);
    }

    /// What the two scripts count on the same answers, worked out by hand from their text.
    #[test]
    fn the_rules_differ_where_the_scripts_do() {
        use OverlapRule::{Hammer, SealTools};
        let gold =
            [call("f", &json!({"a": "x", "b": ""})), call("f", &json!({"a": "y"})), call("g", &json!({}))];
        let found =
            [call("f", &json!({"a": "y"})), call("g", &json!({"z": ""})), call("h", &json!({"a": "x"}))];
        assert_eq!(overlap(Hammer, &gold, Some(&found)), [3, 3, 2, 2, 2, 2]);
        assert_eq!(overlap(SealTools, &gold, Some(&found)), [3, 3, 2, 3, 3, 0]);
        assert_eq!(overlap(Hammer, &gold, None), [3, 1, 0, 2, 0, 0]);
        assert_eq!(overlap(SealTools, &gold, None), [3, 0, 0, 3, 0, 0]);
    }
}
