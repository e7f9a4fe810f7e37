//! The prompts of both players.

use super::{CallPlan, Catalogue};
use serde_json::Value;
use sparring_core::Message;
use sparring_tools::{CallParser, ToolCall, ToolSpec};
use std::fmt::Write;

/// Longest description of a tool or parameter in a prompt, in characters.
const DESCRIPTION: usize = 160;

/// Describes tools in few tokens: a line for each, and one for each parameter that has a description. Parameters
/// without a type are strings.
///
/// ```
/// use sparring_recipes::own_tools::describe;
/// use sparring_tools::ToolSpec;
/// let text = serde_json::json!({"type": "string", "description": "Name of the city."});
/// let tool = ToolSpec::new("forecast", "Tells the weather.", Default::default(), vec![])
///     .with_parameter("city", text, true)
///     .with_parameter("days", serde_json::json!({"type": "integer"}), false);
/// assert_eq!(
///     describe(&[tool]),
///     "- forecast(city, days?: integer): Tells the weather.\n    city: Name of the city.\n"
/// );
/// ```
pub fn describe(tools: &[ToolSpec]) -> String {
    let mut text = String::new();
    for tool in tools {
        let parameter = |(name, schema): (&String, &Value)| {
            let optional = if tool.required.is_empty() || tool.required.contains(name) { "" } else { "?" };
            match kind(schema).as_str() {
                "string" | "str" => format!("{name}{optional}"),
                kind => format!("{name}{optional}: {kind}"),
            }
        };
        let parameters: Vec<String> = tool.parameters.iter().map(parameter).collect();
        let _ = write!(text, "- {}({})", tool.name, parameters.join(", "));
        if !tool.description.trim().is_empty() {
            let _ = write!(text, ": {}", short(&tool.description));
        }
        text.push('\n');
        for (name, schema) in &tool.parameters {
            if let Some(description) =
                schema.get("description").and_then(Value::as_str).filter(|d| !d.is_empty())
            {
                let _ = writeln!(text, "    {name}: {}", short(description));
            }
        }
    }
    text
}

/// The type of a parameter: its word, or the values that it may have.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        return values.join("|");
    }
    schema.get("type").and_then(Value::as_str).unwrap_or("any").to_owned()
}

/// One line, cut at a word.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(DESCRIPTION) {
        None => line,
        Some((end, _)) => {
            let cut = &line[..end];
            format!("{} ...", cut.rsplit_once(' ').map_or(cut, |(head, _)| head))
        }
    }
}

/// The Solver's prompt: the tools, then the conversation. Calls are asked for in the notation of `parser`.
pub fn solver_messages(
    tools: &[ToolSpec],
    conversation: &[Message],
    parser: &dyn CallParser,
    decline: &str,
) -> Vec<Message> {
    let example = ToolCall::new("tool_name", [("parameter", "value".into())]);
    let system = format!(
        "Answer the user's request by calling tools. A call looks like this:\n{}\nGive only what the user says, in the \
         user's own words. If no tool fits, answer: {decline}\nTools:\n{}",
        parser.render(&[example]),
        describe(tools).trim_end()
    );
    let mut messages = vec![Message::system(system)];
    messages.extend(conversation.iter().cloned());
    messages
}

/// A worked example: a tool with its call's arguments, a style, a request.
struct Example {
    name: &'static str,
    tool: &'static str,
    arguments: &'static str,
    style: &'static str,
    request: &'static str,
}

const EXAMPLES: [Example; 3] = [
    Example {
        name: "get_forecast",
        tool: "- get_forecast(city, day): Gives the weather forecast.
",
        arguments: r#"{"city": "Oslo", "day": "Friday"}"#,
        style: "casual, as to a friend",
        request: "what's the weather going to be like in Oslo on Friday?",
    },
    Example {
        name: "send_money",
        tool: "- send_money(recipient, amount: integer): Transfers money.
",
        arguments: r#"{"recipient": "Maria Lopez", "amount": 45}"#,
        style: "a short command",
        request: "Send 45 dollars to Maria Lopez.",
    },
    Example {
        name: "book_table",
        tool: "- book_table(restaurant, time, guests: integer): Reserves a table.
",
        arguments: r#"{"restaurant": "The Green Door", "time": "half past seven", "guests": 4}"#,
        style: "a polite question",
        request: "Could you get us a table for 4 at The Green Door, around half past seven?",
    },
];

/// The Generator's prompt: what is asked for, worked examples, and the plan.
pub(super) fn generator_messages(
    catalogue: &Catalogue,
    plan: &CallPlan,
    parser: &dyn CallParser,
    calls_first: bool,
) -> Vec<Message> {
    let order = if calls_first {
        "Write the call, and then what a person says who needs it."
    } else {
        "Write what a person says, and then the call that serves it."
    };
    let mut messages = vec![Message::system(format!(
        "You write examples of people who ask an assistant for something. {order} Invent realistic values. The person \
         mentions every value, and does not know the tool."
    ))];
    for example in &EXAMPLES {
        let arguments: serde_json::Map<String, Value> =
            serde_json::from_str(example.arguments).unwrap_or_default();
        let given: Vec<&str> = arguments.keys().map(String::as_str).collect();
        let wanted = format!("{}({})", example.name, given.join(", "));
        messages.push(Message::user(ask(example.tool, &wanted, example.style)));
        let call = parser.render(&[ToolCall::new(example.name, arguments.clone())]);
        messages.push(Message::assistant(proposal(&call, example.request, calls_first)));
    }
    let planned: Vec<ToolSpec> =
        plan.calls.iter().filter_map(|call| catalogue.get(&call.tool).cloned()).collect();
    let calls: Vec<String> =
        plan.calls.iter().map(|call| format!("{}({})", call.tool, call.parameters.join(", "))).collect();
    messages.push(Message::user(ask(&describe(&planned), &calls.join(", "), &plan.style)));
    messages
}

/// Whether a value was copied from a worked example.
pub(super) fn is_copied(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default().to_lowercase();
    let copied = |arguments: &str| {
        let arguments: serde_json::Map<String, Value> = serde_json::from_str(arguments).unwrap_or_default();
        arguments.values().filter_map(Value::as_str).any(|known| text.contains(&known.to_lowercase()))
    };
    EXAMPLES.iter().any(|example| copied(example.arguments))
}

fn ask(tools: &str, calls: &str, style: &str) -> String {
    format!(
        "Tools:
{}
Call: {calls}
The person speaks like this: {style}",
        tools.trim_end()
    )
}

/// A proposal's text.
fn proposal(calls: &str, request: &str, calls_first: bool) -> String {
    if calls_first { format!("{calls}\n{request}") } else { format!("{request}\n{calls}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_short() {
        assert_eq!(short("a  b\nc"), "a b c");
        let long = short(&"word ".repeat(100));
        assert!(long.len() <= DESCRIPTION + 4 && long.ends_with("word ..."), "{long}");
        assert_eq!(kind(&serde_json::json!({"enum": ["a", 1]})), "a|1");
        assert_eq!(kind(&serde_json::json!({"type": ["string", "null"]})), "any");
    }
}
