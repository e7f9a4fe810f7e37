//! Consistency of a proposed task: Tool-R0's validity (arXiv 2602.21320, Eq. 2), over every gold call.

use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};
use sparring_tools::grounding::{Letters, is_grounded};
use sparring_tools::{CallParser, ToolCall, ToolTask};

/// How a call's grounding is scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Grounding {
    /// 1 if every value occurs in the question, else 0.
    #[default]
    All,
    /// The share of the values that occur in the question.
    Fraction,
}

/// Which gold calls are scored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CountedCalls {
    /// The mean over every call: an invalid second call lowers the score.
    #[default]
    EveryCall,
    /// The first call only, as in the released code.
    FirstCall,
}

/// The weights of the terms of validity, and how the terms are computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ValiditySettings {
    /// Weight of "the called tool is on the tool list": λ_menu in the paper.
    pub tool_list: f64,
    /// Weight of "every required argument is given": λ_gold in the paper.
    pub required: f64,
    /// Weight of "the values occur in the question": λ_value in the paper.
    pub values: f64,
    /// How grounding is scored.
    pub grounding: Grounding,
    /// The characters that are compared for grounding.
    pub letters: Letters,
    /// Which calls are scored.
    pub scope: CountedCalls,
    /// Weight of having the requested numbers of tools, calls and arguments; 0 in the paper, which has no such term.
    pub compliance: f64,
}

impl Default for ValiditySettings {
    /// 0.4, 0.4, 0.2 over every call; all values grounded, in any script.
    fn default() -> Self {
        Self {
            tool_list: 0.4,
            required: 0.4,
            values: 0.2,
            grounding: Grounding::All,
            letters: Letters::AllScripts,
            scope: CountedCalls::EveryCall,
            compliance: 0.0,
        }
    }
}

/// The numbers of tools, calls and, optionally, arguments that the Generator's prompt requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestedCounts {
    /// Number of tools, m.
    pub tools: usize,
    /// Number of gold calls, n.
    pub calls: usize,
    /// Total number of arguments of all calls; `None` if none was requested.
    pub arguments: Option<usize>,
}

/// The terms of a task's validity, each in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ValidityParts {
    /// Share of calls whose tool is on the tool list.
    pub tool_list: f64,
    /// Share of calls with every required argument; 0 for a call of an unknown tool.
    pub required: f64,
    /// Grounding of the values, mean over the calls; 1 for a call without arguments.
    pub values: f64,
    /// Share of the requested numbers (of tools, calls, arguments) that are met; 1 if none was requested.
    pub compliance: f64,
}

impl ValiditySettings {
    /// Returns the intended behaviour of the released code: the first call, Latin letters only. (Its check of required
    /// arguments misses the place where its prompt puts them; here both places count, as in a tool definition.)
    pub fn released() -> Self {
        Self { letters: Letters::Ascii, scope: CountedCalls::FirstCall, ..Self::default() }
    }

    /// Sets the weight of the requested numbers.
    #[must_use]
    pub fn with_compliance(mut self, compliance: f64) -> Self {
        self.compliance = compliance;
        self
    }

    /// Returns `r_valid = λ_menu·tool_list + λ_gold·required + λ_value·values + λ_spec·compliance`, in [0, sum of the
    /// weights].
    pub fn score(&self, task: &ToolTask, requested: Option<RequestedCounts>) -> f64 {
        let parts = self.parts(task, requested);
        self.tool_list * parts.tool_list
            + self.required * parts.required
            + self.values * parts.values
            + self.compliance * parts.compliance
    }

    /// Returns the terms of the score.
    ///
    /// For a task without gold calls the terms are 1, or 0 with an empty tool list. Whether the tools really cannot
    /// serve the request is not checked here.
    pub fn parts(&self, task: &ToolTask, requested: Option<RequestedCounts>) -> ValidityParts {
        let compliance = requested.map_or(1.0, |requested| {
            let mut kept = vec![task.tools.len() == requested.tools, task.calls.len() == requested.calls];
            kept.extend(requested.arguments.map(|arguments| task.argument_count() == arguments));
            kept.iter().filter(|kept| **kept).count() as f64 / kept.len() as f64
        });
        let calls = match self.scope {
            CountedCalls::EveryCall => &task.calls[..],
            CountedCalls::FirstCall => &task.calls[..task.calls.len().min(1)],
        };
        if calls.is_empty() {
            let one = if task.tools.is_empty() { 0.0 } else { 1.0 };
            return ValidityParts { tool_list: one, required: one, values: one, compliance };
        }
        let mean = |term: &dyn Fn(&ToolCall) -> f64| calls.iter().map(term).sum::<f64>() / calls.len() as f64;
        let tool = |call: &ToolCall| task.tools.iter().find(|tool| tool.name.trim() == call.name.trim());
        let indicator = |yes: bool| f64::from(u8::from(yes));
        ValidityParts {
            tool_list: mean(&|call| indicator(tool(call).is_some())),
            required: mean(&|call| {
                let complete = |tool: &sparring_tools::ToolSpec| {
                    tool.required.iter().all(|name| call.arguments.contains_key(name))
                };
                indicator(tool(call).is_some_and(complete))
            }),
            values: mean(&|call| self.grounded(call, &task.question)),
            compliance,
        }
    }

