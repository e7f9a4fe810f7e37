use crate::drift::Drift;
use crate::prepare::{GroupAdvantages, Rewards};
use crate::tally::Tally;
use crate::{GrpoConfig, RolloutGroup};
use serde::Serialize;
use sparring_core::Rollout;

/// The outcome of one update. Shares are in [0, 1], lengths in tokens, divergences and entropies in nats.
///
/// The loss of a policy gradient does not measure progress: watch the rewards, the share of zero-advantage groups, the
/// entropy and the gradient norm.
///
/// # Drift
///
/// The drift is |log-probability of the sampler − of the learner| before the first optimiser step of the update, at the
/// training temperature; measuring it needs no extra forward pass. It is close to 0 if the sampler is the learner, and
/// reveals stale weights, another temperature, or a truncated distribution (top-p, top-k, min-p, a logit hook), since
/// [`Rollout::logp`](sparring_core::Rollout) must be taken after truncation. An engine that breaks that contract, and
/// reports log-probabilities from before the truncation, hides it here too.
///
/// Measured are the tokens that the policy wrote, in completions that are trained on (not in zero-advantage groups or
/// masked completions, unless a KL or entropy term uses them). With recomputed old log-probabilities, or with one step,
/// these are all such completions of the update. With [`OldLogp::Sampler`](crate::OldLogp) and several mini-batches
/// they are those of the first mini-batch, which is all that the learner computes before its weights change.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct UpdateReport {
    /// Mean of the rewards that the advantages were computed from: the given ones, shaped by `soft_overlong` and a KL
    /// term in the reward if configured ([`GrpoConfig::learn_from_shaping`]). `None` if there was no reward.
    pub reward_mean: Option<f64>,
    /// Their standard deviation over the whole update (n in the denominator); `None` if there was no reward.
    pub reward_std: Option<f64>,
    /// Smallest and largest reward; `None` if there was no reward.
    pub reward_range: Option<(f64, f64)>,
    /// Mean of the advantages; 0 for estimators that subtract the group's mean.
    pub advantage_mean: f64,
    /// Standard deviation of the advantages (n in the denominator).
    pub advantage_std: f64,
    /// Largest absolute advantage.
    pub advantage_max: f64,
    /// Groups of the update.
    pub groups: usize,
    /// Zero-advantage groups: those of which every advantage is 0.
    pub zero_advantage_groups: usize,
    /// Completions of the update.
    pub completions: usize,
    /// Completions without a reward.
    pub unrewarded: usize,
    /// Share of the completions cut off by the length limit.
    pub truncated: f64,
    /// Mean number of tokens per completion that the policy wrote; `None` without completions.
    pub length_mean: Option<f64>,
    /// The largest such number.
    pub length_max: usize,
    /// Completion tokens of the update that the policy wrote.
    pub tokens: usize,
    /// Completion tokens of the update that the environment wrote ([`Rollout::observations`](sparring_core::Rollout)).
    pub observation_tokens: usize,
    /// Tokens written by the policy that went through the learner, in all epochs.
    pub learned_tokens: usize,
    /// Loss, mean over the optimiser steps.
    pub loss: f64,
    /// Norm of the gradient before clipping, mean over the optimiser steps.
    pub grad_norm: f64,
    /// Share of the optimiser steps whose gradient was clipped.
    pub grad_clipped: f64,
    /// Mean KL estimate over the learned tokens (over all tokens if it is part of the reward); `None` without a KL
    /// term.
    pub kl: Option<f64>,
    /// Mean entropy over the learned tokens; `None` if it was not computed.
    pub entropy: Option<f64>,
    /// Share of the learned tokens with a negative advantage and a ratio below the surrogate's lower bound: 1 − ε_low,
    /// or CISPO's `min`; 0 with a surrogate without bounds.
    pub clip_low: f64,
    /// Share of the learned tokens with a positive advantage and a ratio above the surrogate's upper bound: 1 + ε_high,
    /// or CISPO's `max`; 0 with a surrogate without bounds.
    pub clip_high: f64,
    /// Smallest ratio of a learned token; 1 if there was none.
    pub ratio_min: f64,
    /// Largest ratio of a learned token; 1 if there was none.
    pub ratio_max: f64,
    /// Effective sample size as a share: (Σr)² / (n·Σr²) over the ratios of the learned tokens. In [0, 1]; 1 on-policy,
    /// 0 if a ratio overflows.
    pub effective_sample_size: f64,
    /// Mean drift, nats per token; `None` if nothing was learned, or no rollout has log-probabilities.
    pub drift_mean: Option<f64>,
    /// Largest drift of a token, nats; `None` like [`UpdateReport::drift_mean`].
    pub drift_max: Option<f64>,
    /// Whether the mean drift is above [`GrpoConfig::drift_threshold`].
    pub drifted: bool,
    /// Mean distance, nats per token, of the learner's log-probabilities in its first step from those that it scored
    /// just before, with the same weights: 0 up to rounding, unless its training pass differs from its scoring, as with
    /// dropout. `None` if the old log-probabilities are not recomputed, as with one step.
    pub scoring_gap_mean: Option<f64>,
    /// The largest such distance of a token, nats; `None` like [`UpdateReport::scoring_gap_mean`].
    pub scoring_gap_max: Option<f64>,
    /// Whether the mean scoring gap is above 0.005: the ratios of this update are not those of the two policies.
    pub scoring_differs: bool,
    /// Optimiser steps that were applied; 0 if every advantage was 0 and no other term needed a step.
    pub steps: usize,
}

