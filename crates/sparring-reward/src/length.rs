//! A reward for long reasoning: an ablation of ToolRL (arXiv 2504.13958), which found that it hurts.

use crate::{RewardError, Schedule};
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};

/// Returns `min(1, round(words / target, 2))`, in [0, 1], with ties rounded to even as in Python.
///
/// ```
/// use sparring_reward::length::length_share;
/// assert_eq!([0, 64, 256, 512, 900].map(|words| length_share(words, 512.0)), [0.0, 0.12, 0.5, 1.0, 1.0]);
/// ```
pub fn length_share(words: usize, target: f64) -> f64 {
    ((words as f64 / target * 100.0).round_ties_even() / 100.0).min(1.0)
}

/// Scores [`length_share`] of the words in the last block of a tag, 0 if the tag is missing. The target is 512 words in
/// ToolRL's `WITHLENGTH`; its dynamic length moves from 384 to 640 over 105 steps. Component: `length`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Length {
    /// Tag of the reasoning.
    pub tag: String,
    /// Number of words that scores 1; above 0.
    pub target: Schedule,
}

impl Default for Length {
    fn default() -> Self {
        Self { tag: "think".to_owned(), target: Schedule::Constant(512.0) }
    }
}

impl Length {
    /// Returns the number of words in the tag's last block, 0 if an opening or closing tag is missing. A block that is
    /// not closed after its opening ends with the text, as in the released code.
    pub fn words(&self, text: &str) -> usize {
        let close = format!("</{}>", self.tag);
        let inside = text.rsplit_once(&format!("<{}>", self.tag)).map(|(_, inside)| inside);
        let Some(inside) = inside.filter(|_| text.contains(&close)) else { return 0 };
        inside.split_once(&close).map_or(inside, |(block, _)| block).split_whitespace().count()
    }
}

impl<T: ?Sized> Reward<T> for Length {
    fn name(&self) -> &'static str {
        "length"
    }

    fn score(&self, _: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        let target = self.target.at(ctx.step, ctx.total_steps);
        if !(target > 0.0 && target.is_finite()) {
            let what = format!("has a target of {target} words at step {}, expected above 0", ctx.step);
            return Err(RewardError::contract("length", what).into());
        }
        Ok(group.iter().map(|out| Some(length_share(self.words(&out.text), target) as f32)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_of_the_last_thought() {
        let length = Length::default();
        for (text, words) in [
            ("<think> two  words </think> and more", 2),
            ("<think>one</think><think>not the first</think>", 3),
            ("no tags", 0),
            ("<think>open", 0),
            ("</think><think>odd one", 2),
        ] {
            assert_eq!(length.words(text), words, "{text}");
        }
    }

    #[test]
    fn the_target_may_move() {
        let moving =
            Length { target: Schedule::Ramp { from: 384.0, to: 640.0, steps: 105 }, ..Length::default() };
        let group = [Rollout::from_text(format!("<think>{}</think>", "word ".repeat(384)))];
        let at = |step| moving.score("", &group, &RewardContext::at(step, 105)).unwrap()[0];
        assert_eq!([at(0), at(105)], [Some(1.0), Some(0.6)]);
        let broken = Length { target: Schedule::Constant(0.0), ..Length::default() };
        assert!(broken.score("", &group, &RewardContext::default()).is_err());
    }

    proptest! {
        #[test]
        fn in_the_unit_interval_and_monotone(words in 0_usize..2000, target in 1.0..2000.0_f64) {
            let share = length_share(words, target);
            prop_assert!((0.0..=1.0).contains(&share));
            prop_assert!(length_share(words + 1, target) >= share);
            prop_assert!(words as f64 / target < 1.0 || share == 1.0);
        }
    }
}
