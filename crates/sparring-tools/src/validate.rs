use crate::parse::kind;
use crate::spec::words::Words;
use crate::{ToolCall, ToolSpec};
use serde_json::{Map, Value, json};
use thiserror::Error;

/// A mismatch between a call and its tool.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ArgumentProblem {
    /// The call names another tool.
    #[error("calls {found:?} instead of {expected:?}")]
    WrongTool {
        /// The tool's name.
        expected: String,
        /// The name in the call.
        found: String,
    },
    /// A required argument is missing.
    #[error("{argument}: required but missing")]
    Missing {
        /// Its name.
        argument: String,
    },
    /// The tool has no such parameter.
    #[error("{argument}: the tool has no such parameter")]
    Unknown {
        /// The argument's name.
        argument: String,
    },
    /// The value has the wrong type.
    #[error("{argument}: expected {expected}, found {found}")]
    WrongType {
        /// The argument's name.
        argument: String,
        /// The type in the schema.
        expected: String,
        /// The type of the value.
        found: String,
    },
    /// The value is not one of the allowed ones.
    #[error("{argument}: {found} is not one of {allowed}")]
    NotInEnum {
        /// The argument's name.
        argument: String,
        /// The allowed values.
        allowed: Value,
        /// The value found.
        found: Value,
    },
    /// The value violates another keyword of the schema (`pattern`, `minimum`, `items`, ...).
    #[error("{argument}{at}: {detail}")]
    Constraint {
        /// The argument's name.
        argument: String,
        /// Position inside the value (JSON Pointer; empty for the value itself).
        at: String,
        /// What the schema requires.
        detail: String,
    },
    /// The arguments violate a keyword that concerns all of them (`oneOf`, `minProperties`, ...).
    #[error("the arguments together: {detail}")]
    Together {
        /// What the schema requires.
        detail: String,
    },
    /// The tool's own schema of this parameter is invalid: the definition is wrong, not the call.
    #[error("{argument}: the schema of the tool is invalid: {detail}")]
    BadSchema {
        /// The parameter's name.
        argument: String,
        /// Why it is invalid.
        detail: String,
    },
}

