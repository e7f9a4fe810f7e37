//! Structural checks of a task before it may be used to train a Solver (Tool-R0, arXiv 2602.21320, Section 3.2 and its
//! released filter).

use crate::grounding::{self, Letters};
use crate::parse::kind;
use crate::{ArgumentProblem, Dialect, ToolCall, ToolSpec, ToolTask};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// The first rule that a task breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{rule}: {detail}")]
pub struct Violation {
    /// A short, stable name; reports count by it.
    pub rule: &'static str,
    /// What was wrong, in words.
    pub detail: String,
}

/// The checks to make. Text is compared in lower case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is one check that is made or not")]
pub struct StructureRules {
    /// Rejects Chinese, Japanese and Korean characters anywhere (`cjk`).
    pub reject_cjk: bool,
    /// Least number of characters of a question (`short_question`).
    pub min_question_chars: usize,
    /// Phrases that show a copied prompt or an unfilled placeholder (`prompt_echo`).
    pub echoes: Vec<String>,
    /// Phrases of questions that need no tool (`trivial`).
    pub trivial: Vec<String>,
    /// Rejects "what/who/when/where is" with a single call of at most one argument (`trivial`).
    pub reject_lookups: bool,
    /// Least number of characters of a tool's name (`tool_name`).
    pub min_tool_name_chars: usize,
    /// Uninformative names (`tool_name`).
    pub generic_tool_names: Vec<String>,
    /// Least number of characters of a tool's description (`tool_description`).
    pub min_description_chars: usize,
    /// Whether a tool may have no parameters (`no_parameters`).
    pub allow_no_parameters: bool,
    /// Allowed parameter types; empty allows every type (`parameter_type`).
    pub types: Vec<String>,
    /// Whether every required name must be a parameter (`required_names`).
    pub required_are_parameters: bool,
    /// Least number of calls; 0 allows tasks that no tool serves (`no_calls`).
    pub min_calls: usize,
    /// Rejects the same call twice (`repeated_call`).
    pub distinct_calls: bool,
    /// Whether arguments must be strings, numbers, booleans or null (`nested_argument`).
    pub flat_arguments: bool,
    /// Rejects arguments that the tool does not have (`unknown_argument`).
    pub known_arguments: bool,
    /// Whether values must match their schema: types, enums and the rest (`argument_type`, `argument_enum`,
    /// `argument_value`).
    pub check_values: bool,
    /// How every value must occur in the question (`ungrounded`); `None`, in a file `"off"`, for no check.
    #[serde(with = "grounding_setting")]
    pub grounding: Option<Letters>,
}

/// Serialises an optional [`Letters`]: a missing field means the default, so `None` needs a word.
mod grounding_setting {
    use super::Letters;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Setting {
        Off,
        AllScripts,
        Ascii,
    }

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Letters>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            None => Setting::Off,
            Some(Letters::AllScripts) => Setting::AllScripts,
            Some(Letters::Ascii) => Setting::Ascii,
        }
        .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Letters>, D::Error> {
        Ok(match Setting::deserialize(from)? {
            Setting::Off => None,
            Setting::AllScripts => Some(Letters::AllScripts),
            Setting::Ascii => Some(Letters::Ascii),
        })
    }
}

impl Default for StructureRules {
    fn default() -> Self {
        Self::corrected()
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| (*t).to_owned()).collect()
}

impl StructureRules {
    /// Returns the checks of the released code before cross-verification: no grounding, types or enums; tasks without
    /// calls, tools without parameters and East Asian text are refused.
    pub fn released() -> Self {
        Self {
            reject_cjk: true,
            min_question_chars: 25,
            echoes: owned(&[
                "control spec",
                "rules to satisfy",
                "private reasoning",
                "generate a new tool-calling task",
                "generated user question",
                "available_tools",
                "tool_call_answer",
            ]),
            trivial: owned(&[
                "capital of",
                "define ",
                "explain ",
                "summarize ",
                "write a poem",
                "tell me a joke",
            ]),
            reject_lookups: true,
            min_tool_name_chars: 3,
            generic_tool_names: owned(&["tool", "function", "api", "call"]),
            min_description_chars: 5,
            allow_no_parameters: false,
            types: owned(&[
                "string", "str", "integer", "int", "number", "float", "double", "boolean", "bool", "date",
                "datetime",
            ]),
            required_are_parameters: false,
            min_calls: 1,
            distinct_calls: false,
            flat_arguments: true,
            known_arguments: false,
            check_values: false,
            grounding: None,
        }
    }

    /// Returns every check that protects the training signal, and none that only excludes a language or kind of task.
    pub fn corrected() -> Self {
        Self {
            reject_cjk: false,
            min_question_chars: 8,
            trivial: owned(&["write a poem", "tell me a joke"]),
            reject_lookups: false,
            allow_no_parameters: true,
            types: Vec::new(),
            required_are_parameters: true,
            min_calls: 0,
            distinct_calls: true,
            flat_arguments: false,
            known_arguments: true,
            check_values: true,
            grounding: Some(Letters::AllScripts),
            ..Self::released()
        }
    }
}

