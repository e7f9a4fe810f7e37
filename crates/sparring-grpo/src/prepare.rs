use crate::advantage::{Baselines, GroupRewards, without_rounding};
use crate::micro_batch::{LearnedCompletion, micro_batches};
use crate::normaliser::Totals;
use crate::surrogate::Surrogate;
use crate::{AdvantageKind, Grpo, GrpoError, OldLogp, RolloutGroup, advantages};
use sparring_core::Rollout;
use std::ops::Range;

/// The rewards of each group.
pub(crate) type Rewards = [Vec<Option<f64>>];

/// One optimiser step's share of the rollouts.
pub(crate) struct MiniBatch<'a> {
    pub(crate) completions: Vec<LearnedCompletion<'a>>,
    /// Ranges of `completions`.
    pub(crate) micro_batches: Vec<Range<usize>>,
    /// Unmasked completion tokens, trained on or not.
    pub(crate) tokens: usize,
}

/// One group with its advantages.
pub(crate) struct GroupAdvantages<'a> {
    index: usize,
    group: RolloutGroup<'a>,
    pub(crate) advantages: Vec<f64>,
}

impl GroupAdvantages<'_> {
    /// Whether every advantage is 0.
    pub(crate) fn is_zero_advantage(&self) -> bool {
        self.advantages.iter().all(|&a| a == 0.0)
    }
}

