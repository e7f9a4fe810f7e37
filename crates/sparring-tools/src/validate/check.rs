//! The schemas of one tool, compiled when they are first needed.

use super::document::{self, TOGETHER};
use super::{ArgumentProblem, work};
use crate::parse::kind;
use crate::spec::words::Words;
use crate::{ToolCall, ToolSpec};
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// Most problems of one value: a schema that refers to another again and again repeats that one's problems.
const MOST: usize = 100;

/// What is compiled of one tool.
#[derive(Debug)]
pub(super) struct Checks {
    /// The parameters' schema in draft 2020-12.
    whole: OnceLock<Value>,
    /// One per parameter, in order.
    parameters: Box<[OnceLock<Checked>]>,
    /// `additionalProperties`, if that is a schema.
    rest: OnceLock<Checked>,
    /// The names in `patternProperties`.
    patterns: OnceLock<Option<Checked>>,
    /// The keywords that concern all arguments.
    together: OnceLock<Option<Checked>>,
}

/// What the schema says about arguments that are no parameters.
enum Others {
    Refused,
    Allowed,
    Checked,
}

impl Checks {
    pub(super) fn new(tool: &ToolSpec) -> Self {
        Self {
            whole: OnceLock::new(),
            parameters: tool.parameters.iter().map(|_| OnceLock::new()).collect(),
            rest: OnceLock::new(),
            patterns: OnceLock::new(),
            together: OnceLock::new(),
        }
    }

    /// Checks the arguments of a call of `tool`, which `new` was called with.
    pub(super) fn run(&self, tool: &ToolSpec, call: &ToolCall, problems: &mut Vec<ArgumentProblem>) {
        let whole = self.whole.get_or_init(|| tool.schema(Words::Validator));
        let required = whole["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let missing = required.filter(|name| !call.arguments.contains_key(*name));
        problems.extend(missing.map(|name| ArgumentProblem::Missing { argument: name.to_owned() }));
        let together = self.together.get_or_init(|| document::together(whole).map(Checked::new));
        for (argument, value) in &call.arguments {
            if let Some(i) = tool.parameters.keys().position(|name| name == argument) {
                let path = ["properties", argument];
                let checked = self.parameters[i].get_or_init(|| Checked::new(document::part(whole, &path)));
                problems.extend(checked.problems(argument, value));
                continue;
            }
            match self.others(whole, argument, together.is_some()) {
                Others::Allowed => {}
                Others::Refused => problems.push(ArgumentProblem::Unknown { argument: argument.clone() }),
                Others::Checked => {
                    let rest = self
                        .rest
                        .get_or_init(|| Checked::new(document::part(whole, &["additionalProperties"])));
                    problems.extend(rest.problems(argument, value));
                }
            }
        }
        if let Some(together) = together {
            problems.extend(together.problems_together(&Value::Object(call.arguments.clone())));
        }
    }

    fn others(&self, whole: &Value, argument: &str, together: bool) -> Others {
        if self.has_pattern_for(whole, argument) {
            return Others::Allowed;
        }
        match whole.get("additionalProperties") {
            Some(Value::Bool(true)) => Others::Allowed,
            Some(Value::Object(_)) => Others::Checked,
            // Such a schema may describe parameters in its branches.
            None if together => Others::Allowed,
            _ => Others::Refused,
        }
    }

    fn has_pattern_for(&self, whole: &Value, argument: &str) -> bool {
        let patterns = self.patterns.get_or_init(|| {
            let patterns = whole.get("patternProperties")?.as_object()?.keys();
            let choices: Vec<_> = patterns.map(|pattern| json!({ "pattern": pattern })).collect();
            Some(Checked::new(json!({ "anyOf": choices })))
        });
        let matches = |validator: &Validator| validator.is_valid(&argument.into());
        patterns.as_ref().is_some_and(|patterns| patterns.validator.as_ref().is_ok_and(matches))
    }
}

/// A schema document and its validator.
#[derive(Debug)]
struct Checked {
    document: Value,
    /// Or why the schema is invalid.
    validator: Result<Validator, String>,
    bounds: Option<work::Bounds>,
}

impl Checked {
    fn new(document: Value) -> Self {
        let validator = jsonschema::draft202012::new(&document).map_err(|error| {
            let at = error.instance_path().to_string();
            if at.is_empty() { error.to_string() } else { format!("{error} (at {at})") }
        });
        let bounds = if validator.is_ok() { work::Bounds::new(&document) } else { None };
        Self { document, validator, bounds }
    }

    /// Returns the validator if it can check this value in reasonable time, or why it cannot.
    fn for_value(&self, value: &Value) -> Result<&Validator, String> {
        let validator = self.validator.as_ref().map_err(Clone::clone)?;
        if let Some(bounds) = &self.bounds {
            bounds.allow(value)?;
        }
        Ok(validator)
    }

    fn problems(&self, argument: &str, value: &Value) -> Vec<ArgumentProblem> {
        match self.for_value(value) {
            Ok(validator) => {
                let errors = validator.iter_errors(value).take(MOST);
                errors.map(|error| problem(argument, &self.document, value, &error)).collect()
            }
            Err(detail) => vec![ArgumentProblem::BadSchema { argument: argument.to_owned(), detail }],
        }
    }

    fn problems_together(&self, arguments: &Value) -> Vec<ArgumentProblem> {
        let validator = match self.for_value(arguments) {
            Ok(validator) => validator,
            Err(detail) => return vec![ArgumentProblem::BadSchema { argument: "parameters".into(), detail }],
        };
        // Where a reference needs the whole schema, the document says more than was asked.
        let is_together = |error: &ValidationError<'_>| {
            let path = error.evaluation_path().to_string();
            path.split('/').nth(1).is_some_and(|keyword| TOGETHER.contains(&keyword))
        };
        let problem = |error: ValidationError<'_>| ArgumentProblem::Together {
            keyword: keyword(&error),
            detail: error.to_string(),
        };
        validator.iter_errors(arguments).filter(is_together).take(MOST).map(problem).collect()
    }
}

fn problem(argument: &str, schema: &Value, value: &Value, error: &ValidationError<'_>) -> ArgumentProblem {
    let argument = argument.to_owned();
    let at = error.instance_path().to_string();
    match error.kind() {
        Kind::Type { kind: wanted } if at.is_empty() => {
            // The order of a list of types is the author's.
            let own = schema.get("type").filter(|_| error.schema_path().to_string() == "/type");
            let expected = own.filter(|own| own.is_array()).map_or_else(|| types(wanted), Value::to_string);
            ArgumentProblem::WrongType { argument, expected, found: kind(value).to_owned() }
        }
        Kind::Enum { options } if at.is_empty() => {
            ArgumentProblem::NotInEnum { argument, allowed: (**options).clone(), found: value.clone() }
        }
        _ => ArgumentProblem::Constraint { argument, at, keyword: keyword(error), detail: error.to_string() },
    }
}

fn types(wanted: &TypeKind) -> String {
    match wanted {
        TypeKind::Single(name) => name.to_string(),
        TypeKind::Multiple(names) => names.iter().map(|name| name.to_string()).collect::<Value>().to_string(),
    }
}

fn keyword(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::FalseSchema => "false".to_owned(),
        kind => kind.keyword().to_owned(),
    }
}
