use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

#[cfg(feature = "schemars")]
mod derived;
mod dialect;
mod read;
pub(crate) mod words;

pub use dialect::Dialect;
use words::Words;

/// What a tool is called, what it does and what it takes.
///
/// One type for every way of writing a tool down: [`from_json`](Self::from_json) tells the [`Dialect`] by
/// itself, [`to_json`](Self::to_json) writes the one asked for. `required` is honoured wherever it stands: in
/// the parameters' schema, beside it, and on the parameter itself (`"required": true`).
///
/// Type words (`int`, `dict`, `ArrayList`, ...) stay as they were read; the dialects of JSON Schema translate
/// them on the way out. The serialised form (serde) is the flat one, or an object with a schema in
/// `parameters` where the schema has keywords of its own; both keep the words.
///
/// ```
/// use sparring_tools::{Dialect, ToolSpec};
/// let spec = ToolSpec::from_json(&serde_json::json!({
///     "type": "function",
///     "function": {"name": "get_weather", "parameters": {
///         "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
/// }))?;
/// assert_eq!(spec.required, ["city"]);
/// assert_eq!(spec.to_json(Dialect::Flat)["parameters"]["city"]["type"], "string");
/// assert_eq!(spec.to_json(Dialect::Mcp)["inputSchema"]["required"][0], "city");
/// # Ok::<(), sparring_tools::ToolsError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolSpec {
    /// Name by which it is called.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// Parameter name to its JSON Schema, in tool list order (`{"city": {"type": "string"}}`).
    pub parameters: Map<String, Value>,
    /// Names of the parameters that every call must give.
    pub required: Vec<String>,
    /// Other keys of the definition (`strict`, `annotations`, ...), kept as they were.
    pub extra: Map<String, Value>,
    /// Other keywords of the parameters' schema (`$defs`, `additionalProperties`, ...), and its `type` where
    /// that is more than `object`.
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
        if required {
            self.require(&name);
        }
        self.parameters.insert(name, schema);
        self
    }

    /// The JSON Schema (draft 2020-12) of the arguments object, with JSON Schema's type words.
    ///
    /// The words are translated as [`to_json`](Self::to_json) does it.
    pub fn parameters_schema(&self) -> Value {
        self.schema(Words::JsonSchema)
    }

    pub(crate) fn schema(&self, words: Words) -> Value {
        let mut schema = Map::new();
        schema.insert("type".into(), "object".into());
        schema.insert("properties".into(), Value::Object(self.parameters.clone()));
        schema.insert("required".into(), json!(self.required));
        schema.extend(self.schema_extra.clone());
        words.rewrite(Value::Object(schema))
    }

    fn require(&mut self, name: &str) {
        if !self.required.iter().any(|known| known == name) {
            self.required.push(name.to_owned());
        }
    }
}

impl Serialize for ToolSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The flat form reads back as a schema where a parameter is written like one, so it must not be one.
        let flat = self.schema_extra.is_empty() && !read::is_schema(&self.parameters);
        let dialect = if flat { Dialect::Flat } else { Dialect::Bare };
        self.write(dialect, Words::AsTheyAre).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ToolSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(serde::de::Error::custom)
    }
}
