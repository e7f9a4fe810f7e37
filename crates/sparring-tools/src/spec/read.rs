use super::words::standard_type;
use super::wrappers::{nameless, wrapped};
use crate::parse::kind;
use crate::{ToolSpec, ToolsError};
use serde_json::{Map, Value, json};

/// Keys of the parameters: of most APIs, of Anthropic, of MCP and Bedrock, of Gemini, and of Cohere's first version.
const PARAMETERS: [&str; 7] = [
    "parameters",
    "input_schema",
    "inputSchema",
    "parametersJsonSchema",
    "parameters_json_schema",
    "parameter_definitions",
    "parameterDefinitions",
];

/// smolagents' key, which means something else beside one of the others.
const INPUTS: &str = "inputs";

impl ToolSpec {
    /// Reads a definition in any [`Dialect`](crate::Dialect), or in the notation of Gemini, Cohere, smolagents or
    /// Qwen-Agent.
    ///
    /// Keys next to a wrapper (`{"type": "function", "function": ..., "cache_control": ...}`) are treated as if they
    /// were inside; an inner key wins. In `parameters`, a parameter called `type` or `properties` is distinguished from
    /// the keyword by its value, a schema. What else [`list_from_json`](Self::list_from_json) reads is accepted if it
    /// holds one tool.
    ///
    /// A null or an empty list or object of the wrong kind (`"properties": []`), as some languages write what is
    /// empty, is read as empty. The parameters of smolagents (`inputs`) are required unless they are `nullable` or have
    /// a default.
    ///
    /// # Errors
    /// [`ToolsError::Spec`] with the part that is malformed. Parameters under a key that is not known are an error as
    /// well, so that they do not vanish among the other keys.
    pub fn from_json(value: &Value) -> Result<Self, ToolsError> {
        let object = value.as_object().ok_or_else(|| not_an_object("root", value))?;
        let Some((at, _)) = wrapped(object) else { return Self::read_one(object) };
        let mut tools = Self::list_from_json(value)?;
        match (tools.pop(), tools.len()) {
            (Some(tool), 0) => Ok(tool),
            (last, others) => {
                let n = others + usize::from(last.is_some());
                Err(ToolsError::spec(
                    at,
                    format!("expected one tool, found {n}; use `ToolSpec::list_from_json`"),
                ))
            }
        }
    }

    /// Reads an object that is a tool, with or without a wrapper of its own.
    pub(super) fn read_one(object: &Map<String, Value>) -> Result<Self, ToolsError> {
        for wrapper in ["function", "toolSpec", "tool_spec"] {
            if let Some(Value::Object(inner)) = object.get(wrapper)
                && (inner.contains_key("name") || !object.contains_key("name"))
            {
                let mut whole = inner.clone();
                for (key, value) in object.iter().filter(|(key, _)| *key != wrapper) {
                    whole.entry(key).or_insert_with(|| value.clone());
                }
                return Self::read(&whole);
            }
        }
        Self::read(object)
    }

    fn read(object: &Map<String, Value>) -> Result<Self, ToolsError> {
        let mut spec = Self::default();
        let known = PARAMETERS.iter().any(|key| object.get(*key).is_some_and(|value| !value.is_null()));
        let is_parameters = |key: &str, value: &Value| {
            PARAMETERS.contains(&key)
                || key == INPUTS && !known && (is_empty(value) || looks_like_parameters(value))
        };
        let mut parameters: Option<(&str, &Value)> = None;
        for (key, value) in object {
            match key.as_str() {
                "name" => spec.name = text(value, "name")?,
                "description" => spec.description = text(value, "description")?,
                key if is_parameters(key, value) => {
                    let found = unboxed(key, value);
                    match parameters {
                        Some(first) if first.1 != found.1 && !is_empty(first.1) && !is_empty(found.1) => {
                            return Err(ToolsError::spec(key, "the parameters are given twice, and differ"));
                        }
                        Some(first) if !is_empty(first.1) => {}
                        _ => parameters = Some(found),
                    }
                }
                "required" => spec.add_required(value, "required")?,
                "type" if value == "function" => {}
                // Anthropic's word for a tool that the caller runs, which is its default.
                "type" if value == "custom" && object.contains_key("input_schema") => {}
                _ => drop(spec.extra.insert(key.clone(), value.clone())),
            }
        }
        if spec.name.trim().is_empty() {
            return Err(nameless(object));
        }
        match parameters.filter(|(_, value)| !value.is_null()) {
            Some((at, Value::Object(map))) => spec.read_parameters(map, at)?,
            Some((at, Value::Array(list))) => spec.read_list(list, at)?,
            Some((at, other)) => return Err(not_an_object(at, other)),
            None => spec.nothing_vanished()?,
        }
        if parameters.is_some_and(|(at, value)| at == INPUTS && !value.as_object().is_some_and(is_schema)) {
            spec.require_inputs();
        }
        Ok(spec)
    }

