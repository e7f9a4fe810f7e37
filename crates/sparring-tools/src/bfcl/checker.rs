use super::call;
use super::problem::{Exception, Problem};
use super::{Kind, Language, PyValue, is_function_call_format};
use crate::Assignment;
use serde_json::Value;
use std::fmt;

/// BFCL's AST checker: how the calls of a category are compared with its possible answers.
///
/// It does what `ast_checker` of `bfcl-eval` 2026.3.23 does, defects included. An answer is accepted where its
/// calls are as many as the gold calls, name the right functions, and give every argument one of the accepted
/// values; [`Problem`] lists what can be wrong.
///
/// ```
/// use serde_json::json;
/// use sparring_tools::bfcl::{Checker, PyValue};
///
/// let functions = [json!({"name": "get_weather", "parameters": {"type": "dict", "required": ["city"],
///     "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}})];
/// let gold = [json!({"get_weather": {"city": ["San Francisco, CA", "SF"], "days": [3, ""]}})];
/// let checker = Checker::of("simple_python");
///
/// let output = PyValue::from_json(&json!([{"get_weather": {"city": "san francisco CA"}}]));
/// assert!(checker.check(&functions, &gold, &output).is_valid());
///
/// let output = PyValue::from_json(&json!([{"get_weather": {"city": "SF", "days": "3"}}]));
/// let verdict = checker.check(&functions, &gold, &output);
/// assert_eq!(verdict.error_type(), Some("type_error:simple"));
/// assert_eq!(verdict.to_string(), "days: expected the type integer, found '3' (str)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checker {
    /// How many calls are expected, and how they are looked for.
    pub kind: Kind,
    /// The language of types and literals.
    pub language: Language,
    /// Whether the model writes `_` for the dots of function names, as some interfaces demand. The dotted name
    /// is then wrong. (The official flag has this name.)
    pub underscore_to_dot: bool,
    /// Which call of a parallel answer stands for which gold call. Officially greedy: each gold call, in order,
    /// takes the first call that fits, so that an answer can fail for the order of its calls alone.
    pub assignment: Assignment,
}

impl Checker {
    /// The checker of a category (`live_parallel_multiple`), or of an entry's id.
    pub fn of(category: &str) -> Self {
        Self {
            kind: Kind::of(category),
            language: Language::of(category),
            underscore_to_dot: false,
            assignment: Assignment::Greedy,
        }
    }

    /// Sets the language.
    #[must_use]
    pub fn with_language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    /// Sets whether dots in function names are written as underscores.
    #[must_use]
    pub fn with_underscore_to_dot(mut self, underscore_to_dot: bool) -> Self {
        self.underscore_to_dot = underscore_to_dot;
        self
    }

    /// Sets how the calls of parallel answers are assigned. [`Assignment::Optimal`] accepts an answer in any
    /// order of its calls, and everything that the greedy order accepts.
    #[must_use]
    pub fn with_assignment(mut self, assignment: Assignment) -> Self {
        self.assignment = assignment;
        self
    }