impl UpdateReport {
    pub(crate) fn set_drift(&mut self, drift: Drift, threshold: f64) {
        let measured = drift.mean_and_max();
        (self.drift_mean, self.drift_max) = measured.unzip();
        self.drifted = measured.is_some_and(|(mean, _)| mean > threshold);
    }

    pub(crate) fn set_scoring_gap(&mut self, gap: Drift) {
        let measured = gap.mean_and_max();
        (self.scoring_gap_mean, self.scoring_gap_max) = measured.unzip();
        self.scoring_differs = measured.is_some_and(|(mean, _)| mean > SCORING_GAP);
    }
}

/// Largest mean distance between two passes of a learner with the same weights. Passes in `f32` agree to about 1e-5; a
/// dropout of 0.1 has moved ratios by up to 16 %. The value between them is a choice.
const SCORING_GAP: f64 = 0.005;

/// Mean and standard deviation (n in the denominator); `None` for no values.
fn mean_std(values: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let n = values.clone().count();
    let mean = values.clone().sum::<f64>() / n as f64;
    (n > 0).then(|| (mean, (values.map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64).sqrt()))
}

/// Returns the report before any step. `rewards` are those that the advantages were computed from.
pub(crate) fn describe(
    groups: &[RolloutGroup<'_>],
    rewards: &Rewards,
    group_advantages: &[GroupAdvantages<'_>],
) -> UpdateReport {
    let rollouts = || groups.iter().flat_map(|group| group.rollouts);
    let rewards = || rewards.iter().flatten();
    let given = || rewards().flatten().copied();
    let advantages = || group_advantages.iter().flat_map(|group| &group.advantages).copied();
    let completions = rollouts().count();
    let written = |rollout: &Rollout| (0..rollout.tokens.len()).filter(|&t| rollout.wrote(t)).count();
    let tokens: usize = rollouts().map(written).sum();
    let share = |count: usize| count as f64 / completions.max(1) as f64;
    let (reward_mean, reward_std) = mean_std(given()).unzip();
    let (advantage_mean, advantage_std) = mean_std(advantages()).unwrap_or_default();
    let range = given().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), r| (low.min(r), high.max(r)));
    UpdateReport {
        reward_mean,
        reward_std,
        reward_range: (range.0 <= range.1).then_some(range),
        advantage_mean,
        advantage_std,
        advantage_max: advantages().fold(0.0, |max, a| a.abs().max(max)),
        groups: groups.len(),
        zero_advantage_groups: group_advantages.iter().filter(|group| group.is_zero_advantage()).count(),
        completions,
        unrewarded: rewards().filter(|reward| reward.is_none()).count(),
        truncated: share(rollouts().filter(|rollout| rollout.truncated()).count()),
        length_mean: (completions > 0).then(|| share(tokens)),
        length_max: rollouts().map(written).max().unwrap_or(0),
        tokens,
        observation_tokens: rollouts().map(|rollout| rollout.tokens.len()).sum::<usize>() - tokens,
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
    report.kl = config.kl.in_loss().then_some(tally.kl / tokens).or(report.kl);
    report.effective_sample_size = tally.effective_sample_size();
    report.entropy = config.needs_entropy().then_some(tally.entropy / tokens);
    report.clip_low = tally.clip_low as f64 / tokens;
    report.clip_high = tally.clip_high as f64 / tokens;
    (report.ratio_min, report.ratio_max) =
        if tally.tokens == 0 { (1.0, 1.0) } else { (tally.ratio_min, tally.ratio_max) };
}
