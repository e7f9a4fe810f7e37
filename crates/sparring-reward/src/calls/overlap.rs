use super::{Answer, CallFormat, CallRule};
use serde::{Deserialize, Serialize};
use sparring_tools::ToolTask;
use sparring_tools::blocks::{Case, last_block};
use std::collections::BTreeSet;

/// Returns the set of a text's pieces between `( ) [ ] , . : ' " =` and white space (arXiv 2511.01934, Section 3).
///
/// ```
/// use sparring_reward::calls::tokens;
/// assert_eq!(tokens("[f(a=1, b='x y'), f()]").into_iter().collect::<Vec<_>>(), ["1", "a", "b", "f", "x", "y"]);
/// ```
pub fn tokens(text: &str) -> BTreeSet<&str> {
    const DELIMITERS: [char; 10] = ['(', ')', '[', ']', ',', '.', ':', '\'', '"', '='];
    let delimiter = |c: char| c.is_whitespace() || DELIMITERS.contains(&c);
    text.split(delimiter).filter(|token| !token.is_empty()).collect()
}

/// A measure of the overlap of two sets of tokens, Y of the answer and Y* of the reference; each in [0, 1].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overlap {
    /// `|Y∩Y*| / |Y*|`: extra tokens have no cost.
    #[default]
    Recall,
    /// `2·|Y∩Y*| / (|Y| + |Y*|)`: penalises listing everything.
    F1,
    /// `|Y∩Y*| / |Y∪Y*|`.
    Jaccard,
}

/// Compares two sets of tokens, in [0, 1]. With an empty reference, 1 if the answer is empty too, else 0.
///
/// ```
/// use sparring_reward::calls::{Overlap, overlap, tokens};
/// let (reference, answer) = (tokens("f(a=1)"), tokens("f(a=2, b=3)"));
/// assert_eq!(overlap(&reference, &answer, Overlap::Recall), 2.0 / 3.0); // f and a of f, a, 1
/// assert_eq!(overlap(&reference, &answer, Overlap::F1), 0.5);
/// assert_eq!(overlap(&reference, &answer, Overlap::Jaccard), 1.0 / 3.0);
/// ```
pub fn overlap(reference: &BTreeSet<&str>, answer: &BTreeSet<&str>, measure: Overlap) -> f64 {
    let (expected, found) = (reference.len() as f64, answer.len() as f64);
    if reference.is_empty() {
        return if answer.is_empty() { 1.0 } else { 0.0 };
    }
    let common = reference.intersection(answer).count() as f64;
    match measure {
        Overlap::Recall => common / expected,
        Overlap::F1 => 2.0 * common / (expected + found),
        Overlap::Jaccard => common / (expected + found - common),
    }
}

/// The part of a completion that is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// The content of the tag's last block; nothing without one.
    #[default]
    Answer,
    /// The whole text, including the reasoning.
    Response,
}

/// How to score tasks without calls, whose reference has no tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoCalls {
    /// Full overlap if the completion makes no call, else none.
    #[default]
    Declined,
    /// The reward does not apply.
    Skip,
}

/// Scores `offset + overlap(Y*, Y)`: Tool-Zero's `r_general = -0.5 + |Y∩Y*| / |Y*|`, in [-0.5, 0.5] (arXiv 2511.01934,
/// Eq. 2), over the sets of [`tokens`] of the completion and of the task's calls as rendered in the format.
///
/// The paper does not say whether it compares the answer or the whole response; the answer is the default. Component:
/// `overlap`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TokenOverlap {
    /// The format of calls.
    pub format: CallFormat,
    /// How the sets are compared.
    pub measure: Overlap,
    /// Added to the overlap.
    pub offset: f64,
    /// The part of a completion that is compared.
    pub scope: Scope,
    /// Tag of the answer.
    pub tag: String,
    /// How to score tasks without calls.
    pub no_calls: NoCalls,
}

impl Default for TokenOverlap {
    /// Tool-Zero's: recall − 0.5, over `<answer>`.
    fn default() -> Self {
        Self {
            format: CallFormat::default(),
            measure: Overlap::default(),
            offset: -0.5,
            scope: Scope::default(),
            tag: "answer".to_owned(),
            no_calls: NoCalls::default(),
        }
    }
}

impl TokenOverlap {
    /// Scores calls in this format.
    pub fn of(format: impl Into<CallFormat>) -> Self {
        Self { format: format.into(), ..Self::default() }
    }

    /// Sets how the sets are compared.
    #[must_use]
    pub fn with_measure(mut self, measure: Overlap) -> Self {
        self.measure = measure;
        self
    }

    /// Sets the part of a completion that is compared.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    fn inside<'a>(&self, text: &'a str) -> Option<&'a str> {
        last_block(text, &self.tag, Case::Sensitive).ok().map(|block| block.content)
    }
}

impl CallRule for TokenOverlap {
    fn name(&self) -> &'static str {
        "overlap"
    }

    fn format(&self) -> CallFormat {
        self.format
    }

    fn score(&self, task: &ToolTask, answer: &Answer<'_>) -> Option<f64> {
        if task.calls.is_empty() {
            let declined = answer.calls.is_ok_and(<[_]>::is_empty);
            return match self.no_calls {
                NoCalls::Declined => Some(self.offset + f64::from(u8::from(declined))),
                NoCalls::Skip => None,
            };
        }
        let reference = answer.parser.render(&task.calls);
        let reference = tokens(self.inside(&reference).unwrap_or(&reference));
        let answer = match self.scope {
            Scope::Answer => self.inside(answer.text).unwrap_or_default(),
            Scope::Response => answer.text,
        };
        Some(self.offset + overlap(&reference, &tokens(answer), self.measure))
    }
}
