use crate::prepare::{Graded, Rewards};
use crate::tally::Tally;
use crate::{GrpoConfig, RolloutGroup};
use serde::Serialize;
use sparring_core::Rollout;

/// What one update did. Shares are in [0, 1], lengths in tokens, divergences and entropies in nats.
///
/// The loss of a policy gradient is no measure of progress: watch the rewards, the share of dead groups,
/// the entropy and the gradient's norm.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct UpdateReport {
    /// Mean of the rewards that the advantages were made of: those given, with `soft_overlong` and a KL term in the
    /// reward where those are asked for.
    pub reward_mean: f64,
    /// Their standard deviation over the whole update (n in the denominator).
    pub reward_std: f64,
    /// Smallest and largest reward; 0 where there was none.
    pub reward_range: (f64, f64),
    /// Mean of the advantages: 0 for those that subtract their group's mean.
    pub advantage_mean: f64,
    /// Standard deviation of the advantages (n in the denominator).
    pub advantage_std: f64,
    /// Largest absolute advantage.
    pub advantage_max: f64,
    /// Groups of the update.
    pub groups: usize,
    /// Groups without a signal: every advantage is 0.
    pub zero_advantage_groups: usize,
    /// Completions of the update.
    pub completions: usize,
    /// Completions without a reward.
    pub unrewarded: usize,
    /// Share of the completions cut off by the length limit.
    pub truncated: f64,
    /// Mean length of the completions, in tokens that the policy wrote: observations do not count.
    pub length_mean: f64,
    /// Length of the longest, counted alike.
    pub length_max: usize,
    /// Completion tokens of the update, observations included.
    pub tokens: usize,
    /// Completion tokens that went through the learner, in all epochs.
    pub learned_tokens: usize,
    /// Loss, mean over the optimiser steps.
    pub loss: f64,
    /// Norm of the gradient before clipping, mean over the optimiser steps.
    pub grad_norm: f64,
    /// Share of the optimiser steps whose gradient was clipped.
    pub grad_clipped: f64,
    /// Mean KL estimate over the learned tokens (over all tokens, where it went into the reward); `None` without a KL
    /// term.
    pub kl: Option<f64>,
    /// Mean entropy over the learned tokens; `None` where nothing asked for it.
    pub entropy: Option<f64>,
    /// Share of the learned tokens below 1 − ε_low with a negative advantage: clipped.
    pub clip_low: f64,
    /// Share of the learned tokens above 1 + ε_high with a positive advantage: clipped.
    pub clip_high: f64,
    /// Smallest ratio of a learned token; 1 where there was none.
    pub ratio_min: f64,
    /// Largest ratio of a learned token; 1 where there was none.
    pub ratio_max: f64,
    /// (Σr)² / (n·Σr²) over the ratios of the learned tokens: the share of them that an importance-weighted mean is
    /// worth. In [0, 1]; 1 on-policy, 0 where a ratio overflows.
    pub effective_sample_size: f64,
    /// Optimiser steps that were applied; 0 where every group was dead and nothing else asked for one.
    pub steps: usize,
}

/// Mean and standard deviation (n in the denominator); zeros for none.
fn mean_std(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / n;
    (mean, (values.map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// What the report says before anything is learned. `rewards` are those that the advantages were made of.
pub(crate) fn describe(
    groups: &[RolloutGroup<'_>],
    rewards: &Rewards,
    graded: &[Graded<'_>],
) -> UpdateReport {
    let rollouts = || groups.iter().flat_map(|group| group.rollouts);
    let rewards = || rewards.iter().flatten();
    let given = || rewards().flatten().copied();
    let advantages = || graded.iter().flat_map(|group| &group.advantages).copied();
    let completions = rollouts().count();
    let tokens: usize = rollouts().map(|rollout| rollout.tokens.len()).sum();
    let share = |count: usize| count as f64 / completions.max(1) as f64;
    let (reward_mean, reward_std) = mean_std(given());
    let (advantage_mean, advantage_std) = mean_std(advantages());
    let range = given().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), r| (low.min(r), high.max(r)));
    UpdateReport {
        reward_mean,
        reward_std,
        reward_range: if range.0 <= range.1 { range } else { (0.0, 0.0) },
        advantage_mean,
        advantage_std,
        advantage_max: advantages().fold(0.0, |max, a| a.abs().max(max)),
        groups: groups.len(),
        zero_advantage_groups: graded.iter().filter(|group| group.dead()).count(),
        completions,
        unrewarded: rewards().filter(|reward| reward.is_none()).count(),
        truncated: share(rollouts().filter(|rollout| rollout.truncated()).count()),
        length_mean: share(rollouts().map(Rollout::written).sum()),
        length_max: rollouts().map(Rollout::written).max().unwrap_or(0),
        tokens,
        ..UpdateReport::default()
    }
}

/// Turns sums over tokens and steps into means.
pub(crate) fn finish(report: &mut UpdateReport, tally: &Tally, config: &GrpoConfig) {
    let steps = report.steps.max(1) as f64;
    report.loss /= steps;
    report.grad_norm /= steps;
    report.grad_clipped /= steps;
    let tokens = tally.tokens.max(1) as f64;
    report.learned_tokens = tally.tokens;
    report.kl = config.kl_in_loss().then_some(tally.kl / tokens).or(report.kl);
    report.effective_sample_size = tally.effective_sample_size();
    report.entropy = config.needs_entropy().then_some(tally.entropy / tokens);
    report.clip_low = tally.clip_low as f64 / tokens;
    report.clip_high = tally.clip_high as f64 / tokens;
    (report.ratio_min, report.ratio_max) =
        if tally.tokens == 0 { (1.0, 1.0) } else { (tally.ratio_min, tally.ratio_max) };
}
