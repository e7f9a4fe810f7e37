//! Arguments that a request mentions and its call leaves out.

use super::values::{ParameterValues, spoken};
use super::{spans, words};
use crate::grammar::{is_text, said};
use serde_json::Value;
use sparring_tools::{ToolCall, ToolSpec};
use std::collections::BTreeMap;
use std::ops::Range;

/// Adds what the request mentions to its call: values of an enumeration, or everyday ones of the kinds that a
/// parameter's name speaks of. A Generator often mentions parameters that the plan left out, and a Solver would learn
/// to leave them out too.
///
/// Nothing is added that two parameters could take, that a given value has in it, or that the name of the tool or of a
/// parameter says; no number, which may count anything; nor a small word: "on" is the status of a lamp, and stands in
/// most requests.
pub(super) fn completed(mut call: ToolCall, tool: &ToolSpec, request: &str) -> ToolCall {
    let given: Vec<Range<usize>> =
        call.arguments.values().flat_map(|value| spans::of(request, &said(value))).collect();
    let names: Vec<String> =
        [&tool.name].into_iter().chain(tool.parameters.keys()).map(|name| spoken(name)).collect();
    let free = |place: &Range<usize>| {
        !given.iter().any(|other| spans::overlap(place, other))
            && names.iter().all(|name| spans::of(name, &request[place.clone()]).is_empty())
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
fn known<'a>(tool: &ToolSpec, name: &str, schema: &'a Value) -> Vec<&'a str> {
    let mut values: Vec<&str> = match schema.get("enum").and_then(Value::as_array) {
        Some(values) => values.iter().filter_map(Value::as_str).collect(),
        None if is_text(schema) => ParameterValues::everyday(tool, name).collect(),
        None => Vec::new(),
    };
    values.retain(|value| !words::is_small(value));
    values
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
            .with_parameter("seats", json!({"type": "string", "enum": ["front", "BACK", "on"]}), false)
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
        // Of two parameters; two values of one; in a given value; a small word.
        let unclear = ["Jazz in June for euros", "comedy or horror: Jazz in June", "cinema: Jazz in June"];
        for request in unclear.into_iter().chain(["on Friday, Jazz in June"]) {
            assert_eq!(completes(request), given, "{request}");
        }
    }
}
