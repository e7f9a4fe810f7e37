//! A format reward for required tags in order.

use crate::RewardError;
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};

/// Scores whether a completion has the required tags in order. Component: `format`.
///
/// `R_format ∈ {0, 1}` is 1 if all special tokens are present in the right order (arXiv 2511.01934, Eq. 2): the
/// tokens `<tag>` and `</tag>` of each tag, one tag after the other. Anything may be between them; of repeated tokens,
/// the first after the previous one counts.
///
/// ```
/// use sparring_reward::ordered_tags::OrderedTags;
/// let format = OrderedTags::default(); // <think> and <answer>, 1 or 0
/// assert_eq!(format.of_text("<think>2 + 2</think> <answer>4</answer>"), 1.0);
/// assert_eq!(format.of_text("<answer>4</answer> <think>2 + 2</think>"), 0.0);
/// let graded = OrderedTags { graded: true, ..OrderedTags::default() };
/// assert_eq!(graded.of_text("<answer>4</answer>"), 0.5);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
// Independent switches that can be combined freely.
#[allow(clippy::struct_excessive_bools)]
pub struct OrderedTags {
    /// The tags, in order; at least one.
    pub tags: Vec<String>,
    /// Score if every tag is present, in order.
    pub pass: f64,
    /// Score if one is missing or out of order.
    pub fail: f64,
    /// Whether each tag counts: `fail + (pass - fail)·(tags in order / tags)` instead of `pass` or `fail`.
    pub graded: bool,
    /// Whether each opening and closing tag may occur only once.
    pub once: bool,
    /// Whether only white space may be outside the tags.
    pub anchored: bool,
    /// Whether each tag must contain more than white space.
    pub filled: bool,
    /// Whether the prompt ends with the first opening tag, as in some chat templates, so that the completion starts
    /// inside.
    pub opened: bool,
}

impl Default for OrderedTags {
    /// Tool-Zero's: `<think>`, then `<answer>`; 1 or 0.
    fn default() -> Self {
        Self {
            tags: ["think", "answer"].map(str::to_owned).to_vec(),
            pass: 1.0,
            fail: 0.0,
            graded: false,
            once: false,
            anchored: false,
            filled: false,
            opened: false,
        }
    }
}

impl OrderedTags {
    /// Returns the rule for these tags; 1 or 0.
    pub fn new<S: Into<String>>(tags: impl IntoIterator<Item = S>) -> Self {
        Self { tags: tags.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Checks that there are tags, and that none is empty.
    ///
    /// # Errors
    /// [`RewardError::Invalid`] with the setting.
    pub fn validate(&self) -> Result<(), RewardError> {
        if self.tags.is_empty() || self.tags.iter().any(String::is_empty) {
            return Err(RewardError::invalid("tags", "must have at least one tag, none of them empty"));
        }
        Ok(())
    }

    /// Returns the score of one completion, between `fail` and `pass`.
    pub fn of_text(&self, text: &str) -> f64 {
        let found = self.found(text);
        if self.graded {
            self.fail + (self.pass - self.fail) * found as f64 / self.tags.len().max(1) as f64
        } else if found == self.tags.len() {
            self.pass
        } else {
            self.fail
        }
    }

    /// Returns the number of tags that are in order; 0 if there is forbidden text outside them.
    fn found(&self, text: &str) -> usize {
        let (mut rest, mut count, mut outside) = (text, 0, String::new());
        for (i, tag) in self.tags.iter().enumerate() {
            let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
            let opened = self.opened && i == 0;
            let before = if opened { Some(("", rest)) } else { rest.split_once(&open) };
            let Some((before, inside)) = before else { continue };
            let Some((content, after)) = inside.split_once(&close) else { continue };
            outside.push_str(before);
            rest = after;
            let often =
                text.matches(&open).count() != usize::from(!opened) || text.matches(&close).count() != 1;
            if !(self.once && often || self.filled && content.trim().is_empty()) {
                count += 1;
            }
        }
        outside.push_str(rest);
        if self.anchored && !outside.trim().is_empty() { 0 } else { count }
    }
}

impl<T: ?Sized> Reward<T> for OrderedTags {
    fn name(&self) -> &'static str {
        "format"
    }

    fn score(&self, _: &T, group: &[Rollout], _: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        Ok(group.iter().map(|rollout| Some(self.of_text(&rollout.text) as f32)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_setting_by_hand() {
        let plain = OrderedTags::default();
        let once = OrderedTags { once: true, ..plain.clone() };
        let anchored = OrderedTags { anchored: true, ..plain.clone() };
        let filled = OrderedTags { filled: true, ..plain.clone() };
        for (text, want) in [
            ("<think>a</think>\n<answer>b</answer>\n", [1.0, 1.0, 1.0, 1.0]),
            ("<think></think><answer> </answer>", [1.0, 1.0, 1.0, 0.0]),
            ("so: <think>a</think><answer>b</answer>", [1.0, 1.0, 0.0, 1.0]),
            ("<think>an <answer>?</think><answer>b</answer>", [1.0, 0.0, 1.0, 1.0]),
            ("a</think><answer>b</answer>", [0.0; 4]),
            ("<think>a</think><answer>b", [0.0; 4]),
            ("<answer>b</answer><think>a</think>", [0.0; 4]),
            ("", [0.0; 4]),
        ] {
            let got = [&plain, &once, &anchored, &filled].map(|format| format.of_text(text));
            assert_eq!(got, want, "{text}");
        }
        let opened = OrderedTags { opened: true, once: true, anchored: true, ..plain.clone() };
        assert_eq!(opened.of_text("a</think><answer>b</answer>"), 1.0);
        assert_eq!(opened.of_text("<think>a</think><answer>b</answer>"), 0.0);
        let valued = OrderedTags { pass: 0.5, fail: -2.0, ..plain };
        assert_eq!(["<think></think><answer></answer>", "x"].map(|t| valued.of_text(t)), [0.5, -2.0]);
        assert!(OrderedTags::new([] as [&str; 0]).validate().is_err());
    }

    proptest! {
        #[test]
        fn between_fail_and_pass_and_pass_for_the_perfect(
            text in "(<think>|</think>|<answer>|</answer>|a| ){0,8}",
            flags in prop::collection::vec(any::<bool>(), 4),
        ) {
            let format = OrderedTags {
                pass: 2.0, fail: -1.0,
                graded: flags[0], once: flags[1], anchored: flags[2], filled: flags[3],
                ..OrderedTags::default()
            };
            prop_assert!((-1.0..=2.0).contains(&format.of_text(&text)));
            prop_assert_eq!(format.of_text("<think>x</think> <answer>y</answer>"), 2.0);
            let binary = OrderedTags { graded: false, ..format.clone() };
            prop_assert_eq!(binary.of_text(&text) == 2.0, format.of_text(&text) == 2.0);
        }
    }
}