    pub(super) fn read_parameters(&mut self, map: &Map<String, Value>, at: &str) -> Result<(), ToolsError> {
        if !is_schema(map) {
            return map.iter().try_for_each(|(name, value)| self.read_parameter(name, value, at));
        }
        for (key, value) in map {
            match (key.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    properties.iter().try_for_each(|(name, value)| self.read_property(name, value, at))?;
                }
                ("properties" | "type", value) if value.is_null() || is_empty_list(value) => {}
                ("properties", other) => return Err(not_an_object(&format!("{at}.properties"), other)),
                ("type", Value::String(kind)) if matches!(kind.as_str(), "" | "object" | "dict") => {}
                ("required", _) => self.add_required(value, &format!("{at}.required"))?,
                _ => drop(self.schema_extra.insert(key.clone(), value.clone())),
            }
        }
        Ok(())
    }

    /// Reads Qwen-Agent's list of parameters, each with its name inside.
    fn read_list(&mut self, list: &[Value], at: &str) -> Result<(), ToolsError> {
        for (i, parameter) in list.iter().enumerate() {
            let here = || format!("{at}[{i}]");
            let map = parameter.as_object().ok_or_else(|| not_an_object(&here(), parameter))?;
            let mut schema = map.clone();
            let Some(Value::String(name)) = schema.shift_remove("name") else {
                return Err(ToolsError::spec(here(), "a parameter in a list needs a `name`"));
            };
            if self.parameters.contains_key(&name) {
                return Err(ToolsError::spec(here(), format!("the parameter {name:?} is given twice")));
            }
            self.read_property(&name, &schema.into(), at)?;
        }
        Ok(())
    }

    /// Reads an entry of the flat form; a `required` list among the parameters is not a parameter.
    fn read_parameter(&mut self, name: &str, value: &Value, at: &str) -> Result<(), ToolsError> {
        match value {
            Value::Array(_) | Value::Null if name == "required" => {
                self.add_required(value, &format!("{at}.required"))
            }
            Value::String(kind) => self.read_property(name, &json!({ "type": kind }), at),
            _ => self.read_property(name, value, at),
        }
    }

    fn read_property(&mut self, name: &str, value: &Value, at: &str) -> Result<(), ToolsError> {
        let mut schema = value.clone();
        match &mut schema {
            Value::Object(map) => {
                if let Some(Value::Bool(required)) = map.get("required").cloned() {
                    map.shift_remove("required");
                    if required {
                        self.require(name);
                    }
                }
            }
            Value::Bool(_) => {}
            empty if is_empty_list(empty) => *empty = json!({}),
            _ => {
                let what = "expected a JSON Schema object such as {\"type\": \"string\"}";
                return Err(ToolsError::spec(format!("{at}.{name}"), what));
            }
        }
        self.parameters.insert(name.to_owned(), schema);
        Ok(())
    }

    fn add_required(&mut self, value: &Value, at: &str) -> Result<(), ToolsError> {
        let wrong = || ToolsError::spec(at, "expected a list of parameter names");
        if is_empty(value) {
            return Ok(());
        }
        for name in value.as_array().ok_or_else(wrong)? {
            self.require(name.as_str().ok_or_else(wrong)?);
        }
        Ok(())
    }

    /// smolagents marks what may be left out instead of what is required.
    fn require_inputs(&mut self) {
        let needed = |schema: &Value| schema["nullable"] != true && schema.get("default").is_none();
        let names = self.parameters.iter().filter(|(_, schema)| needed(schema)).map(|(name, _)| name.clone());
        for name in names.collect::<Vec<_>>() {
            self.require(&name);
        }
    }

    /// Refuses a definition without parameters that has something like them under another key.
    fn nothing_vanished(&self) -> Result<(), ToolsError> {
        match self
            .extra
            .iter()
            .find(|(key, value)| is_named_like_parameters(key) && looks_like_parameters(value))
        {
            Some((key, _)) => {
                let what =
                    "these look like parameters, but the key is not known; put them under `parameters`";
                Err(ToolsError::spec(key, what))
            }
            None => Ok(()),
        }
    }
}

