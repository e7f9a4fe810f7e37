use rand::seq::SliceRandom;
use serde_json::{Map, Value, json};
use sparring_core::Seed;
use sparring_tools::{ToolCall, ToolSpec, ToolTask};

/// Removes the names from a task: its tools become `func_1`, `func_2`, … and their parameters `param_1`, `param_2`, …,
/// in the tool list and in the gold calls (Hammer, arXiv 2410.04587; Tool-Zero uses it to make a model read
/// descriptions instead of names).
///
/// A parameter without a description gets its name as one, so that the masked task can still be solved. The numbers
/// depend on `seed`, not on the order of the tool list. Calls of tools that are not on the list are unchanged.
///
/// ```
/// use sparring_core::Seed;
/// use sparring_recipes::tool_zero::mask_names;
/// use sparring_tools::{ToolCall, ToolSpec, ToolTask};
///
/// let city = ("city".to_owned(), serde_json::json!({"type": "string"}));
/// let tool = ToolSpec::new("book_hotel", "Book a hotel", [city].into_iter().collect(), vec!["city".into()]);
/// let calls = vec![ToolCall::new("book_hotel", [("city", "Rome".into())])];
/// let task = ToolTask { question: "Book a hotel in Rome.".into(), tools: vec![tool], calls, domain: String::new() };
/// let masked = mask_names(&task, Seed::new(1));
/// assert_eq!(masked.calls, [ToolCall::new("func_1", [("param_1", "Rome".into())])]);
/// ```
#[must_use]
pub fn mask_names(task: &ToolTask, seed: Seed) -> ToolTask {
    let mut numbers: Vec<usize> = (1..=task.tools.len()).collect();
    numbers.shuffle(&mut seed.rng());
    let masks: Vec<Mask<'_>> =
        task.tools.iter().zip(numbers).map(|(tool, n)| Mask::new(tool, n, seed.index(n as u64))).collect();
    let calls = task.calls.iter().map(|call| {
        masks.iter().find(|mask| mask.tool == call.name).map_or_else(|| call.clone(), |mask| mask.call(call))
    });
    let calls = calls.collect();
    let tools = task.tools.iter().zip(&masks).map(|(tool, mask)| mask.spec(tool)).collect();
    ToolTask { question: task.question.clone(), tools, calls, domain: task.domain.clone() }
}

/// The new names of one tool.
struct Mask<'a> {
    tool: &'a str,
    name: String,
    /// Old and new names of the parameters.
    parameters: Vec<(&'a str, String)>,
}

impl<'a> Mask<'a> {
    fn new(tool: &'a ToolSpec, number: usize, seed: Seed) -> Self {
        let mut numbers: Vec<usize> = (1..=tool.parameters.len()).collect();
        numbers.shuffle(&mut seed.rng());
        let names = tool.parameters.keys().map(String::as_str);
        let parameters = names.zip(numbers).map(|(name, n)| (name, format!("param_{n}"))).collect();
        Self { tool: &tool.name, name: format!("func_{number}"), parameters }
    }

    fn parameter(&self, name: &str) -> String {
        let known = self.parameters.iter().find(|(old, _)| *old == name);
        known.map_or_else(|| name.to_owned(), |(_, new)| new.clone())
    }

    fn spec(&self, tool: &ToolSpec) -> ToolSpec {
        let mut parameters: Vec<(String, Value)> = tool
            .parameters
            .iter()
            .map(|(name, schema)| (self.parameter(name), described(schema, name)))
            .collect();
        parameters.sort_by(|a, b| a.0.cmp(&b.0));
        let required = tool.required.iter().map(|name| self.parameter(name)).collect();
        let parameters = parameters.into_iter().collect();
        ToolSpec { name: self.name.clone(), parameters, required, ..tool.clone() }
    }

    fn call(&self, call: &ToolCall) -> ToolCall {
        let arguments: Map<String, Value> =
            call.arguments.iter().map(|(name, value)| (self.parameter(name), value.clone())).collect();
        ToolCall::new(&self.name, arguments)
    }
}

/// Returns the schema with a description: its own, or the parameter's old name.
fn described(schema: &Value, name: &str) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(fields) = &mut schema {
        fields.entry("description").or_insert_with(|| json!(name.replace('_', " ")));
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_task_is_the_same_task_under_other_names() {
        let schema = || json!({"type": "string"});
        let parameters: Map<String, Value> =
            [("city".to_owned(), schema()), ("day".to_owned(), schema())].into_iter().collect();
        let tool = |name: &str| ToolSpec::new(name, "Does it", parameters.clone(), vec!["city".into()]);
        let call = ToolCall::new("b", [("day", "Monday".into()), ("city", "Rome".into())]);
        let task = ToolTask {
            question: "?".into(),
            tools: vec![tool("a"), tool("b")],
            calls: vec![call, ToolCall::new("elsewhere", [("a", 1.into())])],
            domain: "d".into(),
        };
        let masked = mask_names(&task, Seed::new(4));
        assert_eq!(masked, mask_names(&task, Seed::new(4)));
        let mut names: Vec<&str> = masked.tools.iter().map(|tool| tool.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["func_1", "func_2"]);
        let tool = &masked.tools[1];
        assert_eq!(masked.calls[0].name, tool.name);
        for (name, value) in &masked.calls[0].arguments {
            let said = if tool.parameters[name]["description"] == "city" { "Rome" } else { "Monday" };
            assert_eq!(value, said);
        }
        assert!(tool.parameters[&tool.required[0]]["description"] == "city");
        assert_eq!(masked.calls[1].name, "elsewhere");
    }
}