/// Checks a task: the question, the tools, then every call.
///
/// Some checks are always made: there is a question and at least one tool, tool names are distinct, calls name a tool
/// on the list and give all required arguments (`no_tools`, `duplicate_tool`, `unknown_tool`, `missing_argument`).
///
/// # Errors
/// The first [`Violation`].
pub fn check(task: &ToolTask, rules: &StructureRules) -> Result<(), Violation> {
    check_question(task, rules)?;
    if task.tools.is_empty() {
        return fail("no_tools", "no tools are offered");
    }
    for (i, tool) in task.tools.iter().enumerate() {
        check_tool(tool, rules)?;
        if task.tools[..i].iter().any(|other| other.name == tool.name) {
            return fail("duplicate_tool", format!("{} is on the tool list twice", tool.name));
        }
    }
    if task.calls.len() < rules.min_calls {
        return fail(
            "no_calls",
            format!("{} calls, at least {} expected", task.calls.len(), rules.min_calls),
        );
    }
    for (i, call) in task.calls.iter().enumerate() {
        check_call(task, call, rules)?;
        if rules.distinct_calls && task.calls[..i].contains(call) {
            return fail("repeated_call", format!("the same call of {} twice", call.name));
        }
    }
    Ok(())
}

fn fail(rule: &'static str, detail: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { rule, detail: detail.into() })
}

fn check_question(task: &ToolTask, rules: &StructureRules) -> Result<(), Violation> {
    let question = task.question.trim();
    if rules.reject_cjk {
        let tools = task.tools.iter().map(|tool| tool.to_json(Dialect::Bare).to_string());
        let calls = task.calls.iter().map(|call| call.to_json().to_string());
        let found = |text: &str| text.chars().find(|c| is_cjk(*c));
        if let Some(c) = found(question).or_else(|| tools.chain(calls).find_map(|text| found(&text))) {
            return fail("cjk", format!("contains {c:?}"));
        }
    }
    let lower = question.to_lowercase();
    if let Some(echo) = rules.echoes.iter().find(|echo| lower.contains(&echo.to_lowercase())) {
        return fail("prompt_echo", format!("the question contains {echo:?}"));
    }
    let chars = question.chars().count();
    if chars < rules.min_question_chars.max(1) {
        return fail(
            "short_question",
            format!("{chars} characters, at least {} expected", rules.min_question_chars),
        );
    }
    if let Some(text) = rules.trivial.iter().find(|text| lower.contains(&text.to_lowercase())) {
        return fail("trivial", format!("{text:?} needs no tool"));
    }
    let lookup = ["what is", "who is", "when is", "where is"].iter().any(|text| lower.contains(text));
    if rules.reject_lookups && lookup && matches!(&task.calls[..], [call] if call.arguments.len() <= 1) {
        return fail("trivial", "a question of fact with a single argument");
    }
    Ok(())
}

fn is_cjk(c: char) -> bool {
    matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff)
}

fn check_tool(tool: &ToolSpec, rules: &StructureRules) -> Result<(), Violation> {
    let name = tool.name.trim();
    let lower = name.to_lowercase();
    if name.chars().count() < rules.min_tool_name_chars.max(1) || rules.generic_tool_names.contains(&lower) {
        return fail("tool_name", format!("{name:?} does not say what the tool does"));
    }
    if tool.description.trim().chars().count() < rules.min_description_chars {
        return fail(
            "tool_description",
            format!("{name}: a description of at least {} characters is needed", rules.min_description_chars),
        );
    }
    if tool.parameters.is_empty() && !rules.allow_no_parameters {
        return fail("no_parameters", format!("{name} takes nothing"));
    }
    if !rules.types.is_empty() {
        for (parameter, schema) in &tool.parameters {
            let found = schema.get("type").and_then(Value::as_str).unwrap_or("");
            if !rules.types.iter().any(|t| t.eq_ignore_ascii_case(found)) {
                return fail(
                    "parameter_type",
                    format!("{name}.{parameter}: {found:?} is not an allowed type"),
                );
            }
        }
    }
    if rules.required_are_parameters
        && let Some(required) = tool.required.iter().find(|r| !tool.parameters.contains_key(*r))
    {
        return fail("required_names", format!("{name}: requires {required:?}, which is not a parameter"));
    }
    Ok(())
}

fn check_call(task: &ToolTask, call: &ToolCall, rules: &StructureRules) -> Result<(), Violation> {
    let Some(tool) = task.tools.iter().find(|tool| tool.name == call.name) else {
        return fail("unknown_tool", format!("{:?} is not on the tool list", call.name));
    };
    for (argument, value) in &call.arguments {
        if rules.flat_arguments && (value.is_array() || value.is_object()) {
            return fail("nested_argument", format!("{}.{argument} is {}", call.name, kind(value)));
        }
    }
    for problem in tool.validate(call).err().unwrap_or_default() {
        let rule = match &problem {
            ArgumentProblem::Missing { .. } => "missing_argument",
            ArgumentProblem::Unknown { .. } if rules.known_arguments => "unknown_argument",
            ArgumentProblem::WrongType { .. } if rules.check_values => "argument_type",
            ArgumentProblem::NotInEnum { .. } if rules.check_values => "argument_enum",
            ArgumentProblem::Constraint { .. } | ArgumentProblem::Together { .. } if rules.check_values => {
                "argument_value"
            }
            ArgumentProblem::BadSchema { .. } if rules.check_values => "parameter_schema",
            _ => continue,
        };
        return fail(rule, format!("{}.{problem}", call.name));
    }
    if let Some(letters) = rules.grounding {
        for (argument, value) in &call.arguments {
            if !grounding::is_grounded(value, &task.question, letters) {
                return fail(
                    "ungrounded",
                    format!("{}.{argument}: {value} is not in the question", call.name),
                );
            }
        }
    }
    Ok(())
}
