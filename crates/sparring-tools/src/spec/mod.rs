use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

#[cfg(feature = "schemars")]
mod derived;
mod dialect;
mod drafts;
mod keywords;
mod pattern;
mod read;
mod refusals;
pub(crate) mod words;
mod wrappers;

pub use dialect::Dialect;
pub use refusals::Refusal;
use words::Words;

/// A tool definition: name, description and parameters.
///
/// One type covers every notation: [`from_json`](Self::from_json) detects the [`Dialect`], and
/// [`to_json`](Self::to_json) writes the one that is requested. `required` is accepted in the parameters' schema, next
/// to it, and on the parameter itself (`"required": true`).
///
/// Type words (`int`, `dict`, `ArrayList`, ...) are kept as read; dialects that use JSON Schema translate them when
/// writing. The serialised form (serde) is the flat one, or an object with a schema in `parameters` if the schema has
/// keywords of its own; both keep the words.
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
    /// Name of the tool.
    pub name: String,
    /// Description for the model.
    pub description: String,
    /// The JSON Schema of each parameter by name, in order (`{"city": {"type": "string"}}`).
    pub parameters: Map<String, Value>,
    /// Names of the required parameters.
    pub required: Vec<String>,
    /// Other keys of the definition (`strict`, `annotations`, ...), unchanged.
    pub extra: Map<String, Value>,
    /// Other keywords of the parameters' schema (`$defs`, `additionalProperties`, ...), and its `type` if that is more
    /// than `object`.
    pub schema_extra: Map<String, Value>,
}

impl ToolSpec {
    /// Returns a tool with these parameters (name to JSON Schema), of which those in `required` are required.
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

    /// Returns the JSON Schema (draft 2020-12) of the arguments object.
    ///
    /// Type words are translated as in [`to_json`](Self::to_json), and older drafts and other notations as for
    /// `ToolSpec::validate`: a list of `items`, boolean `exclusiveMinimum`, `dependencies`, OpenAPI's `nullable`,
    /// numbers in strings, keywords that are null, and so on. `$schema` is left out.
    ///
    /// ```
    /// use sparring_tools::ToolSpec;
    /// let tool = ToolSpec::from_json(&serde_json::json!({"name": "zoom", "parameters": {
    ///     "at": {"type": "array", "items": [{"type": "number"}, {"type": "number"}]},
    ///     "by": {"type": "NUMBER", "minimum": "0", "exclusiveMinimum": true, "nullable": true}}}))?;
    /// let schema = tool.parameters_schema();
    /// assert_eq!(schema["properties"]["at"]["prefixItems"][1]["type"], "number");
    /// assert_eq!(schema["properties"]["by"]["type"], serde_json::json!(["number", "null"]));
    /// assert_eq!(schema["properties"]["by"]["exclusiveMinimum"], 0);
    /// # Ok::<(), sparring_tools::ToolsError>(())
    /// ```
    pub fn parameters_schema(&self) -> Value {
        self.schema(Words::Modern)
    }

    /// Returns the same tool with its parameters in draft 2020-12, as in
    /// [`parameters_schema`](Self::parameters_schema), for an API that refuses older drafts.
    #[must_use]
    pub fn modernised(&self) -> Self {
        let mut tool = Self { extra: self.extra.clone(), ..Self::default() };
        (tool.name, tool.description) = (self.name.clone(), self.description.clone());
        let Value::Object(schema) = self.parameters_schema() else { return tool };
        for (key, value) in schema {
            match (key.as_str(), value) {
                ("properties", Value::Object(properties)) => tool.parameters = properties,
                ("required", Value::Array(names)) => {
                    names.iter().filter_map(Value::as_str).for_each(|name| tool.require(name));
                }
                ("type", Value::String(kind)) if kind == "object" => {}
                (_, value) => drop(tool.schema_extra.insert(key, value)),
            }
        }
        tool
    }

    /// Returns the schema of the arguments object in these words.
    pub(crate) fn schema(&self, words: Words) -> Value {
        let mut schema = Map::new();
        schema.insert("type".into(), "object".into());
        schema.insert("properties".into(), Value::Object(self.parameters.clone()));
        schema.insert("required".into(), json!(self.required));
        schema.extend(self.schema_extra.clone());
        if !words.are_modern() {
            return words.rewrite(Value::Object(schema));
        }
        // A call always has arguments; as an alternative to null, the properties would move elsewhere.
        schema.shift_remove("nullable");
        let original = Value::Object(schema);
        let mut schema = words.rewrite(original.clone());
        drafts::redirect(&mut schema, &original);
        schema
    }

    fn require(&mut self, name: &str) {
        if !self.required.iter().any(|known| known == name) {
            self.required.push(name.to_owned());
        }
    }
}

impl Serialize for ToolSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // If a parameter looks like a schema keyword, the flat form would be read back as a schema.
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
