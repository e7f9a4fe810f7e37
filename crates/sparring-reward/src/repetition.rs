//! A penalty for similar questions, from R-Zero (arXiv 2508.05004) and as in Tool-R0's code.

use crate::RewardError;
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};
use std::collections::BTreeSet;

mod bleu;
mod cluster;

pub use bleu::bleu;

/// The distance between two questions, in [0, 1].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    /// [`distance`]: Jaccard distance of the character 3-grams.
    #[default]
    Grams,
    /// `1 - BLEU` of the earlier question against the later one ([`bleu()`]), as in R-Zero's code.
    Bleu,
}

/// How questions are clustered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Linkage {
    /// Single linkage: questions that are similar, directly or through others.
    #[default]
    Single,
    /// Average linkage, as in R-Zero's code.
    Average,
}

/// The score of a completion without a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missing {
    /// None: the reward does not apply.
    #[default]
    Skip,
    /// The penalty of a cluster of one, as in R-Zero's code.
    Alone,
}

/// Settings of [`Repetition`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RepetitionSettings {
    /// Distance below which questions are similar; in [0, 1].
    pub distance: f64,
    /// λ, the penalty of a batch that is a single cluster; at least 0.
    pub weight: f64,
    /// The distance between two questions.
    pub measure: Measure,
    /// How questions are clustered.
    pub linkage: Linkage,
    /// The score of completions without a question.
    pub missing: Missing,
}

impl Default for RepetitionSettings {
    /// Tool-R0's: distance 0.30 between character 3-grams, weight 0.20.
    fn default() -> Self {
        Self {
            distance: 0.30,
            weight: 0.20,
            measure: Measure::default(),
            linkage: Linkage::default(),
            missing: Missing::default(),
        }
    }
}

impl RepetitionSettings {
    /// Returns R-Zero's settings (arXiv 2508.05004, and its code): `|cluster| / B`, average linkage where `1 - BLEU` is
    /// below 0.5.
    pub fn r_zero() -> Self {
        Self {
            distance: 0.5,
            weight: 1.0,
            measure: Measure::Bleu,
            linkage: Linkage::Average,
            ..Self::default()
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`RewardError::Invalid`] with the setting.
    pub fn validate(&self) -> Result<(), RewardError> {
        if !(0.0..=1.0).contains(&self.distance) {
            return Err(RewardError::invalid("distance", "must be in [0, 1]"));
        }
        if !(self.weight >= 0.0 && self.weight.is_finite()) {
            return Err(RewardError::invalid("weight", "must be finite and at least 0"));
        }
        Ok(())
    }
}

/// Returns the Jaccard distance `1 - |A∩B| / |A∪B|` of the character 3-grams of two texts (white space collapsed, lower
/// case), in [0, 1]. A text shorter than three characters is a single gram.
pub fn distance(a: &str, b: &str) -> f64 {
    jaccard(&grams(a), &grams(b))
}

fn grams(text: &str) -> BTreeSet<[char; 3]> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let mut chars: Vec<char> = text.chars().collect();
    if !chars.is_empty() && chars.len() < 3 {
        chars.resize(3, '\0');
    }
    chars.windows(3).filter_map(|w| w.try_into().ok()).collect()
}

fn jaccard(a: &BTreeSet<[char; 3]>, b: &BTreeSet<[char; 3]>) -> f64 {
    let common = a.intersection(b).count();
    let all = a.len() + b.len() - common;
    if all == 0 { 0.0 } else { 1.0 - common as f64 / all as f64 }
}

