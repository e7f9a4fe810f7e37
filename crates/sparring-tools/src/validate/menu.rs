use super::check::Checks;
use super::{ArgumentProblem, none_of};
use crate::{ToolCall, ToolSpec};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Checks calls of any of several tools; needs the feature `validate`.
///
/// A parameter's schema is compiled when it is first needed, and kept. The validator can be shared between threads.
///
/// ```
/// use sparring_tools::{CallValidator, ToolCall, ToolSpec};
/// let tools = serde_json::json!([
///     {"name": "get_weather", "parameters": {"city": {"type": "string"}}, "required": ["city"]},
///     {"name": "get_time", "parameters": {"zone": {"type": "string"}}}]);
/// let validator = CallValidator::new(ToolSpec::list_from_json(&tools)?);
/// assert!(validator.check(&ToolCall::new("get_weather", [("city", "Oslo".into())])).is_ok());
/// let problems = validator.check(&ToolCall::new("getweather", [("city", "Oslo".into())])).unwrap_err();
/// assert_eq!(
///     problems[0].to_string(),
///     r#"there is no tool "getweather"; the closest is "get_weather"; the tools are get_weather, get_time"#
/// );
/// # Ok::<(), sparring_tools::ToolsError>(())
/// ```
#[derive(Debug, Default)]
pub struct CallValidator {
    tools: Vec<ToolSpec>,
    checks: Vec<Checks>,
    by_name: HashMap<String, usize>,
}

impl CallValidator {
    /// Returns a validator of calls of these tools. Of several tools with one name, the first counts.
    pub fn new(tools: impl IntoIterator<Item = ToolSpec>) -> Self {
        let mut validator = Self::default();
        for tool in tools {
            if let Entry::Vacant(entry) = validator.by_name.entry(tool.name.clone()) {
                entry.insert(validator.tools.len());
                validator.checks.push(Checks::new(&tool));
                validator.tools.push(tool);
            }
        }
        validator
    }

    /// Returns the tools, each name once.
    pub fn tools(&self) -> &[ToolSpec] {
        &self.tools
    }

    /// Checks a call as [`ToolSpec::validate`] does.
    ///
    /// # Errors
    /// Every problem. A call of a tool that is not there is an [`ArgumentProblem::UnknownTool`], and nothing else.
    pub fn check(&self, call: &ToolCall) -> Result<(), Vec<ArgumentProblem>> {
        let Some(i) = self.by_name.get(call.name.trim()) else { return Err(vec![self.unknown(&call.name)]) };
        let mut problems = Vec::new();
        self.checks[*i].run(&self.tools[*i], call, &mut problems);
        none_of(problems)
    }

    fn unknown(&self, found: &str) -> ArgumentProblem {
        let known: Vec<String> = self.tools.iter().map(|tool| tool.name.clone()).collect();
        let scored = known.iter().map(|name| (similarity(found, name), name));
        let best = scored.filter(|(score, _)| *score >= SIMILAR).max_by(|a, b| a.0.total_cmp(&b.0));
        let closest = best.map(|(_, name)| name.clone());
        ArgumentProblem::UnknownTool { found: found.to_owned(), closest, known }
    }
}

/// Least similarity of a name that is worth a hint.
const SIMILAR: f64 = 0.5;

/// The similarity of two names from 0 to 1, in any case and with any separators. A prefix that only one of them has
/// (`functions.`) does not count.
fn similarity(a: &str, b: &str) -> f64 {
    let plain = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let last = |name: &str| plain(name.trim().rsplit(['.', '/', ':']).next().unwrap_or(name));
    let score = |a: String, b: String| strsim::normalized_damerau_levenshtein(&a, &b);
    score(plain(a), plain(b)).max(score(last(a), last(b)) * 0.99)
}
