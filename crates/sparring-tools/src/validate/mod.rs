//! Calls against their tools' schemas.

use crate::{ToolCall, ToolSpec};
use serde_json::Value;
use thiserror::Error;

mod check;
mod document;
mod menu;
mod work;

use check::Checks;
pub use menu::CallValidator;

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
    /// There is no tool of this name.
    #[error("there is no tool {found:?}{}", among(.known, .closest.as_deref()))]
    UnknownTool {
        /// The name in the call.
        found: String,
        /// The most similar name, if any is similar.
        closest: Option<String>,
        /// The names of all tools.
        known: Vec<String>,
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
    #[error("{argument}{at}: {detail} (`{keyword}`)")]
    Constraint {
        /// The argument's name.
        argument: String,
        /// Position inside the value (JSON Pointer; empty for the value itself).
        at: String,
        /// The keyword.
        keyword: String,
        /// What the schema requires.
        detail: String,
    },
    /// The arguments violate a keyword that concerns all of them (`oneOf`, `minProperties`, ...).
    #[error("the arguments together: {detail} (`{keyword}`)")]
    Together {
        /// The keyword.
        keyword: String,
        /// What the schema requires.
        detail: String,
    },
    /// The tool's own schema of this parameter is invalid, or takes too long to check: the definition is wrong, not
    /// the call.
    #[error("{argument}: the schema of the tool is invalid: {detail}")]
    BadSchema {
        /// The parameter's name.
        argument: String,
        /// Why it is invalid, and which keyword makes it so.
        detail: String,
    },
}

impl ToolSpec {
    /// Checks a call of this tool: its name, required and unknown arguments, and every value against its JSON Schema
    /// (draft 2020-12; nothing is fetched). Needs the feature `validate`. For many calls, [`CallValidator`] is faster.
    ///
    /// Type names of models and benchmarks are read as JSON Schema's, in any case of letters: `str`, `date` and
    /// `datetime` are strings, `int` integers, `float` and `double` numbers, `bool` booleans, `dict` objects, `list`
    /// and `tuple` arrays, `any` anything; an unknown word makes the schema invalid. Older drafts and OpenAPI's
    /// `nullable` mean what they say, see [`parameters_schema`](Self::parameters_schema).
    ///
    /// Unknown arguments are allowed if the schema says `additionalProperties: true` or gives a schema that they pass,
    /// and if it does not mention them but has keywords that may (`oneOf`, `patternProperties`, ...).
    /// `unevaluatedProperties` is ignored at the top level.
    ///
    /// # Errors
    /// Every problem (of one argument, the first hundred), in this order: name, missing arguments, the arguments as
    /// written, all together.
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
            let (expected, found) = (self.name.clone(), call.name.clone());
            problems.push(ArgumentProblem::WrongTool { expected, found });
        }
        Checks::new(self).run(self, call, &mut problems);
        none_of(problems)
    }
}

fn none_of(problems: Vec<ArgumentProblem>) -> Result<(), Vec<ArgumentProblem>> {
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Most names that an error lists.
const NAMES: usize = 20;

fn among(known: &[String], closest: Option<&str>) -> String {
    if known.is_empty() {
        return ": no tools are offered".to_owned();
    }
    let hint = closest.map_or_else(String::new, |name| format!("; the closest is {name:?}"));
    let more = if known.len() > NAMES { format!(" and {} more", known.len() - NAMES) } else { String::new() };
    let names = known[..known.len().min(NAMES)].join(", ");
    format!("{hint}; the tools are {names}{more}")
}
