use crate::ToolsError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// What a tool is called, what it does and what it takes.
///
/// Two ways of writing it are read and written:
///
/// | form | `parameters` | `required` |
/// |---|---|---|
/// | flat (Tool-R0, arXiv 2602.21320) | name to `{type, description, ...}` | beside `parameters` |
/// | JSON Schema (OpenAI, MCP, Anthropic) | `{"type": "object", "properties": ..., "required": ...}` | inside |
///
/// Reading honours `required` in both places at once, and on the parameter itself (`"required": true`).
/// The serialised form is the flat one, or the JSON Schema one where the schema has keywords of its own.
///
/// ```
/// use sparring_tools::ToolSpec;
/// let spec = ToolSpec::from_json(&serde_json::json!({
///     "type": "function",
///     "function": {"name": "get_weather", "parameters": {
///         "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
/// }))?;
/// assert_eq!(spec.required, ["city"]);
/// assert_eq!(spec.to_flat_json()["parameters"]["city"]["type"], "string");
/// # Ok::<(), sparring_tools::ToolsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolSpec {
    /// Name by which it is called.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// Parameter name to its JSON Schema, in menu order (`{"city": {"type": "string"}}`).
    pub parameters: Map<String, Value>,
    /// Names of the parameters that every call must give.
    pub required: Vec<String>,
    /// Other keys of the definition (`strict`, `annotations`, ...), kept as they were.
    pub extra: Map<String, Value>,
    /// Other keywords of the parameters' schema (`$defs`, `additionalProperties`, ...).
    pub schema_extra: Map<String, Value>,
}

