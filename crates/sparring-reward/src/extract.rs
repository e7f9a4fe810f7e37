//! Extraction of an answer or a question from a completion.

use crate::calls::CallFormat;
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};
use sparring_tools::blocks::{Case, last_block};
use sparring_tools::canonical_json;

/// How to extract a part of a completion.
///
/// ```
/// use sparring_reward::extract::Extract;
/// let text = r"<question>What is 1/2?</question> It is \boxed{\frac{1}{2}}.";
/// assert_eq!(Extract::Boxed.of(text).as_deref(), Some(r"\frac{1}{2}"));
/// assert_eq!(Extract::tag("question").of(text).as_deref(), Some("What is 1/2?"));
/// assert_eq!(Extract::tag("answer").of(text), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Extract {
    /// The whole text.
    #[default]
    Text,
    /// The last block of a tag.
    Tag {
        /// The tag.
        tag: String,
    },
    /// The last `\boxed{...}`, if it is closed; braces inside are balanced.
    Boxed,
    /// The calls, as a multiset, in canonical JSON: two answers with the same calls are equal.
    Calls {
        /// The format of calls.
        #[serde(default)]
        format: CallFormat,
    },
}

impl Extract {
    /// Returns the last block of this tag.
    pub fn tag(tag: impl Into<String>) -> Self {
        Self::Tag { tag: tag.into() }
    }

    /// Returns the part, trimmed; `None` if it is missing or empty. Calls that cannot be read count as missing; an
    /// empty list of calls is an answer.
    pub fn of(&self, text: &str) -> Option<String> {
        let part = match self {
            Self::Text => text.to_owned(),
            Self::Tag { tag } => last_block(text, tag, Case::Sensitive).ok()?.content.to_owned(),
            Self::Boxed => boxed(text)?.to_owned(),
            Self::Calls { format } => {
                let calls = format.0.parser().parse(text).ok()?;
                let mut calls: Vec<String> =
                    calls.iter().map(|call| canonical_json(&call.to_json())).collect();
                calls.sort_unstable();
                format!("[{}]", calls.join(","))
            }
        };
        let part = part.trim();
        (!part.is_empty()).then(|| part.to_owned())
    }
}

/// Returns the content of the last `\boxed{...}`, if it is closed.
fn boxed(text: &str) -> Option<&str> {
    const OPEN: &str = r"\boxed{";
    let closed = |start: usize| {
        let mut depth = 1_usize;
        text[start..].char_indices().find_map(|(i, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            (depth == 0).then(|| &text[start..start + i])
        })
    };
    // Only the last opening counts, so that the time is linear.
    text.rfind(OPEN).and_then(|at| closed(at + OPEN.len()))
}

/// Scores `pass` if a completion has the part, else `fail`. Component: `present`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Present {
    /// The part.
    pub part: Extract,
    /// Score if the part is present.
    pub pass: f64,
    /// Score if it is missing.
    pub fail: f64,
}

impl Default for Present {
    /// 1 or 0.
    fn default() -> Self {
        Self { part: Extract::default(), pass: 1.0, fail: 0.0 }
    }
}

impl<T: ?Sized> Reward<T> for Present {
    fn name(&self) -> &'static str {
        "present"
    }

    fn score(&self, _: &T, group: &[Rollout], _: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        let score = |text: &str| if self.part.of(text).is_some() { self.pass } else { self.fail };
        Ok(group.iter().map(|rollout| Some(score(&rollout.text) as f32)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring_tools::Format;

    #[test]
    fn present_or_not() {
        let rule = Present { part: Extract::Boxed, pass: 0.0, fail: -1.0 };
        let group = [r"\boxed{1}", "1"].map(Rollout::from_text);
        assert_eq!(rule.score("", &group, &RewardContext::default()).unwrap(), [Some(0.0), Some(-1.0)]);
    }

    #[test]
    fn boxes_and_calls() {
        for (text, want) in [
            (r"\boxed{1} then \boxed{ 2 }", Some("2")),
            (r"\boxed{a{b}c}", Some("a{b}c")),
            (r"\boxed{1} and \boxed{2", None),
            (r"\boxed{}", None),
            ("none", None),
        ] {
            assert_eq!(Extract::Boxed.of(text).as_deref(), want, "{text}");
        }
        let calls = Extract::Calls { format: Format::R1Python.into() };
        let [a, b] = ["[g(), f(b=1, a=2)]", "[f(a=2, b=1), g()]"]
            .map(|list| calls.of(&format!("<answer>{list}</answer>")));
        assert!(a.is_some() && a == b);
        assert_eq!(calls.of("<answer>No.</answer>").as_deref(), Some("[]"));
        assert_eq!(calls.of("<answer>[f(a=1"), None);
    }
}
