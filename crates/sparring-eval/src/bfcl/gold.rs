//! Picks one right answer from the possible ones.

use super::BfclEntry;
use serde_json::{Map, Value};
use sparring_bfcl::Language;
use sparring_tools::ToolCall;

/// The call with the first acceptable value of every parameter; `None` if `gold` is not a gold call.
pub(crate) fn gold_call(entry: &BfclEntry, gold: &Value) -> Option<ToolCall> {
    let (name, parameters) = gold.as_object()?.iter().next()?;
    let named = |function: &&Value| function["name"] == *name.as_str();
    // If only one function is offered, its name counts and not the gold's.
    let function = entry.functions.iter().find(named).or(entry.functions.first())?;
    let schema = &function["parameters"];
    let required = |name: &str| {
        schema["required"].as_array().is_some_and(|required| required.iter().any(|other| other == name))
    };
    let language = Language::of(entry.category.name());
    let mut call = ToolCall::new(function["name"].as_str()?, Map::new());
    for (parameter, acceptable) in parameters.as_object()? {
        let Some(value) = first(acceptable, required(parameter)) else { continue };
        let value = literal(unwrapped(value), &schema["properties"][parameter], language);
        call.arguments.insert(parameter.clone(), value);
    }
    Some(call)
}

/// The first acceptable value that is not `""`; `None` if there is none and the parameter is optional.
fn first(acceptable: &Value, required: bool) -> Option<&Value> {
    let list = acceptable.as_array()?;
    let given = list.iter().find(|value| **value != "");
    given.or(if required { list.first() } else { None })
}

/// Replaces the list of acceptable values under every key of a dict, at the top and in a list, by one value.
fn unwrapped(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter_map(|(key, acceptable)| match acceptable {
                Value::Array(_) => first(acceptable, false).map(|value| (key.clone(), value.clone())),
                // A defect of the data: the value is not in a list.
                other => Some((key.clone(), other.clone())),
            })
            .collect(),
        Value::Array(items) if items.iter().any(Value::is_object) => items.iter().map(unwrapped).collect(),
        other => other.clone(),
    }
}

/// The value, or for Java and JavaScript the text of its literal.
fn literal(value: Value, schema: &Value, language: Language) -> Value {
    let kind = schema["type"].as_str().unwrap_or_default();
    let element = schema["items"]["type"].as_str().unwrap_or("Object");
    match language {
        Language::Python => value,
        Language::Java => java(&value, kind, element).into(),
        Language::JavaScript => javascript(&value, kind).into(),
    }
}

fn java(value: &Value, kind: &str, element: &str) -> String {
    match (value, kind) {
        // A string, or the name of a variable if another type is declared.
        (Value::String(text), _) => text.clone(),
        (Value::Number(n), "long") => format!("{n}L"),
        (Value::Number(n), "float") => format!("{n}f"),
        (Value::Array(items), "ArrayList") => {
            format!("new ArrayList<{element}>(Arrays.asList({}))", java_list(items, element))
        }
        (Value::Array(items), _) => format!("new {element}[]{{{}}}", java_list(items, element)),
        (Value::Object(map), _) => {
            let puts = map.iter().map(|(key, value)| format!("put({key:?}, {}); ", java_element(value, "")));
            format!("new HashMap<String, Object>() {{{{ {}}}}}", puts.collect::<String>())
        }
        (other, _) => other.to_string(),
    }
}

fn java_list(items: &[Value], element: &str) -> String {
    items.iter().map(|item| java_element(item, element)).collect::<Vec<_>>().join(", ")
}

/// Inside a literal, strings are quoted, except where the declared type has no literal: that means a variable.
fn java_element(value: &Value, kind: &str) -> String {
    match value {
        Value::String(text) if kind == "any" => text.clone(),
        Value::String(_) => value.to_string(),
        other => java(other, kind, "Object"),
    }
}

fn javascript(value: &Value, kind: &str) -> String {
    match (value, kind) {
        (Value::String(text), _) => text.clone(),
        (Value::Number(n), "Bigint") => format!("{n}n"),
        (Value::Object(map), _) => javascript_object(map),
        // Arrays and scalars are written as in JSON.
        (other, _) => other.to_string(),
    }
}

fn javascript_object(map: &Map<String, Value>) -> String {
    let pairs: Vec<_> = map.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfcl::{Category, Version};
    use serde_json::json;

    fn call(category: Category, schema: &Value, gold: &Value) -> Value {
        let functions = vec![json!({"name": "f", "parameters": schema})];
        let gold = json!({"f": gold});
        let entry = BfclEntry { category, version: Version::V4, functions, ground_truth: vec![gold.clone()] };
        Value::Object(gold_call(&entry, &gold).unwrap().arguments)
    }

    #[test]
    fn the_first_acceptable_value_is_taken() {
        let schema = json!({"type": "dict", "required": ["a", "r"], "properties": {}});
        let gold = json!({"a": [1, 2], "b": ["", 3], "c": [""], "d": [4, ""], "r": [""],
            "e": [{"k": ["v", "w"], "l": [""], "m": [[1]], "n": "raw"}], "g": [[{"k": [true]}]], "h": [[]], "i": [null]});
        let want = json!({"a": 1, "b": 3, "d": 4, "r": "", "e": {"k": "v", "m": [1], "n": "raw"}, "g": [{"k": true}], "h": [], "i": null});
        assert_eq!(call(Category::SimplePython, &schema, &gold), want);
    }

    #[test]
    fn literals_of_java() {
        let schema = json!({"properties": {"l": {"type": "long"}, "f": {"type": "float"}, "b": {"type": "boolean"},
            "a": {"type": "Array", "items": {"type": "int"}}, "s": {"type": "ArrayList", "items": {"type": "String"}},
            "h": {"type": "HashMap"}, "v": {"type": "Array"}}});
        let gold = json!({"l": [5], "f": [1.5], "b": [true], "a": [[1, 2]], "s": [["x"]],
            "h": [{"k": ["v"], "n": [1]}], "v": ["variable"]});
        let want = json!({"l": "5L", "f": "1.5f", "b": "true", "a": "new int[]{1, 2}",
            "s": "new ArrayList<String>(Arrays.asList(\"x\"))",
            "h": "new HashMap<String, Object>() {{ put(\"k\", \"v\"); put(\"n\", 1); }}", "v": "variable"});
        assert_eq!(call(Category::SimpleJava, &schema, &gold), want);
    }

    #[test]
    fn literals_of_javascript() {
        let schema =
            json!({"properties": {"n": {"type": "Bigint"}, "a": {"type": "array"}, "d": {"type": "dict"}}});
        let gold = json!({"n": [5], "a": [["x", 1]], "d": [{"k": ["v"], "b": [false]}], "s": ["text"]});
        let want = json!({"n": "5n", "a": "[\"x\",1]", "d": "{k: \"v\", b: false}", "s": "text"});
        assert_eq!(call(Category::SimpleJavascript, &schema, &gold), want);
    }
}