/// Returns the parameters and their path: Bedrock wraps the schema in `{"json": ...}`. A flat parameter called `json`
/// does not have the schema of an object with properties.
fn unboxed<'a>(key: &'a str, value: &'a Value) -> (&'a str, &'a Value) {
    match value {
        Value::Object(map) if key == "inputSchema" && map.len() == 1 => match map.get("json") {
            Some(inner @ Value::Object(schema))
                if is_schema(schema) || schema.keys().all(|key| key == "required") =>
            {
                ("inputSchema.json", inner)
            }
            Some(inner) if inner.is_null() || is_empty_list(inner) => ("inputSchema.json", inner),
            _ => (key, value),
        },
        _ => (key, value),
    }
}

/// Returns whether `parameters` is a JSON Schema of an object rather than a flat map of parameters. The value of a
/// parameter called `type` or `properties` is a schema (an object with `type`).
pub(super) fn is_schema(map: &Map<String, Value>) -> bool {
    let object = |kind: &Value| kind.as_str().and_then(standard_type) == Some("object");
    match map.get("type") {
        Some(Value::String(kind)) if kind.is_empty() => {}
        Some(kind @ Value::String(_)) => return object(kind),
        Some(Value::Array(kinds)) if kinds.iter().any(object) => return true,
        Some(Value::Array(kinds)) if !kinds.is_empty() => return false,
        _ => {}
    }
    match map.get("properties") {
        Some(Value::Object(properties)) => return properties.values().all(is_schema_or_empty),
        Some(value) if value.is_null() || is_empty_list(value) => return true,
        _ => {}
    }
    // A schema without either: no parameter has such a value.
    ["$ref", "$schema"].iter().any(|key| map.get(*key).is_some_and(Value::is_string))
        || ["anyOf", "oneOf", "allOf"].iter().any(|key| map.get(*key).is_some_and(Value::is_array))
        || map.get("additionalProperties").is_some_and(Value::is_boolean)
        || map.get("type").is_some_and(is_blank)
            && !map.values().any(|value| value.is_object() || value.is_boolean())
}

fn is_schema_or_empty(value: &Value) -> bool {
    value.is_object() || value.is_boolean() || is_empty_list(value)
}

fn is_blank(kind: &Value) -> bool {
    kind == "" || kind.is_null() || is_empty_list(kind)
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// Null, `[]` and `{}` are what Go, PHP and Lua write for a list or a map without entries.
fn is_empty(value: &Value) -> bool {
    value.is_null() || is_empty_list(value) || value.as_object().is_some_and(Map::is_empty)
}

/// Returns whether a key's name speaks of what a tool takes, and not of what it returns.
fn is_named_like_parameters(key: &str) -> bool {
    let mut words = String::new();
    for c in key.chars() {
        if c.is_uppercase() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    let starts = |prefixes: &[&str]| {
        words.split(|c: char| !c.is_alphanumeric()).any(|word| prefixes.iter().any(|p| word.starts_with(p)))
    };
    starts(&["param", "arg", "input", "schema"])
        && !starts(&["output", "return", "response", "result", "example", "default"])
}

/// Returns whether a value could be a tool's parameters: a schema, a map of them, or a list of named ones.
fn looks_like_parameters(value: &Value) -> bool {
    match value {
        Value::Object(map) if map.is_empty() => false,
        Value::Object(map) => {
            let is_type = |value: &Value| value.as_str().and_then(standard_type).is_some();
            is_schema(map) || map.values().all(|value| value.is_object() || is_type(value))
        }
        Value::Array(list) => {
            let named = |item: &Value| item.get("name").is_some_and(Value::is_string);
            !list.is_empty() && list.iter().all(named)
        }
        _ => false,
    }
}

pub(super) fn not_an_object(at: &str, found: &Value) -> ToolsError {
    ToolsError::spec(at, format!("expected a JSON object, found {}", kind(found)))
}

fn text(value: &Value, at: &str) -> Result<String, ToolsError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Ok(String::new()),
        _ => Err(ToolsError::spec(at, "expected a string")),
    }
}