impl ToolSpec {
    /// Checks a call of this tool: its name, required and unknown arguments, and every value against its JSON Schema
    /// (draft 2020-12; nothing is fetched). Needs the feature `validate`.
    ///
    /// Type names of models and benchmarks are read as JSON Schema's: `str`, `date` and `datetime` are strings, `int`
    /// integers, `float` and `double` numbers, `bool` booleans, `dict` objects, `list` and `tuple` arrays, `any`
    /// anything; an unknown word makes the schema invalid. Unknown arguments are allowed if the schema says
    /// `additionalProperties: true` (or gives a schema for them, which is not applied), and if it does not mention them
    /// but has keywords that may (`oneOf`, `patternProperties`, ...). `unevaluatedProperties` is ignored.
    ///
    /// # Errors
    /// Every problem, in this order: name, missing arguments, the arguments as written, all together.
    ///
    /// ```
    /// use sparring_tools::{ToolCall, ToolSpec};
    /// let tool = ToolSpec::from_json(&serde_json::json!({
    ///     "name": "set", "parameters": {"mode": {"type": "str", "enum": ["eco", "max"]}, "level": {"type": "int"}},
    ///     "required": ["mode"]}))?;
    /// assert!(tool.validate(&ToolCall::new("set", [("mode", "eco".into())])).is_ok());
    /// let problems = tool.validate(&ToolCall::new("set", [("level", "high".into())])).unwrap_err();
    /// assert_eq!(problems[0].to_string(), "mode: required but missing");
    /// assert_eq!(problems[1].to_string(), "level: expected integer, found a string");
    /// # Ok::<(), sparring_tools::ToolsError>(())
    /// ```
    pub fn validate(&self, call: &ToolCall) -> Result<(), Vec<ArgumentProblem>> {
        let mut problems = Vec::new();
        if call.name.trim() != self.name {
            problems
                .push(ArgumentProblem::WrongTool { expected: self.name.clone(), found: call.name.clone() });
        }
        let missing = self.required.iter().filter(|name| !call.arguments.contains_key(*name));
        problems.extend(missing.map(|name| ArgumentProblem::Missing { argument: name.clone() }));
        let together = self.schema_extra.keys().any(|key| TOGETHER.contains(&key.as_str()));
        let open = match self.schema_extra.get("additionalProperties") {
            Some(Value::Bool(open)) => *open,
            Some(Value::Object(_)) => true,
            // Such a schema may describe parameters in its branches.
            _ => together,
        };
        for (argument, value) in &call.arguments {
            match self.parameters.get(argument) {
                Some(schema) => self.check_value(argument, schema, value, &mut problems),
                None if open => {}
                None => problems.push(ArgumentProblem::Unknown { argument: argument.clone() }),
            }
        }
        if together {
            self.check_together(call, &mut problems);
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn check_together(&self, call: &ToolCall, problems: &mut Vec<ArgumentProblem>) {
        let keywords = self.schema_extra.iter().filter(|(key, _)| TOGETHER.contains(&key.as_str()));
        let keywords = keywords.map(|(key, value)| (key.clone(), value.clone())).collect();
        let document = Value::Object(self.with_definitions(Words::Validator.rewrite_keywords(keywords)));
        match jsonschema::draft202012::new(&document) {
            Ok(validator) => problems.extend(
                validator
                    .iter_errors(&Value::Object(call.arguments.clone()))
                    .map(|error| ArgumentProblem::Together { detail: error.to_string() }),
            ),
            Err(e) => problems
                .push(ArgumentProblem::BadSchema { argument: "parameters".into(), detail: e.to_string() }),
        }
    }

    fn check_value(
        &self,
        argument: &str,
        schema: &Value,
        value: &Value,
        problems: &mut Vec<ArgumentProblem>,
    ) {
        let schema = Words::Validator.rewrite(schema.clone());
        let document = self.document(argument, &schema);
        let validator = match jsonschema::draft202012::new(&document) {
            Ok(validator) => validator,
            Err(e) => {
                let detail = e.to_string();
                return problems.push(ArgumentProblem::BadSchema { argument: argument.to_owned(), detail });
            }
        };
        problems.extend(validator.iter_errors(value).map(|e| problem(argument, &schema, value, &e)));
    }

    /// Returns a schema document for one parameter with everything that its references may need. Usually these are the
    /// tool's definitions only, so that an invalid schema of another parameter does no harm.
    fn document(&self, parameter: &str, schema: &Value) -> Value {
        let Value::Object(map) = schema else { return schema.clone() };
        let document = Value::Object(self.with_definitions(map.clone()));
        if !refers_elsewhere(&document) {
            return document;
        }
        // `#` refers to the parameters' schema (a recursive type), not to this parameter's.
        let mut root = self.schema(Words::Validator);
        root["$id"] = ROOT.into();
        let escaped = parameter.replace('~', "~0").replace('/', "~1");
        let pointer: String = escaped.bytes().map(percent_encoded).collect();
        json!({ "$ref": format!("{ROOT}#/properties/{pointer}"), "$defs": { "root": root } })
    }

    fn with_definitions(&self, mut schema: Map<String, Value>) -> Map<String, Value> {
        for key in ["$defs", "definitions"] {
            if let Some(Value::Object(definitions)) = self.schema_extra.get(key) {
                schema
                    .entry(key)
                    .or_insert_with(|| Words::Validator.rewrite_each(definitions.clone()).into());
            }
        }
        schema
    }
}

/// Keywords that concern all arguments; `properties` and `required` are checked one by one.
const TOGETHER: [&str; 14] = [
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
];

/// Name of the parameters' schema as a whole, for references into it.
const ROOT: &str = "urn:tool";

/// Returns whether a reference points into the document, but not at one of its definitions.
fn refers_elsewhere(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.iter().any(|(key, value)| match (key.as_str(), value) {
            ("$ref", Value::String(target)) => {
                target.starts_with('#')
                    && !["#/$defs/", "#/definitions/"].iter().any(|known| target.starts_with(known))
            }
            (_, value) => refers_elsewhere(value),
        }),
        Value::Array(items) => items.iter().any(refers_elsewhere),
        _ => false,
    }
}

/// Parses a percent-encoded byte of a URI fragment.
fn percent_encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

fn problem(
    argument: &str,
    schema: &Value,
    value: &Value,
    error: &jsonschema::ValidationError<'_>,
) -> ArgumentProblem {
    use jsonschema::error::ValidationErrorKind as Kind;
    let argument = argument.to_owned();
    let at = error.instance_path().to_string();
    match error.kind() {
        Kind::Type { .. } if at.is_empty() => {
            let expected = match schema.get("type") {
                Some(Value::String(name)) => name.clone(),
                Some(names) => names.to_string(),
                None => "another type".to_owned(),
            };
            ArgumentProblem::WrongType { argument, expected, found: kind(value).to_owned() }
        }
        Kind::Enum { options } if at.is_empty() => {
            ArgumentProblem::NotInEnum { argument, allowed: (**options).clone(), found: value.clone() }
        }
        _ => ArgumentProblem::Constraint { argument, at, detail: error.to_string() },
    }
}
