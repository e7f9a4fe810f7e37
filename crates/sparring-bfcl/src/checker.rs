use super::call;
use super::problem::{Exception, Problem};
use super::target::Target;
use super::{Kind, Language, PyValue, is_function_call_format};
use serde_json::Value;
use sparring_tools::Assignment;
use std::fmt;

/// BFCL's AST checker: compares calls with the possible answers of an entry.
///
/// It gives the verdicts of `ast_checker` of `bfcl-eval` 2026.3.23, defects included. An answer is accepted if it has
/// as many calls as the gold, names the right functions, and gives every argument one of the accepted values.
/// [`Problem`] lists the possible errors.
///
/// ```
/// use serde_json::json;
/// use sparring_bfcl::{Checker, PyValue};
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
    /// How many calls are expected, and how they are matched.
    pub kind: Kind,
    /// The language of types and literals.
    pub language: Language,
    /// Whether the model writes `_` for the dots of function names, as some interfaces require. The dotted name is then
    /// wrong. (The official flag has this name.)
    pub underscore_to_dot: bool,
    /// How the calls of a parallel answer are assigned to gold calls. The official assignment is greedy: each gold
    /// call, in order, takes the first call that fits, so an answer can fail because of the order of its calls alone.
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
        let target = |index| Target::find(self.kind, functions, gold, index);
        let expected = if self.kind == Kind::Simple { 1 } else { gold.len() };
        Verdict { problem: self.problem(expected, target, output).err() }
    }

    /// The problem of the calls, if any. `target` resolves a gold call.
    fn problem<'a>(
        self,
        expected: usize,
        target: impl Fn(usize) -> Result<Target<'a>, Exception>,
        output: &'a PyValue,
    ) -> Result<(), Problem<'a>> {
        let PyValue::List(calls) = output else { return Err(Problem::WrongFormat { found: output }) };
        if calls.len() != expected {
            return Err(Problem::WrongCount { kind: self.kind, expected, found: calls.len() });
        }
        if self.kind != Kind::Parallel {
            let target = target(0)?;
            return call::check(self, &target, calls.first().ok_or(Exception::Index)?);
        }
        let greedy = self.greedy(&target, calls);
        if greedy.is_ok() || self.assignment == Assignment::Greedy {
            return greedy;
        }
        let fits = |gold| {
            let target = target(gold);
            let fits = |call| target.is_ok_and(|target| call::check(self, &target, call).is_ok());
            calls.iter().map(|call| f64::from(u8::from(fits(call)))).collect::<Vec<_>>()
        };
        let scores: Vec<Vec<f64>> = (0..expected).map(fits).collect();
        let assigned = self.assignment.solve(&scores, calls.len());
        if assigned.iter().all(Option::is_some) { Ok(()) } else { greedy }
    }

    /// Each gold call takes the first remaining call that fits.
    fn greedy<'a>(
        self,
        target: impl Fn(usize) -> Result<Target<'a>, Exception>,
        calls: &'a [PyValue],
    ) -> Result<(), Problem<'a>> {
        let mut used = Used::default();
        for gold in 0..calls.len() {
            let target = target(gold)?;
            let mut tried = Vec::new();
            let mut free = (0..calls.len()).filter(|&i| !used.contains(i));
            let answer = loop {
                let Some(i) = free.next() else { break None };
                match call::check(self, &target, &calls[i]) {
                    Ok(()) => break Some(i),
                    Err(raised @ Problem::Raises(_)) => return Err(raised),
                    Err(problem) => tried.push((i, problem)),
                }
            };
            match answer {
                Some(i) => used.insert(i),
                None => return Err(Problem::NoMatch { gold, tried }),
            }
        }
        Ok(())
    }
}

/// The assigned calls. Answers have few calls, so the first 64 need no allocation.
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

/// The verdict of a check. `Display` shows the problem, or `valid`.
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

    /// The official `error_type`; `None` if the output is valid.
    pub fn error_type(&self) -> Option<&'static str> {
        self.problem.as_ref().map(Problem::error_type)
    }

    /// The problem, if any.
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
