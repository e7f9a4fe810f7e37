//! What an API refuses.

use super::drafts;
use super::keywords::each;
use crate::{Dialect, ToolSpec};
use serde_json::{Map, Value};
use thiserror::Error;

/// A part of a definition that a dialect's API refuses, although it can be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{at}: {what}")]
#[non_exhaustive]
pub struct Refusal {
    /// The part of the definition (`name`, `parameters.properties.city`, ...).
    pub at: String,
    /// What the API requires instead.
    pub what: String,
}

impl ToolSpec {
    /// Returns what the dialect's API is known to refuse about this tool as [`to_json`](Self::to_json) writes it; see
    /// [`Dialect`] for the rules. The list is empty for dialects that belong to no API.
    ///
    /// ```
    /// use sparring_tools::{Dialect, ToolSpec};
    /// let tool = ToolSpec::from_json(&serde_json::json!({"name": "files.move", "inputSchema": {
    ///     "type": "object", "properties": {"to": {"type": "array"}}, "anyOf": [{"required": ["to"]}]}}))?;
    /// let told: Vec<_> = tool.refusals(Dialect::Anthropic).iter().map(ToString::to_string).collect();
    /// assert_eq!(told, [
    ///     "name: only letters, digits, `_` and `-` are allowed, found '.'",
    ///     "input_schema: `anyOf` is not allowed at the top level; move it into a parameter, or describe it",
    /// ]);
    /// assert!(tool.refusals(Dialect::Mcp).is_empty());
    /// # Ok::<(), sparring_tools::ToolsError>(())
    /// ```
    pub fn refusals(&self, dialect: Dialect) -> Vec<Refusal> {
        let mut refused = Refusals { root: root(dialect), found: Vec::new() };
        let schema = self.schema(dialect.words());
        match dialect {
            Dialect::OpenAiChat | Dialect::OpenAiResponses => {
                refused.name(&self.name, 64);
                refused.top_level(&schema, &["oneOf", "anyOf", "allOf", "enum", "not"]);
                refused.lists(&schema);
                if self.extra.get("strict") == Some(&Value::Bool(true)) {
                    refused.strict(&schema);
                }
            }
            Dialect::Anthropic => {
                refused.name(&self.name, 128);
                refused.top_level(&schema, &["oneOf", "anyOf", "allOf"]);
                refused.properties(&self.parameters);
                refused.drafts(&schema);
            }
            Dialect::Bedrock => {
                refused.name(&self.name, 64);
                refused.top_level(&schema, &[]);
            }
            Dialect::Mcp => refused.top_level(&schema, &[]),
            Dialect::Bare | Dialect::Bfcl | Dialect::Flat => {}
        }
        refused.found
    }
}

fn root(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "input_schema",
        Dialect::Mcp => "inputSchema",
        Dialect::Bedrock => "inputSchema.json",
        _ => "parameters",
    }
}

/// Keywords that OpenAI's strict mode does not support.
const NOT_STRICT: [&str; 9] =
    ["allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "propertyNames"];

struct Refusals {
    /// The path of the parameters' schema.
    root: &'static str,
    found: Vec<Refusal>,
}

impl Refusals {
    fn add(&mut self, at: impl Into<String>, what: impl Into<String>) {
        self.found.push(Refusal { at: at.into(), what: what.into() });
    }

    fn name(&mut self, name: &str, longest: usize) {
        if let Some(c) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
            self.add("name", format!("only letters, digits, `_` and `-` are allowed, found {c:?}"));
        }
        let n = name.chars().count();
        if n > longest {
            self.add("name", format!("at most {longest} characters are allowed, found {n}"));
        }
    }

    fn top_level(&mut self, schema: &Value, refused: &[&str]) {
        if schema["type"] != "object" {
            self.add(self.root, format!("the type has to be \"object\", found {}", schema["type"]));
        }
        for key in refused.iter().filter(|key| schema.get(**key).is_some()) {
            let remedy = "move it into a parameter, or describe it";
            self.add(self.root, format!("`{key}` is not allowed at the top level; {remedy}"));
        }
    }

    /// OpenAI wants to know the items of every list, also of one whose first items have schemas.
    fn lists(&mut self, schema: &Value) {
        each(schema, self.root, &mut |map, at| {
            if has_type(map, "array") && !map.contains_key("items") {
                self.found.push(Refusal { at: at.to_owned(), what: "a list needs `items`".to_owned() });
            }
        });
    }

    fn properties(&mut self, parameters: &Map<String, Value>) {
        for name in parameters.keys() {
            let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            if name.is_empty() || name.len() > 64 || !name.chars().all(fine) {
                let what = "a parameter's name has 1 to 64 letters, digits, `_`, `.` and `-`";
                self.add(format!("{}.properties.{name}", self.root), what);
            }
        }
    }

    fn drafts(&mut self, schema: &Value) {
        each(schema, self.root, &mut |map, at| {
            if let Some(what) = drafts::outdated(map) {
                let what = format!("{what}; write `ToolSpec::modernised` instead");
                self.found.push(Refusal { at: at.to_owned(), what });
            }
        });
    }

    fn strict(&mut self, schema: &Value) {
        each(schema, self.root, &mut |map, at| {
            for what in not_strict(map) {
                self.found.push(Refusal { at: at.to_owned(), what: format!("strict mode: {what}") });
            }
        });
    }
}

fn has_type(schema: &Map<String, Value>, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == wanted),
        Some(kind) => kind == wanted,
        None => false,
    }
}

/// What OpenAI's strict mode refuses about one schema.
fn not_strict(schema: &Map<String, Value>) -> Vec<String> {
    let mut found: Vec<_> = NOT_STRICT
        .iter()
        .filter(|key| schema.contains_key(**key))
        .map(|key| format!("`{key}` is not supported"))
        .collect();
    if !has_type(schema, "object") && !schema.contains_key("properties") {
        return found;
    }
    if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        found.push("`additionalProperties` has to be false".to_owned());
    }
    let required = |name: &str| match schema.get("required") {
        Some(Value::Array(names)) => names.iter().any(|known| known == name),
        _ => false,
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    for name in properties.into_iter().flat_map(Map::keys).filter(|name| !required(name)) {
        found.push(format!("{name:?} has to be in `required`; allow null for a value that may be missing"));
    }
    found
}
