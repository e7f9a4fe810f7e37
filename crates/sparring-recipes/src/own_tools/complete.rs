//! Arguments that a request mentions and its call leaves out.

use super::spans;
use super::values::{ParameterValues, spoken};
use crate::grammar::said;
use serde_json::Value;
use sparring_tools::{ToolCall, ToolSpec};
use std::collections::BTreeMap;
use std::ops::Range;

/// Shortest everyday value that counts as mentioned: "on" and "my" stand in requests by themselves.
const SHORTEST: usize = 4;

/// Adds what the request mentions to its call: values of an enumeration, or everyday ones of the kinds that a
/// parameter's name speaks of. A Generator that was to write of other parameters mentions them all the same, and a
/// Solver would learn to leave them out.
///
/// Nothing is added that two parameters could take, that a given value has in it, or that the tool's name says.
pub(super) fn completed(mut call: ToolCall, tool: &ToolSpec, request: &str) -> ToolCall {
    let given: Vec<Range<usize>> =
        call.arguments.values().flat_map(|value| spans::of(request, &said(value))).collect();
    let of_tool = spoken(&tool.name);
    let free = |place: &Range<usize>| {
        !given.iter().any(|other| spans::overlap(place, other))
            && spans::of(&of_tool, &request[place.clone()]).is_empty()
    };
    let mut mentioned: BTreeMap<&String, Vec<Range<usize>>> = BTreeMap::new();
    for (name, schema) in tool.parameters.iter().filter(|(name, _)| !call.arguments.contains_key(*name)) {
        let values = known(tool, name, schema);
        let places = values.iter().flat_map(|value| spans::of(request, value)).filter(|place| free(place));
        let places = longest(places.collect());
        if !places.is_empty() {
            mentioned.insert(name, places);
        }
    }
    for (name, places) in &mentioned {
        let [place] = places.as_slice() else { continue };
        let others = mentioned.iter().filter(|(other, _)| *other != name).flat_map(|(_, places)| places);
        if others.into_iter().any(|other| spans::overlap(place, other)) {
            continue;
        }
        let text = &request[place.clone()];
        let value = written(&tool.parameters[name.as_str()], text);
        let with = |value: Value| {
            let mut call = call.clone();
            call.arguments.insert((*name).clone(), value);
            tool.validate(&call).is_ok().then_some(call)
        };
        if let Some(more) = with(value) {
            call = more;
        }
    }
    call
}

/// The values that are looked for.
fn known(tool: &ToolSpec, name: &str, schema: &Value) -> Vec<String> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    if !matches!(schema.get("type").and_then(Value::as_str), Some("string" | "str")) {
        return Vec::new();
    }
    ParameterValues::everyday(tool, name).filter(|value| value.len() >= SHORTEST).map(str::to_owned).collect()
}

/// A value as the schema writes it: the letters of an enumeration, else those of the request.
fn written(schema: &Value, text: &str) -> Value {
    let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let same = |value: &&Value| value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(text));
    values.into_iter().find(same).cloned().unwrap_or_else(|| text.into())
}

/// The places that lie in no longer one.
fn longest(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.sort_by_key(|place| (std::cmp::Reverse(place.len()), place.start));
    let mut kept: Vec<Range<usize>> = Vec::new();
    for place in places {
        if !kept.iter().any(|other| spans::overlap(&place, other)) {
            kept.push(place);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    fn tool() -> ToolSpec {
        let text = json!({"type": "string"});
        ToolSpec::new("book_cinema", "", Map::new(), vec![])
            .with_parameter("title", text.clone(), false)
            .with_parameter("genre", text.clone(), false)
            .with_parameter("from_currency", text.clone(), false)
            .with_parameter("to_currency", text, false)
            .with_parameter("seats", json!({"type": "string", "enum": ["front", "BACK"]}), false)
    }

    fn completes(request: &str) -> Value {
        let call = ToolCall::new("book_cinema", [("title", "Jazz in June".into())]);
        completed(call, &tool(), request).arguments.into()
    }

    #[test]
    fn what_one_parameter_takes_is_added() {
        assert_eq!(
            completes("a thriller, Jazz in June, in the back"),
            json!({"title": "Jazz in June", "genre": "thriller", "seats": "BACK"})
        );
    }

    #[test]
    fn nothing_unclear_is_added() {
        let given = json!({"title": "Jazz in June"});
        // Of two parameters; two values of one; in a given value.
        for request in ["Jazz in June for euros", "comedy or horror: Jazz in June", "cinema: Jazz in June"] {
            assert_eq!(completes(request), given, "{request}");
        }
    }
}