impl Grpo {
    /// Checks the groups before any computation.
    pub(crate) fn check(&self, groups: &[RolloutGroup<'_>]) -> Result<(), GrpoError> {
        let sampler = self.config.old_logp == OldLogp::Sampler
            || self.config.importance.is_some()
            || self.config.off_policy_threshold.is_some();
        let by_parts = self.advantage.is_none() && self.config.advantage == AdvantageKind::NormalizeThenSum;
        if let Some(group) = groups.iter().position(|group| by_parts && group.parts.is_empty()) {
            let what =
                "has no reward parts; advantage = \"normalize_then_sum\" needs RolloutGroup::with_parts";
            return Err(GrpoError::Group { group, what: what.to_owned() });
        }
        if let Some(group) =
            groups.iter().position(|group| sampler && !self.config.hooked_logp && group.hook.is_some())
        {
            let what = "has a hook, and hooked_logp is false: the sampler's log-probabilities, which these settings use, \
                        are under the hook; set hooked_logp = true, or old_logp = \"recompute\" without importance and \
                        off_policy_threshold";
            return Err(GrpoError::Group { group, what: what.to_owned() });
        }
        let clips = self.config.objective().surrogate.clips();
        if let Some(group) = groups.iter().position(|group| !clips && group.clip_highs.is_some()) {
            let what =
                "has clip_highs, which have no effect with a surrogate that does not clip; leave them out";
            return Err(GrpoError::Group { group, what: what.to_owned() });
        }
        groups.iter().enumerate().try_for_each(|(index, group)| check(index, group, sampler))
    }

    /// Returns the advantages of checked groups from `rewards`, which may differ from the groups' own.
    pub(crate) fn group_advantages<'a>(
        &self,
        groups: &[RolloutGroup<'a>],
        rewards: &Rewards,
        baselines: &mut Baselines,
    ) -> Result<Vec<GroupAdvantages<'a>>, GrpoError> {
        let all = self.advantages(groups, rewards, baselines);
        let one = |(index, (group, mut advantages)): (usize, (&RolloutGroup<'a>, Vec<f64>))| {
            if let Some(scales) = group.scales {
                advantages.iter_mut().zip(scales).for_each(|(a, &scale)| *a *= f64::from(scale));
            }
            // Custom estimators return `f32`.
            for a in &mut advantages {
                *a = f64::from(*a as f32);
            }
            match advantages.iter().position(|a| !a.is_finite()) {
                Some(completion) => {
                    Err(GrpoError::NonFinite { group: index, completion, what: "the advantage" })
                }
                None => Ok(GroupAdvantages { index, group: *group, advantages }),
            }
        };
        groups.iter().zip(all).enumerate().map(one).collect()
    }

    fn advantages(
        &self,
        groups: &[RolloutGroup<'_>],
        rewards: &Rewards,
        baselines: &mut Baselines,
    ) -> Vec<Vec<f64>> {
        let rewards: Box<Rewards> = rewards.iter().map(|group| without_rounding(group)).collect();
        if let Some(own) = &self.advantage {
            let one = |rewards: &Vec<Option<f64>>| {
                let narrow: Vec<Option<f32>> = rewards.iter().map(|r| r.map(|r| r as f32)).collect();
                advantages(&**own, &narrow).into_iter().map(f64::from).collect()
            };
            return rewards.iter().map(one).collect();
        }
        let lengths: Vec<Vec<usize>> =
            groups.iter().map(|group| group.rollouts.iter().map(|r| self.unmasked(r)).collect()).collect();
        let described: Vec<GroupRewards<'_>> = groups
            .iter()
            .zip(&rewards)
            .zip(&lengths)
            .map(|((group, rewards), lengths)| GroupRewards {
                rewards,
                lengths,
                key: group.key,
                parts: group.parts,
            })
            .collect();
        self.estimator().batch(&described, baselines)
    }

    /// Splits the groups into optimiser steps, and those into micro-batches.
    pub(crate) fn mini_batches<'a>(&self, groups: &[GroupAdvantages<'a>]) -> Vec<MiniBatch<'a>> {
        let drops = self.config.drop_zero_advantage;
        let kept: Vec<&GroupAdvantages<'a>> =
            groups.iter().filter(|group| !drops || !group.is_zero_advantage()).collect();
        let count = self.config.mini_batches;
        let all_tokens: usize = kept.iter().map(|group| self.group_tokens(group)).sum();
        let tokens_per_step = all_tokens as f64 / count as f64;
        (0..count)
            .map(|i| &kept[i * kept.len() / count..(i + 1) * kept.len() / count])
            .map(|part| self.mini_batch(part, tokens_per_step))
            .collect()
    }

    fn mini_batch<'a>(&self, part: &[&GroupAdvantages<'a>], tokens_per_step: f64) -> MiniBatch<'a> {
        let totals = Totals {
            completions: part.iter().map(|group| group.group.rollouts.len()).sum(),
            tokens: part.iter().map(|group| self.group_tokens(group)).sum(),
            tokens_per_step,
            max_tokens: self.config.max_completion_tokens.unwrap_or(1),
        };
        let mut completions = Vec::new();
        for group in part {
            for (index, (rollout, &advantage)) in
                group.group.rollouts.iter().zip(&group.advantages).enumerate()
            {
                if self.unmasked(rollout) > 0 && (advantage != 0.0 || self.regularised()) {
                    completions.push(self.learned(group, index, &totals));
                }
            }
        }
        self.in_micro_batches(completions, totals.tokens)
    }

    fn in_micro_batches<'a>(&self, completions: Vec<LearnedCompletion<'a>>, tokens: usize) -> MiniBatch<'a> {
        let micro_batches = micro_batches(&completions, self.config.micro_batch_tokens);
        MiniBatch { completions, micro_batches, tokens }
    }

    fn learned<'a>(&self, of: &GroupAdvantages<'a>, index: usize, totals: &Totals) -> LearnedCompletion<'a> {
        let group = of.group;
        let rollout = &group.rollouts[index];
        LearnedCompletion {
            group: of.index,
            index,
            rollout,
            advantage: of.advantages[index],
            weight: self.config.normaliser().token_weight(self.unmasked(rollout), totals),
            old: None,
            reference: None,
            clip_high: group.clip_highs.map(|highs| f64::from(highs[index])),
            expert_prefix: group.expert_prefixes.map_or(0, |prefixes| prefixes[index]),
            hook: group.hook.filter(|_| self.config.hooked_logp),
        }
    }

    /// Returns every completion with tokens as one batch, to be scored before there are advantages.
    pub(crate) fn without_advantages<'a>(&self, groups: &[RolloutGroup<'a>]) -> MiniBatch<'a> {
        let totals = Totals { completions: 1, tokens: 1, tokens_per_step: 1.0, max_tokens: 1 };
        let mut completions = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let zeros = GroupAdvantages { index, group: *group, advantages: vec![0.0; group.rollouts.len()] };
            let written = (0..group.rollouts.len()).filter(|&i| !group.rollouts[i].tokens.is_empty());
            completions.extend(written.map(|i| self.learned(&zeros, i, &totals)));
        }
        self.in_micro_batches(completions, 0)
    }

    fn group_tokens(&self, group: &GroupAdvantages<'_>) -> usize {
        group.group.rollouts.iter().map(|rollout| self.unmasked(rollout)).sum()
    }

    /// Completion tokens that carry loss.
    fn unmasked(&self, rollout: &Rollout) -> usize {
        if self.config.mask_truncated && rollout.truncated() {
            return 0;
        }
        rollout.written()
    }

    /// Returns whether completions with advantage 0 still have a gradient.
    fn regularised(&self) -> bool {
        self.config.kl.in_loss()
            || self.config.entropy_coef > 0.0
            || self.config.log_ratio_coef > 0.0
            || matches!(self.config.objective().surrogate, Surrogate::KlCov { .. })
    }
}

