use crate::batch::{Item, micro_batches};
use crate::normaliser::Totals;
use crate::{Grpo, GrpoError, OldLogp, RolloutGroup, advantages};
use sparring_core::Rollout;
use std::ops::Range;

/// One optimiser step's share of the rollouts.
pub(crate) struct MiniBatch<'a> {
    pub(crate) items: Vec<Item<'a>>,
    pub(crate) calls: Vec<Range<usize>>,
    /// Unmasked completion tokens, learned or not.
    pub(crate) tokens: usize,
}

/// One group after its checks.
pub(crate) struct Graded<'a> {
    index: usize,
    rollouts: &'a [Rollout],
    pub(crate) advantages: Vec<f32>,
}

impl Graded<'_> {
    /// Whether the group carries no signal.
    pub(crate) fn dead(&self) -> bool {
        self.advantages.iter().all(|&a| a == 0.0)
    }
}

impl Grpo {
    /// Checks the groups and computes their advantages.
    pub(crate) fn grade<'a>(&self, groups: &[RolloutGroup<'a>]) -> Result<Vec<Graded<'a>>, GrpoError> {
        let grade = |(index, group): (usize, &RolloutGroup<'a>)| {
            check(index, group, self.config.old_logp)?;
            let advantages = advantages(&*self.advantage, group.rewards);
            match advantages.iter().position(|a| !a.is_finite()) {
                Some(completion) => {
                    Err(GrpoError::NonFinite { group: index, completion, what: "the advantage" })
                }
                None => Ok(Graded { index, rollouts: group.rollouts, advantages }),
            }
        };
        groups.iter().enumerate().map(grade).collect()
    }

    /// Cuts the groups into optimiser steps, and those into calls of the learner.
    pub(crate) fn mini_batches<'a>(&self, graded: &[Graded<'a>]) -> Vec<MiniBatch<'a>> {
        let live: Vec<&Graded<'a>> =
            graded.iter().filter(|group| !self.config.drop_zero_signal || !group.dead()).collect();
        let count = self.config.mini_batches;
        let all_tokens: usize = live.iter().map(|group| self.group_tokens(group)).sum();
        let tokens_per_step = all_tokens as f64 / count as f64;
        (0..count)
            .map(|i| &live[i * live.len() / count..(i + 1) * live.len() / count])
            .map(|part| self.mini_batch(part, tokens_per_step))
            .collect()
    }

    fn mini_batch<'a>(&self, part: &[&Graded<'a>], tokens_per_step: f64) -> MiniBatch<'a> {
        let totals = Totals {
            completions: part.iter().map(|group| group.rollouts.len()).sum(),
            tokens: part.iter().map(|group| self.group_tokens(group)).sum(),
            tokens_per_step,
            max_tokens: self.config.max_completion_tokens.unwrap_or(1),
        };
        let mut items = Vec::new();
        for group in part {
            for (completion, (rollout, &advantage)) in
                group.rollouts.iter().zip(&group.advantages).enumerate()
            {
                let tokens = self.unmasked(rollout);
                if tokens > 0 && (advantage != 0.0 || self.regularised()) {
                    items.push(Item {
                        group: group.index,
                        completion,
                        rollout,
                        advantage: f64::from(advantage),
                        weight: self.config.loss.token_weight(tokens, &totals),
                        old: None,
                        reference: None,
                    });
                }
            }
        }
        let calls = micro_batches(&items, self.config.micro_batch_tokens);
        MiniBatch { items, calls, tokens: totals.tokens }
    }

    fn group_tokens(&self, group: &Graded<'_>) -> usize {
        group.rollouts.iter().map(|rollout| self.unmasked(rollout)).sum()
    }

    /// Completion tokens that carry loss.
    fn unmasked(&self, rollout: &Rollout) -> usize {
        if self.config.mask_truncated && rollout.truncated() { 0 } else { rollout.tokens.len() }
    }

    /// Whether completions without an advantage have a gradient all the same.
    fn regularised(&self) -> bool {
        self.config.kl_coef > 0.0 || self.config.entropy_coef > 0.0
    }
}

/// Checks one group before anything is computed.
fn check(index: usize, group: &RolloutGroup<'_>, old: OldLogp) -> Result<(), GrpoError> {
    let bad = |what: String| Err(GrpoError::Group { group: index, what });
    let (rollouts, rewards) = (group.rollouts.len(), group.rewards.len());
    if rollouts != rewards {
        return bad(format!("{rollouts} completions but {rewards} rewards; pass one for each"));
    }
    for (completion, rollout) in group.rollouts.iter().enumerate() {
        let non_finite = |what| GrpoError::NonFinite { group: index, completion, what };
        if group.rewards[completion].is_some_and(|reward| !reward.is_finite()) {
            return Err(non_finite("the reward"));
        }
        if rollout.prompt != group.rollouts[0].prompt {
            return bad(format!("completion {completion} has another prompt than completion 0"));
        }
        if rollout.prompt.is_empty() && !rollout.tokens.is_empty() {
            return bad(format!("completion {completion} has tokens but an empty prompt"));
        }
        if old == OldLogp::Sampler {
            let (tokens, logps) = (rollout.tokens.len(), rollout.logp.len());
            if tokens != logps {
                return bad(format!(
                    "completion {completion} has {tokens} tokens but {logps} log-probabilities"
                ));
            }
            if rollout.logp.iter().any(|logp| !logp.is_finite()) {
                return Err(non_finite("the sampler's log-probability"));
            }
        }
    }
    Ok(())
}
