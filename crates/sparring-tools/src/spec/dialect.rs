use super::words::Words;
use crate::ToolSpec;
use serde_json::{Map, Value, json};

/// A notation for tool definitions.
///
/// | dialect | wrapper | schema under | cannot hold |
/// |---|---|---|---|
/// | [`OpenAiChat`](Self::OpenAiChat) | `{"type": "function", "function": ...}` | `parameters` | words |
/// | [`OpenAiResponses`](Self::OpenAiResponses) | `"type": "function"` next to the name | `parameters` | words |
/// | [`Mcp`](Self::Mcp) | none | `inputSchema` | words |
/// | [`Anthropic`](Self::Anthropic) | none | `input_schema` | words |
/// | [`Bedrock`](Self::Bedrock) | `{"toolSpec": ...}` | `inputSchema.json` | words |
/// | [`Bare`](Self::Bare) | none | `parameters` | words |
/// | [`Bfcl`](Self::Bfcl) | none | `parameters` | the words `object` and `number` |
/// | [`Flat`](Self::Flat) | none | `parameters`: the properties alone | keywords of the schema |
///
/// *Words* are type names that JSON Schema does not have (`float`, `tuple`, `ArrayList`, ...). They are translated to
/// JSON Schema's types, wherever a schema may occur, and the original words are lost.
///
/// A key that a dialect does not know (MCP's `annotations` in an OpenAI tool) is still written, next to `name`. A
/// strict server may refuse it: remove it from [`ToolSpec::extra`] first. No dialect distinguishes a missing
/// `description`, `properties` or `required` from an empty one.
///
/// Names and schemas are written unchanged, whatever draft of JSON Schema they follow. [`ToolSpec::refusals`] lists
/// what is known to be refused:
///
/// * OpenAI: a name with other characters than letters, digits, `_` and `-`, or of more than 64; a type other than
///   `object`, or `oneOf`, `anyOf`, `allOf`, `enum` or `not`, at the top level of the parameters; a list without
///   `items`.
/// * OpenAI with `"strict": true`: also an object without `additionalProperties: false`, a property that is not
///   required, and `allOf`, `oneOf`, `not`, `if`, `dependentRequired`, `dependentSchemas`, `propertyNames` anywhere.
/// * Anthropic: a name with other characters than letters, digits, `_` and `-`, or of more than 128; a type other than
///   `object`, or `oneOf`, `anyOf` or `allOf`, at the top level; a parameter whose name is not 1 to 64 letters, digits,
///   `_`, `.` and `-`; what draft 2020-12 of JSON Schema does not allow.
/// * Bedrock: a name with other characters than letters, digits, `_` and `-`, or of more than 64; a type other than
///   `object` at the top level.
/// * MCP: a type other than `object` at the top level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI's Chat Completions, also expected by chat templates.
    OpenAiChat,
    /// OpenAI's Responses.
    OpenAiResponses,
    /// One tool of an MCP `tools/list` result (2025-11-25, and later drafts with more keywords in the schema).
    Mcp,
    /// Anthropic's Messages.
    Anthropic,
    /// Amazon Bedrock's Converse.
    Bedrock,
    /// OpenAI's function object without its wrapper, as many prompts show it.
    Bare,
    /// The Berkeley Function Calling Leaderboard: [`Bare`](Self::Bare) with `dict` and `float` for `object` and
    /// `number`; other type words are kept.
    Bfcl,
    /// Tool-R0 (arXiv 2602.21320): `parameters` maps names to schemas, and `required` is next to it.
    ///
    /// All type words are kept. It reads back unchanged, unless a parameter called `properties` has a schema that
    /// consists of schemas only (`{"items": {...}}`), or one called `additionalProperties` has a plain boolean.
    Flat,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: &'static [Self] = &[
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::Mcp,
        Self::Anthropic,
        Self::Bedrock,
        Self::Bare,
        Self::Bfcl,
        Self::Flat,
    ];

    pub(super) fn words(self) -> Words {
        match self {
            Self::Bfcl => Words::Bfcl,
            Self::Flat => Words::AsTheyAre,
            _ => Words::JsonSchema,
        }
    }
}

impl ToolSpec {
    /// Writes the definition in this dialect; see [`Dialect`] for what gets lost, and [`refusals`](Self::refusals) for
    /// what the dialect's API refuses.
    ///
    /// Type words are translated as in BFCL's own conversion: `float` and `double` are numbers, `dict` and `HashMap`
    /// objects, `tuple`, `ArrayList` and `List[str]` arrays, `long` and `byte` integers; `any`, `char` and unknown
    /// words are strings. (For `ToolSpec::validate`, `any` allows anything and unknown words are errors.)
    ///
    /// ```
    /// use sparring_tools::{Dialect, ToolSpec};
    /// let bfcl = serde_json::json!({"name": "area", "description": "Area of a shape", "parameters": {
    ///     "type": "dict", "properties": {"corners": {"type": "array", "items": {"type": "tuple"}}},
    ///     "required": ["corners"]}});
    /// let spec = ToolSpec::from_json(&bfcl)?;
    /// assert_eq!(spec.to_json(Dialect::Bfcl), bfcl);
    /// let schema = &spec.to_json(Dialect::Anthropic)["input_schema"];
    /// assert_eq!(schema["type"], "object");
    /// assert_eq!(schema["properties"]["corners"]["items"]["type"], "array");
    /// # Ok::<(), sparring_tools::ToolsError>(())
    /// ```
    pub fn to_json(&self, dialect: Dialect) -> Value {
        self.write(dialect, dialect.words())
    }

    pub(super) fn write(&self, dialect: Dialect, words: Words) -> Value {
        let mut out = Map::new();
        if dialect == Dialect::OpenAiResponses {
            out.insert("type".into(), "function".into());
        }
        out.insert("name".into(), self.name.clone().into());
        // BFCL's code expects a description; Bedrock refuses an empty one.
        if !self.description.is_empty() || matches!(dialect, Dialect::Bfcl | Dialect::Flat) {
            out.insert("description".into(), self.description.clone().into());
        }
        let (key, parameters) = match dialect {
            Dialect::Flat => ("parameters", Value::Object(self.parameters.clone())),
            Dialect::Mcp => ("inputSchema", self.schema(words)),
            Dialect::Anthropic => ("input_schema", self.schema(words)),
            Dialect::Bedrock => ("inputSchema", json!({ "json": self.schema(words) })),
            _ => ("parameters", self.schema(words)),
        };
        out.insert(key.into(), parameters);
        if dialect == Dialect::Flat {
            out.insert("required".into(), json!(self.required));
        }
        out.extend(self.extra.clone());
        match dialect {
            Dialect::OpenAiChat => json!({ "type": "function", "function": out }),
            Dialect::Bedrock => json!({ "toolSpec": out }),
            _ => Value::Object(out),
        }
    }
}
