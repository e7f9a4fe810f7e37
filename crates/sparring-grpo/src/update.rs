use crate::advantage::{Baselines, Estimator, equal_up_to_rounding};
use crate::drift::Drift;
use crate::micro_batch::{LearnedCompletion, MicroBatchLoss, token_groups};
use crate::prepare::{MiniBatch, Rewards};
use crate::report::{describe, finish};
use crate::tally::{Fault, Tally};
use crate::{AdvantageKind, GrpoConfig, GrpoError, OldLogp, RolloutGroup, UpdateReport, is_zero_advantage};
use sparring_core::{Advantage, Learner, PolicyError, Scorer, TokenBatch};
use std::fmt;
use std::sync::Arc;

/// Checked settings, ready to run updates; made by [`GrpoConfig::build`].
#[derive(Clone)]
pub struct Grpo {
    pub(crate) config: GrpoConfig,
    /// A custom estimator.
    pub(crate) advantage: Option<Arc<dyn Advantage>>,
}

impl fmt::Debug for Grpo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grpo").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Grpo {
    pub(crate) fn from_checked(config: GrpoConfig) -> Self {
        Self { config, advantage: None }
    }

    /// Returns the settings.
    pub fn config(&self) -> &GrpoConfig {
        &self.config
    }

    /// Replaces the configured advantage with a custom estimator, which ignores the settings named `advantage`; a
    /// warning is logged if one of them was set. For a closure, use [`advantage_fn`](sparring_core::advantage_fn).
    #[must_use]
    pub fn with_advantage(mut self, advantage: impl Advantage + 'static) -> Self {
        for setting in self.config.advantage_settings() {
            tracing::warn!(setting, "has no effect: a custom advantage replaces the configured one");
        }
        self.advantage = Some(Arc::new(advantage));
        self
    }

    pub(crate) fn estimator(&self) -> Estimator {
        let GrpoConfig { advantage, advantage_epsilon, advantage_decay, .. } = self.config;
        Estimator { kind: advantage, epsilon: advantage_epsilon, decay: advantage_decay }
    }

    /// Runs one update: advantages, then `epochs` × `mini_batches` optimiser steps at rate `lr`.
    ///
    /// `reference` is the reference model of the KL term; it is not used if `kl.coef` is 0. Keyed moving averages start
    /// from 0; [`Grpo::update_with`] keeps them. Zero-advantage groups are computed only if the KL or entropy term
    /// needs them, and a step without any contribution is not applied. The result does not depend on
    /// `micro_batch_tokens`, up to rounding.
    ///
    /// A warning is logged with `tracing` if the sampler has drifted from the learner ([`UpdateReport::drifted`]), if
    /// the learner's training pass differs from its scoring ([`UpdateReport::scoring_differs`]), or if there are
    /// zero-advantage groups that the training loop should have sampled again ([`GrpoConfig::dynamic_sampling`]).
    ///
    /// # Errors
    /// [`GrpoError::NonFinite`] with the completion whose reward, advantage, log-probability or loss is not finite;
    /// [`GrpoError::Group`] for a malformed group; [`GrpoError::MissingReference`]; [`GrpoError::Policy`] if the
    /// backend fails. The gradients of the failed step are discarded; earlier steps of the same update (`epochs` or
    /// `mini_batches` above 1) stay applied.
    pub fn update(
        &self,
        learner: &mut dyn Learner,
        reference: Option<&dyn Scorer>,
        groups: &[RolloutGroup<'_>],
        lr: f64,
    ) -> Result<UpdateReport, GrpoError> {
        self.update_with(&mut Baselines::default(), learner, reference, groups, lr)
    }

    /// Runs [`Grpo::update`] with the moving averages of [`AdvantageKind::KeyedMovingAverage`](crate::AdvantageKind),
    /// which belong to the run's state. A failed update leaves them unchanged.
    ///
    /// # Errors
    /// As [`Grpo::update`].
    pub fn update_with(
        &self,
        baselines: &mut Baselines,
        learner: &mut dyn Learner,
        reference: Option<&dyn Scorer>,
        groups: &[RolloutGroup<'_>],
        lr: f64,
    ) -> Result<UpdateReport, GrpoError> {
        if !(lr.is_finite() && lr >= 0.0) {
            return Err(GrpoError::Config { field: "lr", why: format!("is {lr}; it must be at least 0") });
        }
        self.check(groups)?;
        let mut moved = baselines.clone();
        let (rewards, kl) = self.shaped_rewards(groups, learner, reference)?;
        let advantages = self.group_advantages(groups, &rewards, &mut moved)?;
        let mut report = describe(groups, &rewards, &advantages);
        report.kl = kl;
        let mut batches = self.mini_batches(&advantages);
        self.fill_references(&mut batches, reference)?;
        self.fill_old(&mut batches, learner)?;
        let recomputed = self.recomputed_drift(&batches);
        let mut tally = Tally::default();
        for _ in 0..self.config.epochs {
            for batch in batches.iter().filter(|batch| !batch.completions.is_empty()) {
                self.step(batch, learner, lr, &mut report, &mut tally).inspect_err(|_| learner.discard())?;
                if report.steps == 1 {
                    report.set_drift(recomputed.unwrap_or(tally.drift), self.config.drift_threshold);
                    if self.recomputes() {
                        report.set_scoring_gap(tally.moved);
                    }
                }
            }
        }
        finish(&mut report, &tally, &self.config);
        self.warn(&report, groups);
        *baselines = moved;
        Ok(report)
    }

    /// Returns the drift of every completion that is trained on, if the old log-probabilities are the learner's own;
    /// `None` if they are not, and the first step has to measure it.
    fn recomputed_drift(&self, batches: &[MiniBatch<'_>]) -> Option<Drift> {
        if !self.recomputes() {
            return None;
        }
        let mut drift = Drift::default();
        for completion in batches.iter().flat_map(|batch| &batch.completions) {
            let learner = completion.old.as_deref().unwrap_or_default();
            drift.see(completion.rollout, completion.expert_prefix, learner);
        }
        Some(drift)
    }

    /// Returns whether the rewards of a group are equal: each part of them, if the advantage is computed from the
    /// parts.
    fn is_equal(&self, group: &RolloutGroup<'_>) -> bool {
        if self.advantage.is_some() || self.config.advantage != AdvantageKind::NormalizeThenSum {
            return is_zero_advantage(group.rewards);
        }
        group.parts.iter().all(|part| {
            let present: Vec<f64> = part.scores.iter().flatten().copied().collect();
            equal_up_to_rounding(&present)
        })
    }

    fn warn(&self, report: &UpdateReport, groups: &[RolloutGroup<'_>]) {
        if report.drifted {
            tracing::warn!(
                mean = report.drift_mean,
                max = report.drift_max,
                threshold = self.config.drift_threshold,
                temperature = self.config.temperature,
                "the sampler's log-probabilities are not the learner's: compare the temperatures, and look for stale \
                 weights or a sampler that cuts the distribution (top-p, top-k, min-p)",
            );
        }
        if report.scoring_differs {
            tracing::warn!(
                mean = report.scoring_gap_mean,
                max = report.scoring_gap_max,
                "the learner computes other log-probabilities in training than it scored before, with the same \
                 weights, so the ratios are wrong: set its dropout to 0, or take one step per update (epochs = 1, \
                 mini_batches = 1)",
            );
        }
        let equal = groups.iter().filter(|group| self.is_equal(group)).count();
        if self.config.dynamic_sampling.is_some() && equal > 0 {
            tracing::warn!(
                groups = groups.len(),
                equal,
                "dynamic_sampling is set, but groups have equal rewards: the training loop should use `resample`",
            );
        }
    }

    /// Returns whether a group's rewards are shaped: not if they are equal, unless shaping alone may teach.
    fn shapes(&self, group: &RolloutGroup<'_>) -> bool {
        let within_group = self.advantage.is_some() || self.config.advantage.is_within_group();
        self.config.learn_from_shaping || !within_group || !is_zero_advantage(group.rewards)
    }

    /// Returns the rewards that the advantages are computed from, with the length penalty and the KL divergence if
    /// configured, and the mean of that divergence.
    fn shaped_rewards(
        &self,
        groups: &[RolloutGroup<'_>],
        learner: &dyn Learner,
        reference: Option<&dyn Scorer>,
    ) -> Result<(Box<Rewards>, Option<f64>), GrpoError> {
        let shaped = |group: &RolloutGroup<'_>| {
            let soft = self.config.soft_overlong.filter(|_| self.shapes(group));
            let each = group.rewards.iter().zip(group.rollouts);
            each.map(|(reward, rollout)| {
                reward.map(|r| f64::from(r) + soft.map_or(0.0, |soft| soft.of(rollout.written())))
            })
            .collect()
        };
        let mut rewards: Box<Rewards> = groups.iter().map(shaped).collect();
        if !self.config.kl.in_reward() {
            return Ok((rewards, None));
        }
        let mut batch = self.without_advantages(groups);
        let scorer = reference.ok_or(GrpoError::MissingReference)?;
        self.score(&mut batch, scorer, REFERENCE, |completion, logp| completion.reference = Some(logp))?;
        self.old_of(&mut batch, learner)?;
        let (mut sum, mut tokens) = (0.0, 0);
        for completion in &batch.completions {
            let (kl, counted) = self.total_kl(completion);
            sum += kl;
            tokens += counted;
            let reward = &mut rewards[completion.group][completion.index];
            if let Some(reward) = reward.as_mut().filter(|_| self.shapes(&groups[completion.group])) {
                *reward -= self.config.kl.coef * kl;
            }
        }
        Ok((rewards, Some(sum / tokens.max(1) as f64)))
    }

    /// Returns Σ_t k_t of one completion, and the number of tokens.
    fn total_kl(&self, completion: &LearnedCompletion<'_>) -> (f64, usize) {
        let old = completion.old.as_deref().unwrap_or_default();
        let reference = completion.reference.as_deref().unwrap_or_default();
        let both = old.iter().zip(reference).enumerate().filter(|(t, _)| completion.rollout.wrote(*t));
        both.fold((0.0, 0), |(sum, n), (_, (&old, &reference))| {
            (sum + self.config.kl.estimate(f64::from(old), f64::from(reference)).value, n + 1)
        })
    }

    fn fill_references(
        &self,
        batches: &mut [MiniBatch<'_>],
        reference: Option<&dyn Scorer>,
    ) -> Result<(), GrpoError> {
        if !self.config.kl.in_loss() {
            return Ok(());
        }
        let scorer = reference.ok_or(GrpoError::MissingReference)?;
        batches.iter_mut().try_for_each(|batch| {
            self.score(batch, scorer, REFERENCE, |completion, logp| completion.reference = Some(logp))
        })
    }

    /// Returns whether the learner scores the completions before its first step.
    fn recomputes(&self) -> bool {
        self.config.old_logp == OldLogp::Recompute && self.config.steps() > 1
    }

    fn fill_old(&self, batches: &mut [MiniBatch<'_>], learner: &dyn Learner) -> Result<(), GrpoError> {
        if self.config.old_logp == OldLogp::Recompute && !self.recomputes() {
            return Ok(());
        }
        batches.iter_mut().try_for_each(|batch| self.old_of(batch, learner))
    }

    /// Computes the old policy's log-probabilities of one batch.
    fn old_of(&self, batch: &mut MiniBatch<'_>, learner: &dyn Learner) -> Result<(), GrpoError> {
        match self.config.old_logp {
            OldLogp::Sampler => {
                for completion in &mut batch.completions {
                    completion.old = Some(completion.rollout.logp.clone());
                }
                Ok(())
            }
            OldLogp::Recompute => {
                self.score(batch, learner, OLD, |completion, logp| completion.old = Some(logp))
            }
        }
    }

    /// Scores every completion of a batch with `scorer`, by micro-batches, and passes its numbers to `store`.
    fn score<'a, S: Scorer + ?Sized>(
        &self,
        batch: &mut MiniBatch<'a>,
        scorer: &S,
        during: &'static str,
        store: impl Fn(&mut LearnedCompletion<'a>, Vec<f32>),
    ) -> Result<(), GrpoError> {
        for range in &batch.micro_batches {
            let completions = &mut batch.completions[range.clone()];
            let groups = token_groups(completions);
            let tokens = TokenBatch::new(&groups, self.config.temperature);
            let flat = scorer.score(tokens).map_err(GrpoError::policy(during))?;
            if flat.len() != tokens.completion_tokens() {
                return Err(GrpoError::policy(during)(wrong_length()));
            }
            let mut rest = flat.as_slice();
            for completion in completions {
                let (own, others) = rest.split_at(completion.rollout.tokens.len());
                rest = others;
                if (0..own.len()).any(|t| completion.rollout.wrote(t) && !own[t].is_finite()) {
                    return Err(non_finite(completion, "a recomputed log-probability"));
                }
                store(completion, own.to_vec());
            }
        }
        Ok(())
    }

    /// One optimiser step.
    fn step(
        &self,
        batch: &MiniBatch<'_>,
        learner: &mut dyn Learner,
        lr: f64,
        report: &mut UpdateReport,
        tally: &mut Tally,
    ) -> Result<(), GrpoError> {
        let during = "Learner::accumulate";
        for range in &batch.micro_batches {
            let completions = &batch.completions[range.clone()];
            let groups = token_groups(completions);
            let tokens = TokenBatch::new(&groups, self.config.temperature);
            let loss = MicroBatchLoss::new(completions, &self.config, batch.tokens);
            let value = learner.accumulate(tokens, &loss);
            let seen = loss.tally();
            match seen.fault {
                Some(Fault::Length) => return Err(GrpoError::policy(during)(wrong_length())),
                Some(Fault::NonFinite { place, what }) => return Err(non_finite(&completions[place], what)),
                None => report.loss += value.map_err(GrpoError::policy(during))?,
            }
            tally.add(&seen);
        }
        let done = learner.step(lr).map_err(GrpoError::policy("Learner::step"))?;
        report.steps += 1;
        report.grad_norm += done.grad_norm;
        report.grad_clipped += f64::from(u8::from(done.clipped));
        Ok(())
    }
}

const REFERENCE: &str = "Scorer::score of the reference";
const OLD: &str = "Scorer::score of the old policy";

fn wrong_length() -> PolicyError {
    PolicyError::invalid("the backend must return one log-probability per completion token")
}

fn non_finite(completion: &LearnedCompletion<'_>, what: &'static str) -> GrpoError {
    GrpoError::NonFinite { group: completion.group, completion: completion.index, what }
}