/// Returns `-weight · |cluster| / B` for each question of a batch of `B`, in [-weight, 0].
///
/// A cluster contains similar questions, as [`Linkage`] says; a question without similar ones is a cluster of one.
/// `None` (no question was proposed) counts in `B`; [`Missing`] says whether it is penalised.
pub fn penalties(questions: &[Option<&str>], settings: &RepetitionSettings) -> Vec<Option<f64>> {
    let texts: Vec<&str> = questions.iter().copied().flatten().collect();
    let clusters = clusters(&texts, settings);
    let mut size = vec![0_usize; texts.len()];
    for &cluster in &clusters {
        size[cluster] += 1;
    }
    let mut sizes = clusters.iter().map(|&cluster| size[cluster]);
    let share = |size: usize| -settings.weight * (size as f64 / questions.len() as f64);
    let penalty = |question: Option<&str>| match (question, settings.missing) {
        (Some(_), _) => sizes.next().map(share),
        (None, Missing::Alone) => Some(share(1)),
        (None, Missing::Skip) => None,
    };
    questions.iter().copied().map(penalty).collect()
}

/// The cluster of each text.
fn clusters(texts: &[&str], settings: &RepetitionSettings) -> Vec<usize> {
    let link = |distance: &dyn Fn(usize, usize) -> f64| match settings.linkage {
        Linkage::Single => cluster::single(texts.len(), settings.distance, distance),
        Linkage::Average => cluster::average(texts.len(), settings.distance, distance),
    };
    match settings.measure {
        Measure::Grams => {
            let grams: Vec<_> = texts.iter().map(|text| grams(text)).collect();
            link(&|i, j| jaccard(&grams[i], &grams[j]))
        }
        Measure::Bleu => {
            let words: Vec<Vec<&str>> = texts.iter().map(|text| text.split_whitespace().collect()).collect();
            link(&|i, j| 1.0 - bleu::bleu_of(&words[i], &words[j]))
        }
    }
}

/// Scores [`penalties`] over the whole batch of the context, or over the group if the context has no batch.
#[derive(Debug, Clone)]
pub struct Repetition<F> {
    question: F,
    settings: RepetitionSettings,
}

impl<F> Repetition<F>
where
    F: Fn(&str) -> Option<String> + Send + Sync,
{
    /// Returns the reward; `question` extracts the question from a completion's text, or returns `None`.
    ///
    /// # Errors
    /// [`RewardError::Invalid`] if a setting is out of range.
    pub fn new(question: F, settings: RepetitionSettings) -> Result<Self, RewardError> {
        settings.validate()?;
        Ok(Self { question, settings })
    }
}

const NAME: &str = "repetition";

