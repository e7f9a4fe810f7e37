//! Majority voting: the most frequent answer as the label, as in R-Zero (arXiv 2508.05004) and Agent0 (arXiv
//! 2511.16043).

use crate::extract::Extract;
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Reward, RewardContext, Rollout};

/// How ties between equally frequent answers are resolved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ties {
    /// The answer that was given first, as in R-Zero's released code. Only with this rule does the order of the answers
    /// matter.
    #[default]
    First,
    /// Every one of them is a label.
    All,
    /// There is no label.
    Undecided,
}

/// Returns the majority's answers, and the count of each: one, several under [`Ties::All`], or none.
fn winners<'a>(answers: &[Option<&'a str>], ties: Ties) -> (Vec<&'a str>, usize) {
    let count = |answer: &str| answers.iter().filter(|other| **other == Some(answer)).count();
    let most = answers.iter().flatten().map(|answer| count(answer)).max().unwrap_or(0);
    let mut first: Vec<&str> = Vec::new();
    for answer in answers.iter().flatten() {
        if count(answer) == most && !first.contains(answer) {
            first.push(answer);
        }
    }
    match ties {
        Ties::First => first.truncate(1),
        Ties::Undecided if first.len() > 1 => first.clear(),
        Ties::All | Ties::Undecided => {}
    }
    (first, most)
}

/// Returns `1[answer = majority answer]` for each of a group's answers; a missing answer scores 0. `None` for all of
/// them if there is no majority.
///
/// ```
/// use sparring_reward::majority::{Ties, majority_rewards};
/// let answers = [Some("4"), Some("5"), Some("4"), None];
/// assert_eq!(majority_rewards(&answers, Ties::First), [1.0, 0.0, 1.0, 0.0].map(Some));
/// let tied = [Some("5"), Some("4")];
/// assert_eq!(majority_rewards(&tied, Ties::First), [1.0, 0.0].map(Some));
/// assert_eq!(majority_rewards(&tied, Ties::All), [1.0, 1.0].map(Some));
/// assert_eq!(majority_rewards(&tied, Ties::Undecided), [None, None]);
/// ```
pub fn majority_rewards(answers: &[Option<&str>], ties: Ties) -> Vec<Option<f64>> {
    let (winners, _) = winners(answers, ties);
    if winners.is_empty() {
        return vec![None; answers.len()];
    }
    let wins = |answer: Option<&str>| answer.is_some_and(|answer| winners.contains(&answer));
    answers.iter().map(|answer| Some(if wins(*answer) { 1.0 } else { 0.0 })).collect()
}

/// Returns the self-consistency: the share `p` of all answers, including missing ones, that equal the most frequent
/// one, in (0, 1]; `None` if there is no answer. R-Zero rewards its challenger by it.
///
/// ```
/// use sparring_reward::majority::self_consistency;
/// assert_eq!(self_consistency(&[Some("4"), Some("5"), Some("4"), None]), Some(0.5));
/// assert_eq!(self_consistency(&[None, None]), None);
/// ```
pub fn self_consistency(answers: &[Option<&str>]) -> Option<f64> {
    let (_, most) = winners(answers, Ties::First);
    (most > 0).then(|| most as f64 / answers.len() as f64)
}

/// Scores [`majority_rewards`] within the group: the completions themselves vote for the label. If a task already has a
/// label from an earlier vote, compare with that instead. Component: `majority`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Majority {
    /// How to find the answer.
    pub answer: Extract,
    /// How ties are resolved.
    pub ties: Ties,
}

impl<T: ?Sized> Reward<T> for Majority {
    fn name(&self) -> &'static str {
        "majority"
    }

    fn score(&self, _: &T, group: &[Rollout], _: &RewardContext<'_>) -> Result<Vec<Option<f32>>, BoxError> {
        let answers: Vec<Option<String>> = group.iter().map(|out| self.answer.of(&out.text)).collect();
        let answers: Vec<Option<&str>> = answers.iter().map(Option::as_deref).collect();
        Ok(majority_rewards(&answers, self.ties).into_iter().map(|r| r.map(|r| r as f32)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_group_votes() {
        let rule = Majority { answer: Extract::Boxed, ..Majority::default() };
        let group = [r"\boxed{4}", r"so \boxed{ 4 }", r"\boxed{5}", "4"].map(Rollout::from_text);
        let score = |group: &[Rollout]| rule.score("", group, &RewardContext::default()).unwrap();
        assert_eq!(score(&group), [1.0, 1.0, 0.0, 0.0].map(Some));
        assert_eq!(score(&group[3..]), [None]);
        assert_eq!(score(&[]), []);
    }

    fn answers() -> impl Strategy<Value = Vec<Option<String>>> {
        prop::collection::vec(prop::option::of("[abc]"), 0..8)
    }

    proptest! {
        #[test]
        fn the_majority_is_right_and_order_matters_only_for_ties(answers in answers(), by in 0_usize..8) {
            let all: Vec<Option<&str>> = answers.iter().map(Option::as_deref).collect();
            let mut turned = all.clone();
            turned.rotate_left(by % all.len().max(1));
            for ties in [Ties::All, Ties::Undecided] {
                let mut want = majority_rewards(&all, ties);
                want.rotate_left(by % all.len().max(1));
                prop_assert_eq!(majority_rewards(&turned, ties), want);
            }
            prop_assert_eq!(self_consistency(&turned), self_consistency(&all));
            let first = majority_rewards(&all, Ties::First);
            let right = first.iter().filter(|r| **r == Some(1.0)).count();
            prop_assert_eq!(self_consistency(&all), (right > 0).then(|| right as f64 / all.len() as f64));
            prop_assert!(all.iter().zip(&first).all(|(a, r)| a.is_some() || *r != Some(1.0)));
        }
    }
}