    fn grounded(&self, call: &ToolCall, question: &str) -> f64 {
        let values: Vec<_> = call.arguments.values().filter(|v| !v.is_boolean() && !v.is_null()).collect();
        let found = values.iter().filter(|value| is_grounded(value, question, self.letters)).count();
        match self.grounding {
            Grounding::All => f64::from(u8::from(found == values.len())),
            Grounding::Fraction if values.is_empty() => 1.0,
            Grounding::Fraction => found as f64 / values.len() as f64,
        }
    }
}

/// Scores a completion's calls by [`ValiditySettings`], as if they were the gold calls of its task: whether they call
/// tools on the list, give the required arguments, and take their values from the question. A completion that cannot be
/// read scores 0. Component: `validity`.
pub struct CallValidity {
    parser: Box<dyn CallParser>,
    rules: ValiditySettings,
}

impl std::fmt::Debug for CallValidity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallValidity")
            .field("parser", &self.parser.name())
            .field("rules", &self.rules)
            .finish()
    }
}

impl CallValidity {
    /// Scores calls in this format by these rules.
    pub fn new(parser: impl CallParser + 'static, rules: ValiditySettings) -> Self {
        Self { parser: Box::new(parser), rules }
    }
}

impl Reward<ToolTask> for CallValidity {
    fn name(&self) -> &'static str {
        "validity"
    }

    fn score(
        &self,
        task: &ToolTask,
        group: &[Rollout],
        _: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        let score = |text: &str| match self.parser.parse(text) {
            Ok(calls) => self.rules.score(&ToolTask { calls, ..task.clone() }, None) as f32,
            Err(_) => 0.0,
        };
        Ok(group.iter().map(|rollout| Some(score(&rollout.text))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use sparring_tools::{ToolSpec, calls_from_value};

    fn task(calls: &Value) -> ToolTask {
        let flat = json!({"name": "book", "parameters": {"city": {"type": "string"}, "nights": {"type": "integer"}},
                          "required": ["city"]});
        let schema = json!({"name": "pay", "parameters": {
            "type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}});
        ToolTask {
            question: "Book two nights in Oslo and pay 99.50 euros".to_owned(),
            tools: [flat, schema].iter().map(|tool| ToolSpec::from_json(tool).unwrap()).collect(),
            calls: calls_from_value(calls).unwrap(),
            domain: String::new(),
        }
    }

    fn close(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-9, "{got}, expected {want}");
    }

    #[test]
    fn every_call_counts_and_both_places_of_required() {
        let good = json!({"name": "book", "arguments": {"city": "Oslo", "nights": 2}});
        let valid = ValiditySettings::default();
        close(valid.score(&task(&json!([good])), None), 1.0);
        close(valid.score(&task(&json!([{"name": "book", "arguments": {"nights": 2}}])), None), 0.6);
        close(valid.score(&task(&json!([{"name": "pay", "arguments": {}}])), None), 0.6);
        close(valid.score(&task(&json!([good, {"name": "fly", "arguments": {"to": "Rome"}}])), None), 0.5);
        close(
            ValiditySettings::released().score(&task(&json!([good, {"name": "fly", "arguments": {}}])), None),
            1.0,
        );
        close(valid.score(&task(&json!([{"name": "pay", "arguments": {"amount": 99.5}}])), None), 1.0);
    }

    #[test]
    fn grounding_is_all_or_a_share() {
        let calls = json!([{"name": "book", "arguments": {"city": "Oslo", "nights": 3, "late": true}}]);
        let mut valid = ValiditySettings::default();
        close(valid.parts(&task(&calls), None).values, 0.0);
        valid.grounding = Grounding::Fraction;
        close(valid.parts(&task(&calls), None).values, 0.5);
    }

    #[test]
    fn a_task_without_calls_is_valid_and_requested_counts_are_checked() {
        let valid = ValiditySettings::default().with_compliance(0.5);
        let requested = Some(RequestedCounts { tools: 2, calls: 1, arguments: None });
        close(valid.score(&task(&json!([])), None), 1.5);
        close(valid.score(&task(&json!([])), requested), 1.25);
        let requested = Some(RequestedCounts { tools: 2, calls: 0, arguments: Some(0) });
        close(valid.score(&task(&json!([])), requested), 1.5);
        let requested = Some(RequestedCounts { tools: 3, calls: 0, arguments: Some(1) });
        close(valid.score(&task(&json!([])), requested), 1.0 + 0.5 / 3.0);
        let mut empty = task(&json!([]));
        empty.tools.clear();
        close(ValiditySettings::default().score(&empty, None), 0.0);
    }
}