    /// Checks a decoded output: its form, then [`check`](Self::check).
    pub fn judge<'a>(&self, functions: &'a [Value], gold: &'a [Value], output: &'a PyValue) -> Verdict<'a> {
        if is_function_call_format(output) {
            self.check(functions, gold, output)
        } else {
            Verdict { problem: Some(Problem::WrongFormat { found: output }) }
        }
    }

    /// Checks calls in the correct form (`ast_checker`): `functions` as BFCL documents them, `gold` the entry's
    /// `ground_truth`. Nothing is allocated for a valid answer in Python's notation.
    pub fn check<'a>(&self, functions: &'a [Value], gold: &'a [Value], output: &'a PyValue) -> Verdict<'a> {
        let PyValue::List(calls) = output else {
            return Verdict { problem: Some(Problem::WrongFormat { found: output }) };
        };
        Verdict { problem: self.problem(functions, gold, calls).err() }
    }

    fn problem<'a>(
        &self,
        functions: &'a [Value],
        gold: &'a [Value],
        calls: &'a [PyValue],
    ) -> Result<(), Problem<'a>> {
        let expected = if self.kind == Kind::Simple { 1 } else { gold.len() };
        if calls.len() != expected {
            return Err(Problem::WrongCount { kind: self.kind, expected, found: calls.len() });
        }
        match self.kind {
            Kind::Simple => {
                let (function, gold) = functions.first().zip(gold.first()).ok_or(Exception::Index)?;
                // Its name is not looked at.
                call::check(self, function, call::gold_entry(gold)?.1, &calls[0])
            }
            Kind::Multiple => self.pair(functions, gold.first().ok_or(Exception::Index)?, &calls[0]),
            Kind::Parallel => self.parallel(functions, gold, calls),
        }
    }

    /// One call against one gold call, under the function that the gold call names.
    fn pair<'a>(
        &self,
        functions: &'a [Value],
        gold: &'a Value,
        found: &'a PyValue,
    ) -> Result<(), Problem<'a>> {
        let (name, accepted) = call::gold_entry(gold)?;
        let function = functions.iter().find(|function| is_named(function, name)).ok_or(Exception::Type)?;
        call::check(self, function, accepted, found)
    }

    fn parallel<'a>(
        &self,
        functions: &'a [Value],
        gold: &'a [Value],
        calls: &'a [PyValue],
    ) -> Result<(), Problem<'a>> {
        let greedy = self.greedy(functions, gold, calls);
        if greedy.is_ok() || self.assignment == Assignment::Greedy {
            return greedy;
        }
        let fits = |gold| {
            let fit = |call| f64::from(u8::from(self.pair(functions, gold, call).is_ok()));
            calls.iter().map(fit).collect::<Vec<_>>()
        };
        let scores: Vec<Vec<f64>> = gold.iter().map(fits).collect();
        let assigned = self.assignment.solve(&scores, calls.len());
        if assigned.iter().all(Option::is_some) { Ok(()) } else { greedy }
    }

    fn greedy<'a>(
        &self,
        functions: &'a [Value],
        gold: &'a [Value],
        calls: &'a [PyValue],
    ) -> Result<(), Problem<'a>> {
        let mut used = Used::default();
        for (index, gold_call) in gold.iter().enumerate() {
            let mut tried = Vec::new();
            let mut free = (0..calls.len()).filter(|&i| !used.contains(i));
            let answer = loop {
                let Some(i) = free.next() else { break None };
                match self.pair(functions, gold_call, &calls[i]) {
                    Ok(()) => break Some(i),
                    Err(raised @ Problem::Raises(_)) => return Err(raised),
                    Err(problem) => tried.push((i, problem)),
                }
            };
            match answer {
                Some(i) => used.insert(i),
                None => return Err(Problem::NoMatch { gold: index, tried }),
            }
        }
        Ok(())
    }
}

/// Whether this is the document of the function with this name. The value is compared before its key: menus are
/// long, most names differ in length, and a key is one more place in memory to look at.
#[inline]
fn is_named(function: &Value, name: &str) -> bool {
    let entry =
        |(key, value): (&String, &Value)| matches!(value, Value::String(n) if n == name) && key == "name";
    function.as_object().is_some_and(|function| function.iter().any(entry))
}

/// The calls that are taken. Answers have few calls: the first 64 need no memory.
#[derive(Default)]
struct Used {
    first: u64,
    others: Vec<usize>,
}

impl Used {
    fn contains(&self, index: usize) -> bool {
        if index < 64 { self.first >> index & 1 == 1 } else { self.others.contains(&index) }
    }

    fn insert(&mut self, index: usize) {
        if index < 64 {
            self.first |= 1 << index;
        } else {
            self.others.push(index);
        }
    }
}

/// What a check found. `Display` says what is wrong, or `valid`.
#[derive(Debug, Clone)]
#[must_use]
pub struct Verdict<'a> {
    problem: Option<Problem<'a>>,
}

impl<'a> Verdict<'a> {
    /// Whether the output is accepted.
    pub fn is_valid(&self) -> bool {
        self.problem.is_none()
    }

    /// The official `error_type`; `None` where the output is valid.
    pub fn error_type(&self) -> Option<&'static str> {
        self.problem.as_ref().map(Problem::error_type)
    }

    /// What is wrong.
    pub fn problem(&self) -> Option<&Problem<'a>> {
        self.problem.as_ref()
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            None => f.write_str("valid"),
            Some(problem) => problem.fmt(f),
        }
    }
}
