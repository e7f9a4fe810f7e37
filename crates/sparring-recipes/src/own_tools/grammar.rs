//! The grammars that both players write under.

use super::game::{GameSettings, Order};
use super::{CallPlan, Catalogue};
use serde_json::{Map, Value, json};
use sparring_guided::{CallGrammar, Constraint, Guide, GuidedError, Staged};
use sparring_tools::{CallParser, ToolCall, ToolSpec, grounding};

/// Calls of these tools, or none.
pub(super) fn answers(
    guide: &Guide,
    tools: &[ToolSpec],
    settings: &GameSettings,
) -> Result<Constraint, GuidedError> {
    let grammar = CallGrammar::new(settings.format)
        .with_calls(0..=settings.most_calls)
        .with_decline(&settings.decline)
        .with_string_chars(settings.answer_chars);
    guide.calls(tools, &grammar)
}

/// The planned calls and a request, in the order of the settings.
pub(super) fn proposals(
    guide: &Guide,
    planned: &[ToolSpec],
    settings: &GameSettings,
) -> Result<Staged, GuidedError> {
    let grammar =
        CallGrammar::new(settings.format).with_each_once(true).with_string_chars(settings.value_chars);
    let calls = guide.calls(planned, &grammar)?;
    let (guide, gap) = (guide.clone(), settings.gap);
    Ok(match settings.order {
        Order::CallsFirst => {
            let (grounded, parser) = (settings.grounded, settings.format.parser_for(planned.to_vec()));
            let request = move |text: &str| {
                let texts = if grounded { texts(&parser.read(text).calls) } else { Vec::new() };
                guide.sentence("\n", &texts, gap)
            };
            Staged::new(calls, request)
        }
        Order::RequestFirst => {
            let request = guide.sentence("", &[], 3 * gap)?;
            Staged::new(request, move |_| Ok(calls.clone()))
        }
    })
}

/// The tools of the planned calls with the planned parameters only, all required, and with values that a person would
/// write.
pub(super) fn planned(catalogue: &Catalogue, plan: &CallPlan) -> Vec<ToolSpec> {
    let mut ideas = plan.ideas.iter();
    let mut planned = Vec::with_capacity(plan.calls.len());
    for call in &plan.calls {
        let Some(tool) = catalogue.get(&call.tool) else { continue };
        let mut reduced = tool.clone();
        reduced.parameters.clear();
        for name in &call.parameters {
            let ideas = ideas.next().map_or(&[][..], Vec::as_slice);
            let schema = tool.parameters.get(name).cloned().unwrap_or_default();
            reduced.parameters.insert(name.clone(), simple(&schema, ideas));
        }
        reduced.required.clone_from(&call.parameters);
        planned.push(reduced);
    }
    planned
}

/// Strings are one of `ideas`; without any, they begin and end with a letter or digit, and have no marks that JSON or a
/// call format would have to escape; numbers are of a size that people speak of. Schemas that say more stay as they
/// are.
fn simple(schema: &Value, ideas: &[String]) -> Value {
    const WORDS: &str = r"^[\p{L}\p{N}]([\p{L}\p{N} .,:'&@/+-]{0,40}[\p{L}\p{N}])?$";
    let Value::Object(map) = schema else { return schema.clone() };
    let mut map: Map<String, Value> = map.clone();
    let says_more = |map: &Map<String, Value>, keys: &[&str]| keys.iter().any(|key| map.contains_key(*key));
    match map.get("type").and_then(Value::as_str) {
        Some("string" | "str") if !says_more(&map, &["enum", "const", "format", "pattern"]) => {
            if ideas.is_empty() {
                map.insert("pattern".to_owned(), json!(WORDS));
            } else {
                map.insert("enum".to_owned(), json!(ideas));
            }
        }
        Some("integer" | "int" | "number" | "float")
            if !says_more(
                &map,
                &["enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
            ) =>
        {
            map.insert("minimum".to_owned(), json!(0));
            map.insert("maximum".to_owned(), json!(10_000));
        }
        Some("array" | "list") => {
            if let Some(items) = map.get("items").map(|items| simple(items, ideas)) {
                map.insert("items".to_owned(), items);
            }
            map.entry("minItems").or_insert(json!(1));
            map.entry("maxItems").or_insert(json!(3));
        }
        _ => {}
    }
    Value::Object(map)
}

/// What of the calls' arguments must stand in the request: every string and number in them, each once.
fn texts(calls: &[ToolCall]) -> Vec<String> {
    let mut texts = Vec::new();
    for value in calls.iter().flat_map(|call| call.arguments.values()) {
        collect(value, &mut texts);
    }
    texts
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(map) => map.values().for_each(|item| collect(item, texts)),
        Value::String(_) | Value::Number(_) => {
            let text = value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned());
            // A text that stands in another one is there already.
            let there = texts
                .iter()
                .any(|known| grounding::is_grounded(value, known, grounding::Letters::AllScripts));
            if !text.is_empty() && !text.contains(char::is_control) && !there {
                texts.push(text);
            }
        }
        Value::Bool(_) | Value::Null => {}
    }
}