impl<T: ?Sized, F> Reward<T> for Repetition<F>
where
    F: Fn(&str) -> Option<String> + Send + Sync,
{
    fn name(&self) -> &'static str {
        NAME
    }

    fn score(&self, _: &T, group: &[Rollout], ctx: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        let (batch, start): (Vec<&Rollout>, usize) = if ctx.batch.is_empty() {
            (group.iter().collect(), 0)
        } else {
            let same = |g: &&[Rollout]| std::ptr::eq(*g, group);
            let groups: Vec<&[Rollout]> = ctx.batch.iter().map(Vec::as_slice).collect();
            let at = groups
                .iter()
                .position(same)
                .or_else(|| groups.iter().position(|g| *g == group))
                .ok_or_else(|| RewardError::contract(NAME, "got a group that is not in the batch"))?;
            (ctx.batch.iter().flatten().collect(), groups[..at].iter().map(|g| g.len()).sum())
        };
        let questions: Vec<Option<String>> =
            batch.iter().map(|rollout| (self.question)(&rollout.text)).collect();
        let questions: Vec<Option<&str>> = questions.iter().map(Option::as_deref).collect();
        let all = penalties(&questions, &self.settings);
        Ok(all[start..start + group.len()].iter().map(|p| p.map(|p| p as f32)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn clusters_by_hand() {
        // Grams of "abcd": abc, bcd; of "abcde": abc, bcd, cde: distance 1/3.
        assert!((distance("abcd", "abcde") - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(distance("Hi  there", "hi THERE"), 0.0);
        assert_eq!((distance("", ""), distance("a", ""), distance("ab", "ab")), (0.0, 1.0, 0.0));
        let settings = RepetitionSettings { distance: 0.34, ..RepetitionSettings::default() };
        // 1 and 3 are similar, 3 and 4 too (1/4); 1 and 4 are not (2/4) but are joined through 3.
        let batch = [Some("abcd"), Some("xyz"), None, Some("abcde"), Some("abcdef")];
        let got = penalties(&batch, &settings);
        let want = [Some(-0.12), Some(-0.04), None, Some(-0.12), Some(-0.12)];
        for (got, want) in got.into_iter().zip(want) {
            assert!((got.unwrap_or(9.0) - want.unwrap_or(9.0)).abs() < 1e-12, "{got:?} {want:?}");
        }
    }

    #[test]
    fn the_batch_counts_and_foreign_groups_are_an_error() {
        let group = |texts: &[&str]| texts.iter().map(|t| Rollout::from_text(*t)).collect::<Vec<_>>();
        let batch = [group(&["weather in Oslo", "x"]), group(&["weather in Oslo", "y"])];
        let reward =
            Repetition::new(|text: &str| Some(text.to_owned()), RepetitionSettings::default()).unwrap();
        let ctx = RewardContext::default().with_batch(&batch);
        let score = reward.score("", &batch[1], &ctx).unwrap();
        assert_eq!(score, [Some(-0.1), Some(-0.05)]);
        let alone = reward.score("", &batch[1], &RewardContext::default()).unwrap();
        assert_eq!(alone, [Some(-0.1), Some(-0.1)]);
        assert!(reward.score("", &group(&["z"]), &ctx).is_err());
    }

    /// R-Zero's penalties: 1 - BLEU of the first two is 1 - (4/5·3/4·2/3·1/2)^(1/4) = 0.33, of the others 1.
    #[test]
    fn r_zero_by_hand() {
        let settings = RepetitionSettings::r_zero();
        let alone = RepetitionSettings { missing: Missing::Alone, ..settings };
        let batch =
            [Some("what is two plus two"), Some("what is two plus three"), None, Some("name a colour")];
        assert_eq!(penalties(&batch, &settings), [Some(-0.5), Some(-0.5), None, Some(-0.25)]);
        assert_eq!(penalties(&batch, &alone)[2], Some(-0.25));
        // Equal texts of fewer than four words are not similar: 1 - 0.1^(1/2) = 0.68 for two words.
        assert!((bleu("two words", "two words") - 0.1_f64.sqrt()).abs() < 1e-12);
        assert_eq!(penalties(&[Some("two words"); 2], &settings), [Some(-0.5); 2]);
    }

    proptest! {
        #[test]
        fn bleu_is_a_share_and_1_for_equal_texts(a in "[ab]( [ab]){0,7}", b in "[abc]( [abc]){0,7}") {
            prop_assert!((0.0..=1.0).contains(&bleu(&a, &b)));
            if a.split(' ').count() >= 4 {
                prop_assert!((bleu(&a, &a) - 1.0).abs() < 1e-12);
            }
            let batch = [Some(a.as_str()), Some(b.as_str()), None];
            for penalty in penalties(&batch, &RepetitionSettings::r_zero()).into_iter().flatten() {
                prop_assert!((-1.0..=0.0).contains(&penalty));
            }
        }

        #[test]
        fn order_does_not_matter(questions in prop::collection::vec("[ab]{0,6}", 1..8), by in 0_usize..8) {
            let all: Vec<Option<&str>> = questions.iter().map(|q| Some(q.as_str())).collect();
            let mut turned = all.clone();
            turned.rotate_left(by % all.len());
            let settings = RepetitionSettings::default();
            let mut expected = penalties(&all, &settings);
            expected.rotate_left(by % all.len());
            prop_assert_eq!(penalties(&turned, &settings), expected.clone());
            prop_assert!(expected.iter().flatten().all(|p| (-0.2..=0.0).contains(p)));
        }
    }
}
