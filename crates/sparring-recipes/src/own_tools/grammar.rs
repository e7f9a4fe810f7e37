//! The grammars that both players write under.

use super::game::{GameSettings, Order};
use super::prompts::{REQUEST, VALUES};
use super::values::said;
use super::{CallPlan, Catalogue};
use serde_json::{Map, Value, json};
use sparring_core::Hook;
use sparring_guided::{CallGrammar, Constraint, Guide, GuidedError, Staged};
use sparring_tools::{ToolSpec, grounding};

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

/// What the Generator writes behind its prompt: a request; with the values, if the plan does not give them.
pub(super) fn proposal(
    guide: &Guide,
    catalogue: &Catalogue,
    plan: &CallPlan,
    settings: &GameSettings,
) -> Result<Hook, GuidedError> {
    let gap = settings.gap;
    let grounded = |arguments: &[Map<String, Value>]| {
        if settings.grounded { texts(arguments) } else { Vec::new() }
    };
    if !plan.arguments.is_empty() {
        return guide.sentence(" ", &grounded(&plan.mentioned()), gap, "\n").map(Hook::new);
    }
    let values = values_schema(catalogue, plan, settings);
    Ok(match settings.order {
        Order::CallsFirst => {
            let (requests, whole) = (guide.clone(), settings.grounded);
            let request = move |text: &str| {
                let arguments: Vec<Map<String, Value>> =
                    serde_json::from_str(text.trim()).unwrap_or_default();
                let texts = if whole { texts(&arguments) } else { Vec::new() };
                requests.sentence(&format!("\n{REQUEST} "), &texts, gap, "\n")
            };
            Hook::new(Staged::new(guide.json_after(" ", values)?, request))
        }
        Order::RequestFirst => {
            let request = guide.sentence(" ", &[], 3 * gap, "\n")?;
            let calls = guide.json_after(&format!("{VALUES} "), values)?;
            Hook::new(Staged::new(request, move |_| Ok(calls.clone())))
        }
    })
}

/// The schema of the values that the Generator invents: a list of the arguments of each planned call.
fn values_schema(catalogue: &Catalogue, plan: &CallPlan, settings: &GameSettings) -> Value {
    let mut calls = Vec::with_capacity(plan.calls.len());
    for call in &plan.calls {
        let Some(tool) = catalogue.get(&call.tool) else { continue };
        let schema = |name: &String| tool.parameters.get(name).cloned().unwrap_or_default();
        let properties: Map<String, Value> = call
            .parameters
            .iter()
            .map(|name| (name.clone(), simple(&schema(name), settings.value_chars)))
            .collect();
        let mut object = tool.parameters_schema();
        if let Value::Object(object) = &mut object {
            object.insert("type".to_owned(), json!("object"));
            object.insert("properties".to_owned(), properties.into());
            object.insert("required".to_owned(), json!(call.parameters));
            object.insert("additionalProperties".to_owned(), json!(false));
        }
        calls.push(object);
    }
    let n = calls.len();
    json!({"type": "array", "prefixItems": calls, "items": false, "minItems": n, "maxItems": n})
}

/// What a schema can say of a string beyond its length.
pub(super) const OF_STRINGS: [&str; 4] = ["enum", "const", "format", "pattern"];

/// Whether a schema has one of these keywords.
pub(super) fn says_more(schema: &Map<String, Value>, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| schema.contains_key(*keyword))
}

/// Strings begin and end with a letter or digit, and have no marks that JSON would have to escape; numbers are of a
/// size that people speak of. Schemas that say more stay as they are.
fn simple(schema: &Value, chars: usize) -> Value {
    let inner = chars.saturating_sub(2);
    let words = format!(r"^[\p{{L}}\p{{N}}]([\p{{L}}\p{{N}} .,:'&@/+-]{{0,{inner}}}[\p{{L}}\p{{N}}])?$");
    let Value::Object(map) = schema else { return schema.clone() };
    let mut map: Map<String, Value> = map.clone();
    match map.get("type").and_then(Value::as_str) {
        Some("string" | "str") if !says_more(&map, &OF_STRINGS) => {
            map.insert("pattern".to_owned(), json!(words));
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
            if let Some(items) = map.get("items").map(|items| simple(items, chars)) {
                map.insert("items".to_owned(), items);
            }
            map.entry("minItems").or_insert(json!(1));
            map.entry("maxItems").or_insert(json!(3));
        }
        _ => {}
    }
    Value::Object(map)
}

/// What of the arguments must stand in the request: every string and number in them, each once.
fn texts(calls: &[Map<String, Value>]) -> Vec<String> {
    let mut texts = Vec::new();
    for value in calls.iter().flat_map(Map::values) {
        collect(value, &mut texts);
    }
    texts
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(map) => map.values().for_each(|item| collect(item, texts)),
        Value::String(_) | Value::Number(_) => {
            let text = said(value).trim().to_owned();
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
