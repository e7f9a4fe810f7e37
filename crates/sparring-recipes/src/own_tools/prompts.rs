//! The prompts of both players.

use super::game::{GameSettings, Order};
use super::values::spoken;
use super::{CallPlan, Catalogue, Style};
use serde_json::{Map, Value};
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

/// A description in one line, cut at a word.
fn short(text: &str) -> String {
    cut(text, DESCRIPTION)
}

/// One line of at most so many characters, cut at a word.
fn cut(text: &str, chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(chars) {
        None => line,
        Some((end, _)) => {
            let cut = &line[..end];
            format!("{} ...", cut.rsplit_once(' ').map_or(cut, |(head, _)| head))
        }
    }
}

/// The Solver's prompt: the tools, then the conversation. Calls are asked for in the notation of `parser`; `settings`
/// say what declines, and whether the tools are named first.
pub fn solver_messages(
    tools: &[ToolSpec],
    conversation: &[Message],
    parser: &dyn CallParser,
    settings: &GameSettings,
) -> Vec<Message> {
    let example = ToolCall::new("tool_name", [("parameter", "value".into())]);
    let first = if settings.name_first { NAME_FIRST } else { "" };
    let system = format!(
        "Answer the user's request by calling tools.{first} A call looks like this:\n{}\nGive only what the user says, \
         in the user's own words. If no tool fits, answer: {}\nTools:\n{}",
        parser.render(&[example]),
        settings.decline,
        describe(tools).trim_end()
    );
    let mut messages = vec![Message::system(system)];
    messages.extend(conversation.iter().cloned());
    messages
}

const NAME_FIRST: &str = " First name the tools that the request needs between <think> and </think>, whether or not \
                          they are listed.";

/// What an answer begins with if the Solver names the tools that a request needs.
pub(super) fn thought(names: &[&str]) -> String {
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("<think>{names}</think>\n")
}

/// Requests with their answers, of other tools than the user's: for a base model that has not learnt to answer.
pub(super) fn worked_answers(parser: &dyn CallParser, settings: &GameSettings) -> String {
    let first = |names: &[&str]| if settings.name_first { thought(names) } else { String::new() };
    let mut text = "Examples, with other tools:\n".to_owned();
    for (example, style) in EXAMPLES.iter().zip([1, 0, 1, 3]) {
        let arguments: Map<String, Value> = serde_json::from_str(example.values).unwrap_or_default();
        let name = example.action.split('.').next().unwrap_or_default().replace(' ', "_");
        let answer = first(&[&name]) + &parser.render(&[ToolCall::new(&name, arguments)]);
        let _ = writeln!(text, "{REQUEST} {}\nAnswer: {answer}", example.requests[style]);
    }
    let answer = first(&["answer_question"]) + &settings.decline;
    let _ = writeln!(text, "{REQUEST} Why is the sky blue?\nAnswer: {answer}");
    text
}

