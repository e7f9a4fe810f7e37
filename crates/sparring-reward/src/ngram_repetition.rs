//! A penalty for completions that repeat themselves (arXiv 2502.03373, appendix C.2).

use crate::RewardError;
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};
use std::collections::HashSet;
use std::hash::Hash;

/// Returns the share of the n-grams that occurred before, `1 - distinct / total`, in [0, 1); 0 for fewer than `size`
/// units, or if `size` is 0.
///
/// ```
/// use sparring_reward::ngram_repetition::repeated_share;
/// assert_eq!(repeated_share(&[1, 2, 3, 4], 2), 0.0);
/// assert_eq!(repeated_share(&[5; 5], 2), 0.75);
/// ```
pub fn repeated_share<T: Eq + Hash>(units: &[T], size: usize) -> f64 {
    share(if size == 0 { None } else { Some(units.windows(size)) }.into_iter().flatten())
}

fn share<T: Eq + Hash>(ngrams: impl Iterator<Item = T>) -> f64 {
    let (mut distinct, mut total) = (HashSet::new(), 0);
    for ngram in ngrams {
        distinct.insert(ngram);
        total += 1;
    }
    if total == 0 { 0.0 } else { 1.0 - distinct.len() as f64 / f64::from(total) }
}

/// What an n-gram consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// The token ids that the policy wrote, as in TRL; no n-gram extends over tokens of the environment.
    #[default]
    Tokens,
    /// The words of the text, in lower case, between white space, as in Open-R1.
    Words,
}

/// Scores `-max_penalty` · [`repeated_share`] of each completion by itself, in (-max_penalty, 0]: the
/// `get_repetition_penalty_reward` of TRL, with its defaults of n-grams of size 3 and a largest penalty of 1.
/// Component: `ngram_repetition`.
///
/// [`Repetition`](crate::repetition::Repetition) compares the completions of a batch instead.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct NgramRepetition {
    /// Units in an n-gram, at least 1.
    pub size: usize,
    /// Penalty of a completion that only repeats itself; at least 0 (TRL's has the opposite sign).
    pub max_penalty: f64,
    /// What an n-gram consists of.
    pub unit: Unit,
}

impl Default for NgramRepetition {
    fn default() -> Self {
        Self { size: 3, max_penalty: 1.0, unit: Unit::Tokens }
    }
}

impl NgramRepetition {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`RewardError::Invalid`] with the setting.
    pub fn validate(&self) -> Result<(), RewardError> {
        if self.size == 0 {
            return Err(RewardError::invalid("size", "must be at least 1"));
        }
        if !(self.max_penalty >= 0.0 && self.max_penalty.is_finite()) {
            return Err(RewardError::invalid("max_penalty", "must be finite and at least 0"));
        }
        Ok(())
    }

    fn share(&self, rollout: &Rollout) -> Result<f64, RewardError> {
        match self.unit {
            Unit::Words => {
                let words: Vec<String> = rollout.text.split_whitespace().map(str::to_lowercase).collect();
                Ok(repeated_share(&words, self.size))
            }
            Unit::Tokens if !rollout.has_tokens() => {
                let what = "needs token ids, and got a completion of text only: set `unit` to \"words\"";
                Err(RewardError::contract(NAME, what))
            }
            Unit::Tokens => {
                let written: Vec<Option<u32>> = rollout
                    .tokens
                    .iter()
                    .enumerate()
                    .map(|(t, &token)| rollout.wrote(t).then_some(token))
                    .collect();
                let own = written.windows(self.size).filter(|ngram| ngram.iter().all(Option::is_some));
                Ok(share(own))
            }
        }
    }
}

const NAME: &str = "ngram_repetition";

impl<T: ?Sized> Reward<T> for NgramRepetition {
    fn name(&self) -> &'static str {
        NAME
    }

    fn score(&self, _: &T, group: &[Rollout], _: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        self.validate()?;
        // Not -0 for a completion without repetition.
        let score = |share: f64| if share > 0.0 { (-self.max_penalty * share) as f32 } else { 0.0 };
        Ok(group.iter().map(|out| Ok(Some(score(self.share(out)?)))).collect::<Result<_, RewardError>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn score(rule: NgramRepetition, rollout: Rollout) -> Result<Option<f32>, BoxError> {
        rule.score("", &[rollout], &RewardContext::default()).map(|scores| scores[0])
    }

    #[test]
    fn tokens_by_hand() {
        let rule = NgramRepetition::default();
        let of = |tokens: &[u32]| Rollout::from_text("").with_tokens([0], tokens.to_vec());
        // 1 2 3, 2 3 1, 3 1 2, 1 2 3: one of four is a repetition.
        assert_eq!(score(rule, of(&[1, 2, 3, 1, 2, 3])).unwrap(), Some(-0.25));
        assert_eq!(score(rule, of(&[7, 7])).unwrap(), Some(0.0));
        assert_eq!(score(rule, of(&[])).unwrap(), Some(0.0));
        let half = NgramRepetition { max_penalty: 0.5, size: 1, ..rule };
        assert_eq!(score(half, of(&[7, 7, 7, 7])).unwrap(), Some(-0.375));
        // What a tool wrote is not the policy's repetition, and joins no n-gram.
        let mut turns = of(&[1, 2, 3, 1, 2, 3, 1, 2, 3]);
        turns.observations.push(3..6);
        assert_eq!(score(rule, turns).unwrap(), Some(-0.5));
        assert!(score(rule, Rollout::from_text("words only")).unwrap_err().to_string().contains("token ids"));
    }

    #[test]
    fn words_by_hand() {
        let rule = NgramRepetition { unit: Unit::Words, ..NgramRepetition::default() };
        let of = |text: &str| score(rule, Rollout::from_text(text)).unwrap();
        assert_eq!(of("No no NO  no no"), Some(-2.0 / 3.0));
        assert_eq!(of("no repetition in here"), Some(0.0));
        assert_eq!(of(""), Some(0.0));
    }

    proptest! {
        #[test]
        fn a_share_that_grows_with_copies(units in prop::collection::vec(0_u8..4, 1..12), size in 1_usize..5) {
            let once = repeated_share(&units, size);
            prop_assert!((0.0..1.0).contains(&once));
            let twice: Vec<u8> = units.iter().chain(&units).copied().collect();
            prop_assert!(repeated_share(&twice, size) >= once - 1e-12);
            prop_assert_eq!(repeated_share(&units, 0), 0.0);
        }
    }
}