/// Checks one group; `sampler` says whether the sampler's log-probabilities are used.
fn check(index: usize, group: &RolloutGroup<'_>, sampler: bool) -> Result<(), GrpoError> {
    let bad = |what: String| Err(GrpoError::Group { group: index, what });
    if let Some((name, entries)) = group.misfit() {
        let completions = group.rollouts.len();
        return bad(format!("{completions} completions but {entries} {name}; pass one for each"));
    }
    for (completion, rollout) in group.rollouts.iter().enumerate() {
        let non_finite = |what| GrpoError::NonFinite { group: index, completion, what };
        if group.rewards[completion].is_some_and(|reward| !reward.is_finite()) {
            return Err(non_finite("the reward"));
        }
        let own = [group.scales.map(|s| s[completion]), group.clip_highs.map(|c| c[completion])];
        if own.into_iter().flatten().any(|x| !x.is_finite()) {
            return Err(non_finite("its scale or clip_high"));
        }
        if group.clip_highs.is_some_and(|clips| clips[completion] < 0.0) {
            return bad(format!("completion {completion} has a clip_high below 0"));
        }
        if group.expert_prefixes.is_some_and(|prefixes| prefixes[completion] > rollout.tokens.len()) {
            return bad(format!("completion {completion} has an expert prefix beyond its tokens"));
        }
        if !rollout.has_tokens() {
            return bad(format!(
                "completion {completion} is text only, and training needs token ids: sample with the policy that is \
                 trained, or leave it out"
            ));
        }
        if rollout.prompt != group.rollouts[0].prompt {
            return bad(format!("completion {completion} has a different prompt from completion 0"));
        }
        if rollout.prompt.is_empty() && !rollout.tokens.is_empty() {
            return bad(format!("completion {completion} has tokens but an empty prompt"));
        }
        let tokens = rollout.tokens.len();
        if group.hook.is_some() && !rollout.observations.is_empty() {
            return bad(format!(
                "completion {completion} has observations and a hook, which saw one turn only; learn from each turn as a \
                 completion of its own, or leave the hook out"
            ));
        }
        if rollout.observations.iter().any(|range| range.end > tokens) {
            return bad(format!("completion {completion} has an observation beyond its {tokens} tokens"));
        }
        if sampler {
            let logps = rollout.logp.len();
            if tokens != logps {
                return bad(format!(
                    "completion {completion} has {tokens} tokens but {logps} log-probabilities"
                ));
            }
            if (0..tokens).any(|t| rollout.wrote(t) && !rollout.logp[t].is_finite()) {
                return Err(non_finite("the sampler's log-probability"));
            }
        }
    }
    Ok(())
}