/// A worked example: an action, its values, and a request in each style ([`Style::ALL`]).
struct Example {
    action: &'static str,
    values: &'static str,
    requests: [&'static str; 4],
}

const EXAMPLES: [Example; 8] = [
    Example {
        action: "get forecast",
        values: r#"{"city": "Oslo", "day": "Friday"}"#,
        requests: [
            "Tell me the forecast for Oslo on Friday.",
            "What's the weather going to be like in Oslo on Friday?",
            "I want to know the weather in Oslo for Friday.",
            "weather in Oslo Friday",
        ],
    },
    Example {
        action: "send money. Transfers an amount in dollars",
        values: r#"{"recipient": "Maria Lopez", "amount": 45}"#,
        requests: [
            "Send 45 dollars to Maria Lopez.",
            "Can you transfer 45 dollars to Maria Lopez?",
            "I need to pay Maria Lopez 45 dollars.",
            "send Maria Lopez 45",
        ],
    },
    Example {
        action: "book table",
        values: r#"{"restaurant": "The Green Door", "time": "half past seven", "guests": 4}"#,
        requests: [
            "Reserve a table for 4 at The Green Door at half past seven.",
            "Could you get us a table for 4 at The Green Door, around half past seven?",
            "I'd like a table at The Green Door at half past seven, there will be 4 of us.",
            "need a table for 4 at The Green Door half past seven",
        ],
    },
    Example {
        action: "translate text",
        values: r#"{"text": "good evening", "language": "Italian"}"#,
        requests: [
            "Translate good evening into Italian.",
            "How do you say good evening in Italian?",
            "I'd like to say good evening in Italian.",
            "good evening in Italian please",
        ],
    },
    Example {
        action: "create event. Adds an entry to the calendar of the user",
        values: r#"{"title": "yoga class", "location": "the gym"}"#,
        requests: [
            "Put a yoga class at the gym on my calendar.",
            "Can you add a yoga class at the gym to my calendar?",
            "I have a yoga class at the gym, please note it.",
            "add yoga class at the gym to my calendar",
        ],
    },
    Example {
        action: "find recipe",
        values: r#"{"ingredient": "leftover rice"}"#,
        requests: [
            "Find me a recipe with leftover rice.",
            "What can I cook with leftover rice?",
            "I want to make something with leftover rice.",
            "recipe for leftover rice",
        ],
    },
    Example {
        action: "cancel order",
        values: r#"{"order_id": "ZX-4471"}"#,
        requests: [
            "Cancel order ZX-4471.",
            "Could you cancel my order ZX-4471?",
            "I don't want order ZX-4471 anymore, please cancel it.",
            "cancel ZX-4471",
        ],
    },
    Example {
        action: "get time",
        values: "{}",
        requests: [
            "Tell me what time it is.",
            "What time is it?",
            "I need to know what time it is.",
            "what time is it",
        ],
    },
];

/// What precedes the values and the request in a proposal.
pub(super) const VALUES: &str = "Values:";
pub(super) const REQUEST: &str = "Request:";

/// The Generator's prompt: worked examples in the style of the plan, and the plan, as plain text to be continued. A
/// small chat model continues examples better than it follows instructions.
///
/// The text ends where the completion begins: behind [`REQUEST`] if the plan has values or the request comes first,
/// else behind [`VALUES`].
pub(super) fn generator_text(catalogue: &Catalogue, plan: &CallPlan, order: Order) -> String {
    let actions: Vec<String> =
        plan.calls.iter().filter_map(|call| catalogue.planned(&call.tool)).map(action).collect();
    text_of(&actions.join("; then "), plan, order)
}

/// The same prompt for an action that it does not name.
pub(super) fn contrast_text(plan: &CallPlan, order: Order) -> String {
    text_of("do something", plan, order)
}

fn text_of(action: &str, plan: &CallPlan, order: Order) -> String {
    let mut text =
        "Requests that people make to an assistant, and the values that they mention.\n\n".to_owned();
    let style = Style::ALL.iter().position(|style| *style == plan.style).unwrap_or_default();
    for example in &EXAMPLES {
        let _ = writeln!(text, "Action: {}", example.action);
        let values = format!("{VALUES} [{}]\n", example.values);
        let request = format!("{REQUEST} {}\n", example.requests[style]);
        text += &match order {
            Order::CallsFirst => values + &request,
            Order::RequestFirst => request + &values,
        };
        text.push('\n');
    }
    let _ = writeln!(text, "Action: {action}");
    let _ = match order {
        Order::RequestFirst => write!(text, "{REQUEST}"),
        Order::CallsFirst if plan.arguments.is_empty() => write!(text, "{VALUES}"),
        Order::CallsFirst => write!(text, "{VALUES} {}\n{REQUEST}", listed(&plan.mentioned())),
    };
    text
}

/// The arguments of all calls as one line of JSON.
fn listed(arguments: &[Map<String, Value>]) -> String {
    let one = |arguments: &Map<String, Value>| {
        let fields: Vec<String> = arguments
            .iter()
            .map(|(name, value)| format!("{}: {value}", Value::from(name.as_str())))
            .collect();
        format!("{{{}}}", fields.join(", "))
    };
    format!("[{}]", arguments.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// Longest description of an action, in characters.
const ABOUT: usize = 80;

/// A tool's name in words, and the first sentence of its description, unless that only repeats the name.
fn action(tool: &ToolSpec) -> String {
    let about = tool.description.split(['.', '\n']).next().unwrap_or_default();
    let about = if about.contains(&tool.name) { "" } else { about };
    let about = cut(about, ABOUT);
    if about.is_empty() { spoken(&tool.name) } else { format!("{}. {about}", spoken(&tool.name)) }
}

/// What of the worked examples a text repeats.
pub(super) fn copied(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    COPIED.into_iter().find(|known| text.contains(&known.to_lowercase()))
}

/// Values of the worked examples that nobody else would choose.
const COPIED: [&str; 6] =
    ["Maria Lopez", "The Green Door", "half past seven", "good evening", "leftover rice", "ZX-4471"];

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