impl ToolSpec {
    /// A tool with these parameters (name to JSON Schema), of which every call must give the `required` ones.
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        parameters: Map<String, Value>,
        required: Vec<String>,
    ) -> Self {
        Self { name: name.into(), description: description.into(), parameters, required, ..Self::default() }
    }

    /// Adds a parameter with this JSON Schema.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<String>, schema: Value, required: bool) -> Self {
        let name = name.into();
        if required && !self.required.contains(&name) {
            self.required.push(name.clone());
        }
        self.parameters.insert(name, schema);
        self
    }

    /// Reads a definition in either form, bare or in an OpenAI `{"type": "function", "function": ...}` wrapper.
    ///
    /// `input_schema` (Anthropic) and `inputSchema` (MCP) are read as `parameters`.
    ///
    /// # Errors
    /// [`ToolsError::Spec`] names the part that is malformed.
    pub fn from_json(value: &Value) -> Result<Self, ToolsError> {
        let object = value.as_object().ok_or_else(|| ToolsError::spec("root", "expected a JSON object"))?;
        if let Some(inner) = object.get("function").filter(|inner| inner.is_object()) {
            return Self::from_json(inner);
        }
        let mut spec = Self::default();
        let mut parameters = None;
        for (key, value) in object {
            match key.as_str() {
                "name" => spec.name = text(value, "name")?,
                "description" => spec.description = text(value, "description")?,
                "parameters" | "input_schema" | "inputSchema" => parameters = Some(value),
                "required" => spec.add_required(value, "required")?,
                "type" if value == "function" => {}
                _ => drop(spec.extra.insert(key.clone(), value.clone())),
            }
        }
        if spec.name.trim().is_empty() {
            return Err(ToolsError::spec("name", "a tool needs a non-empty name"));
        }
        match parameters {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => spec.read_parameters(map)?,
            Some(_) => return Err(ToolsError::spec("parameters", "expected a JSON object")),
        }
        Ok(spec)
    }

    fn read_parameters(&mut self, map: &Map<String, Value>) -> Result<(), ToolsError> {
        if !is_schema(map) {
            return map.iter().try_for_each(|(name, value)| self.read_parameter(name, value));
        }
        for (key, value) in map {
            match (key.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    properties.iter().try_for_each(|(name, value)| self.read_property(name, value))?;
                }
                ("type", _) | ("properties", Value::Null) => {}
                ("properties", _) => {
                    return Err(ToolsError::spec("parameters.properties", "expected a JSON object"));
                }
                ("required", _) => self.add_required(value, "parameters.required")?,
                _ => drop(self.schema_extra.insert(key.clone(), value.clone())),
            }
        }
        Ok(())
    }

    /// An entry of the flat form; a `required` list among the parameters is the list, not a parameter.
    fn read_parameter(&mut self, name: &str, value: &Value) -> Result<(), ToolsError> {
        match value {
            Value::Array(_) if name == "required" => self.add_required(value, "parameters.required"),
            Value::String(kind) => self.read_property(name, &json!({ "type": kind })),
            _ => self.read_property(name, value),
        }
    }

    fn read_property(&mut self, name: &str, value: &Value) -> Result<(), ToolsError> {
        let mut schema = value.clone();
        match &mut schema {
            Value::Object(map) => {
                if let Some(Value::Bool(required)) = map.get("required").cloned() {
                    map.shift_remove("required");
                    if required && !self.required.iter().any(|r| r == name) {
                        self.required.push(name.to_owned());
                    }
                }
            }
            Value::Bool(_) => {}
            _ => {
                let at = format!("parameters.{name}");
                return Err(ToolsError::spec(
                    at,
                    "expected a JSON Schema object such as {\"type\": \"string\"}",
                ));
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
            let name = name.as_str().ok_or_else(wrong)?;
            if !self.required.iter().any(|known| known == name) {
                self.required.push(name.to_owned());
            }
        }
        Ok(())
    }

    /// The flat form: `parameters` maps names to schemas, `required` stands beside it.
    ///
    /// Keywords in `schema_extra` have no place in this form and are left out.
    pub fn to_flat_json(&self) -> Value {
        let mut out = self.head();
        out.insert("parameters".into(), Value::Object(self.parameters.clone()));
        out.insert("required".into(), json!(self.required));
        out.extend(self.extra.clone());
        Value::Object(out)
    }

    /// The JSON Schema form, without the OpenAI wrapper.
    pub fn to_json_schema_form(&self) -> Value {
        let mut out = self.head();
        out.insert("parameters".into(), self.parameters_schema());
        out.extend(self.extra.clone());
        Value::Object(out)
    }

    /// `{"type": "function", "function": <JSON Schema form>}`, as chat templates and OpenAI's API take it.
    pub fn to_openai_json(&self) -> Value {
        json!({ "type": "function", "function": self.to_json_schema_form() })
    }

    /// The JSON Schema of the arguments object.
    pub fn parameters_schema(&self) -> Value {
        let mut schema = Map::new();
        schema.insert("type".into(), "object".into());
        schema.insert("properties".into(), Value::Object(self.parameters.clone()));
        schema.insert("required".into(), json!(self.required));
        schema.extend(self.schema_extra.clone());
        Value::Object(schema)
    }

    fn head(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("name".into(), self.name.clone().into());
        out.insert("description".into(), self.description.clone().into());
        out
    }
}

/// Whether `parameters` is a JSON Schema of an object, or a flat map of parameters. A parameter that happens
/// to be called `type` or `properties` has a schema (an object with `type`) for its value.
fn is_schema(map: &Map<String, Value>) -> bool {
    if let Some(Value::String(kind)) = map.get("type") {
        return matches!(kind.as_str(), "object" | "dict");
    }
    match map.get("properties") {
        Some(Value::Object(properties)) => properties.values().all(|v| v.is_object() || v.is_boolean()),
        _ => false,
    }
}

fn text(value: &Value, at: &str) -> Result<String, ToolsError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Ok(String::new()),
        _ => Err(ToolsError::spec(at, "expected a string")),
    }
}

impl Serialize for ToolSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The flat form reads back as a schema where a parameter is written like one, so it must not be one.
        let flat = self.schema_extra.is_empty() && !is_schema(&self.parameters);
        let json = if flat { self.to_flat_json() } else { self.to_json_schema_form() };
        json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ToolSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(serde::de::Error::custom)
    }
}
