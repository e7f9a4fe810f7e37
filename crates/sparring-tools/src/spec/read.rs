use super::words::standard_type;
use crate::parse::kind;
use crate::{ToolSpec, ToolsError};
use serde_json::{Map, Value, json};

impl ToolSpec {
    /// Reads a definition in any [`Dialect`](crate::Dialect).
    ///
    /// Keys next to a wrapper (`{"type": "function", "function": ..., "cache_control": ...}`) are treated as if they
    /// were inside; an inner key wins. In `parameters`, a parameter called `type` or `properties` is distinguished from
    /// the keyword by its value, a schema.
    ///
    /// # Errors
    /// [`ToolsError::Spec`] with the part that is malformed.
    pub fn from_json(value: &Value) -> Result<Self, ToolsError> {
        let object = value.as_object().ok_or_else(|| not_an_object("root", value))?;
        for wrapper in ["function", "toolSpec"] {
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

    /// Reads a list of definitions: an array, an MCP or Bedrock `{"tools": [...]}`, or a single tool.
    ///
    /// ```
    /// use sparring_tools::ToolSpec;
    /// let tools = serde_json::json!({"tools": [{"name": "ping"}, {"name": ""}]});
    /// let error = ToolSpec::list_from_json(&tools).unwrap_err().to_string();
    /// assert_eq!(error, "tool definition, [1].name: a tool needs a non-empty name");
    /// assert_eq!(ToolSpec::list_from_json(&tools["tools"][0])?.len(), 1);
    /// # Ok::<(), sparring_tools::ToolsError>(())
    /// ```
    ///
    /// # Errors
    /// [`ToolsError::Spec`] with the index, from 0, and the part that is malformed.
    pub fn list_from_json(value: &Value) -> Result<Vec<Self>, ToolsError> {
        let list = match value {
            Value::Array(list) => list,
            Value::Object(object) => match object.get("tools") {
                Some(Value::Array(list)) if !object.contains_key("name") => list,
                _ => return Ok(vec![Self::from_json(value)?]),
            },
            _ => return Err(not_an_object("root", value)),
        };
        let read = |(i, tool)| Self::from_json(tool).map_err(|error| error.in_item(i));
        list.iter().enumerate().map(read).collect()
    }

    fn read(object: &Map<String, Value>) -> Result<Self, ToolsError> {
        let mut spec = Self::default();
        let mut parameters: Option<(&str, &Value)> = None;
        for (key, value) in object {
            match key.as_str() {
                "name" => spec.name = text(value, "name")?,
                "description" => spec.description = text(value, "description")?,
                "parameters" | "input_schema" | "inputSchema" if value.is_null() => {}
                "parameters" | "input_schema" | "inputSchema" => {
                    let found = unboxed(key, value);
                    if parameters.is_some_and(|known| known.1 != found.1) {
                        return Err(ToolsError::spec(key, "the parameters are given twice, and differ"));
                    }
                    parameters = Some(found);
                }
                "required" => spec.add_required(value, "required")?,
                "type" if value == "function" => {}
                // Anthropic's word for a tool that the caller runs, which is its default.
                "type" if value == "custom" && object.contains_key("input_schema") => {}
                _ => drop(spec.extra.insert(key.clone(), value.clone())),
            }
        }
        if spec.name.trim().is_empty() {
            return Err(ToolsError::spec("name", "a tool needs a non-empty name"));
        }
        match parameters {
            None => {}
            Some((at, Value::Object(map))) => spec.read_parameters(map, at)?,
            Some((at, other)) => return Err(not_an_object(at, other)),
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
                ("properties", Value::Null) => {}
                ("properties", other) => return Err(not_an_object(&format!("{at}.properties"), other)),
                ("type", Value::String(kind)) if matches!(kind.as_str(), "object" | "dict") => {}
                ("required", _) => self.add_required(value, &format!("{at}.required"))?,
                _ => drop(self.schema_extra.insert(key.clone(), value.clone())),
            }
        }
        Ok(())
    }

    /// Reads an entry of the flat form; a `required` list among the parameters is not a parameter.
    fn read_parameter(&mut self, name: &str, value: &Value, at: &str) -> Result<(), ToolsError> {
        match value {
            Value::Array(_) if name == "required" => self.add_required(value, &format!("{at}.required")),
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
        if value.is_null() {
            return Ok(());
        }
        for name in value.as_array().ok_or_else(wrong)? {
            self.require(name.as_str().ok_or_else(wrong)?);
        }
        Ok(())
    }
}

/// Returns the parameters and their path: Bedrock wraps the schema in `{"json": ...}`. A flat parameter called `json`
/// does not have the schema of an object with properties.
fn unboxed<'a>(key: &'a str, value: &'a Value) -> (&'a str, &'a Value) {
    match value {
        Value::Object(map) if key == "inputSchema" && map.len() == 1 => match map.get("json") {
            Some(inner @ Value::Object(schema)) if schema.is_empty() || is_schema(schema) => {
                ("inputSchema.json", inner)
            }
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
        Some(kind @ Value::String(_)) => return object(kind),
        Some(Value::Array(kinds)) => return kinds.iter().any(object),
        _ => {}
    }
    if let Some(Value::Object(properties)) = map.get("properties") {
        return properties.values().all(|v| v.is_object() || v.is_boolean());
    }
    // A schema without either: no parameter has such a value.
    ["$ref", "$schema"].iter().any(|key| map.get(*key).is_some_and(Value::is_string))
        || ["anyOf", "oneOf", "allOf"].iter().any(|key| map.get(*key).is_some_and(Value::is_array))
        || map.get("additionalProperties").is_some_and(Value::is_boolean)
}

fn not_an_object(at: &str, found: &Value) -> ToolsError {
    ToolsError::spec(at, format!("expected a JSON object, found {}", kind(found)))
}

fn text(value: &Value, at: &str) -> Result<String, ToolsError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Ok(String::new()),
        _ => Err(ToolsError::spec(at, "expected a string")),
    }
}
