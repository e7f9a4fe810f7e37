//! What the grammars of several games have in common.

pub(crate) mod quotes;

use serde_json::{Map, Value, json};
use sparring_core::Hook;
use sparring_guided::GuidedError;
use sparring_tools::grounding;

/// The hook of a grammar. Where none can be made (a tool that a Generator wrote may have any schema), the text is
/// written freely, with a warning.
pub(crate) fn hook(grammar: Result<Hook, GuidedError>) -> Option<Hook> {
    grammar.inspect_err(|error| tracing::warn!(%error, "a text is written freely")).ok()
}

/// What a schema can say of a string beyond its length.
pub(crate) const OF_STRINGS: [&str; 4] = ["enum", "const", "format", "pattern"];

/// Whether a schema has one of these keywords.
pub(crate) fn says_more(schema: &Map<String, Value>, keywords: &[&str]) -> bool {
    keywords.iter().any(|keyword| schema.contains_key(*keyword))
}

/// A schema of values that people say: strings begin and end with a letter or digit, and have no marks that JSON would
/// have to escape; numbers are of a size that people speak of. Schemas that say more stay as they are.
pub(crate) fn simple(schema: &Value, chars: usize) -> Value {
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
pub(crate) fn texts(calls: &[Map<String, Value>]) -> Vec<String> {
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

/// Whether a schema's values are texts.
pub(crate) fn is_text(schema: &Value) -> bool {
    matches!(schema.get("type").and_then(Value::as_str), Some("string" | "str"))
}

/// Whether a schema's values are numbers.
pub(crate) fn is_number(schema: &Value) -> bool {
    matches!(schema.get("type").and_then(Value::as_str), Some("integer" | "int" | "number" | "float"))
}

/// Whether a person says a value as one text: not a list, say, or a switch.
pub(crate) fn is_said(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

/// A value as a person would say it.
pub(crate) fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
