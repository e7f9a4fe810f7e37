use crate::advantage::{Baselines, Estimator};
use crate::batch::{BatchLoss, Item, token_groups};
use crate::prepare::{MiniBatch, Rewards};
use crate::report::{describe, finish};
use crate::tally::{Fault, Tally};
use crate::{GrpoConfig, GrpoError, OldLogp, RolloutGroup, UpdateReport};
use sparring_core::{Advantage, Learner, PolicyError, Scorer, TokenBatch};
use std::fmt;
use std::sync::Arc;

/// Checked settings, ready to run updates; made by [`GrpoConfig::build`].
#[derive(Clone)]
pub struct Grpo {
    pub(crate) config: GrpoConfig,
    /// An estimator of the user's own.
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

    /// The settings.
    pub fn config(&self) -> &GrpoConfig {
        &self.config
    }

    /// Replaces the configured advantage by an own one; a closure becomes one by
    /// [`advantage_fn`](sparring_core::advantage_fn).
    #[must_use]
    pub fn with_advantage(mut self, advantage: impl Advantage + 'static) -> Self {
        self.advantage = Some(Arc::new(advantage));
        self
    }

    pub(crate) fn estimator(&self) -> Estimator {
        let GrpoConfig { advantage, advantage_epsilon, advantage_decay, .. } = self.config;
        Estimator { kind: advantage, epsilon: advantage_epsilon, decay: advantage_decay }
    }

    /// One update: advantages, then `epochs` × `mini_batches` optimiser steps at rate `lr`.
    ///
    /// `reference` is the model that the KL term stays close to; it is not asked where `kl_coef` is 0. Keyed moving
    /// averages start from 0: [`Grpo::update_with`] keeps them.
    /// Groups without a signal are computed only where the KL or entropy term needs them, and a step that
    /// nothing contributes to is not applied. The result does not depend on `micro_batch_tokens`, up to
    /// rounding.
    ///
    /// # Errors
    /// [`GrpoError::NonFinite`] names the completion whose reward, advantage, log-probability or loss is not
    /// finite; [`GrpoError::Group`] a malformed group; [`GrpoError::MissingReference`];
    /// [`GrpoError::Policy`] for what the backend met. The gradients of the step that failed are discarded;
    /// earlier steps of the same update (`epochs` or `mini_batches` above 1) stay applied.
    pub fn update(
        &self,
        learner: &mut dyn Learner,
        reference: Option<&dyn Scorer>,
        groups: &[RolloutGroup<'_>],
        lr: f64,
    ) -> Result<UpdateReport, GrpoError> {
        self.update_with(&mut Baselines::default(), learner, reference, groups, lr)
    }

    /// [`Grpo::update`] with the moving averages of [`AdvantageKind::KeyedMovingAverage`](crate::AdvantageKind), which
    /// belong to the run's state. A failed update leaves them as they were.
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
        let graded = self.grade(groups, &rewards, &mut moved)?;
        let mut report = describe(groups, &rewards, &graded);
        report.kl = kl;
        let mut batches = self.mini_batches(&graded);
        self.fill_references(&mut batches, reference)?;
        self.fill_old(&mut batches, learner)?;
        let mut tally = Tally::default();
        for _ in 0..self.config.epochs {
            for batch in batches.iter().filter(|batch| !batch.items.is_empty()) {
                self.step(batch, learner, lr, &mut report, &mut tally).inspect_err(|_| learner.discard())?;
            }
        }
        finish(&mut report, &tally, &self.config);
        *baselines = moved;
        Ok(report)
    }

    /// The rewards that the advantages are made of: with the punishment of length and the KL divergence, where those
    /// are asked for; and the mean of that divergence.
    fn shaped_rewards(
        &self,
        groups: &[RolloutGroup<'_>],
        learner: &dyn Learner,
        reference: Option<&dyn Scorer>,
    ) -> Result<(Box<Rewards>, Option<f64>), GrpoError> {
        let soft = self.config.soft_overlong;
        let shaped = |group: &RolloutGroup<'_>| {
            let each = group.rewards.iter().zip(group.rollouts);
            each.map(|(reward, rollout)| {
                reward.map(|r| f64::from(r) + soft.map_or(0.0, |soft| soft.of(rollout.tokens.len())))
            })
            .collect()
        };
        let mut rewards: Box<Rewards> = groups.iter().map(shaped).collect();
        if !self.config.kl_in_reward() {
            return Ok((rewards, None));
        }
        let mut batch = self.ungraded(groups);
        let scorer = reference.ok_or(GrpoError::MissingReference)?;
        self.score(&mut batch, scorer, REFERENCE, |item, logp| item.reference = Some(logp))?;
        self.old_of(&mut batch, learner)?;
        let (mut sum, mut tokens) = (0.0, 0);
        for item in &batch.items {
            let (kl, counted) = self.total_kl(item);
            sum += kl;
            tokens += counted;
            if let Some(reward) = &mut rewards[item.group][item.completion] {
                *reward -= self.config.kl_coef * kl;
            }
        }
        Ok((rewards, Some(sum / tokens.max(1) as f64)))
    }

    /// Σ_t k_t of one completion, and of how many tokens.
    fn total_kl(&self, item: &Item<'_>) -> (f64, usize) {
        let (old, reference) = (item.old.as_deref().unwrap_or_default(), item.reference.as_deref());
        let both = old.iter().zip(reference.unwrap_or_default()).enumerate();
        let objective = self.config.objective();
        both.filter(|(t, _)| item.rollout.wrote(*t)).fold((0.0, 0), |(sum, n), (_, (&old, &reference))| {
            (sum + objective.estimate(f64::from(old), f64::from(reference)).value, n + 1)
        })
    }

    fn fill_references(
        &self,
        batches: &mut [MiniBatch<'_>],
        reference: Option<&dyn Scorer>,
    ) -> Result<(), GrpoError> {
        if !self.config.kl_in_loss() {
            return Ok(());
        }
        let scorer = reference.ok_or(GrpoError::MissingReference)?;
        batches.iter_mut().try_for_each(|batch| {
            self.score(batch, scorer, REFERENCE, |item, logp| item.reference = Some(logp))
        })
    }

    fn fill_old(&self, batches: &mut [MiniBatch<'_>], learner: &dyn Learner) -> Result<(), GrpoError> {
        if self.config.old_logp == OldLogp::Recompute && self.config.epochs * self.config.mini_batches == 1 {
            return Ok(());
        }
        batches.iter_mut().try_for_each(|batch| self.old_of(batch, learner))
    }

    /// The old policy's log-probabilities of one batch.
    fn old_of(&self, batch: &mut MiniBatch<'_>, learner: &dyn Learner) -> Result<(), GrpoError> {
        match self.config.old_logp {
            OldLogp::Sampler => {
                for item in &mut batch.items {
                    item.old = Some(item.rollout.logp.clone());
                }
                Ok(())
            }
            OldLogp::Recompute => self.score(batch, learner, OLD, |item, logp| item.old = Some(logp)),
        }
    }

    /// Scores every item of a batch with `scorer`, call by call, and hands each its own numbers to `store`.
    fn score<'a, S: Scorer + ?Sized>(
        &self,
        batch: &mut MiniBatch<'a>,
        scorer: &S,
        during: &'static str,
        store: impl Fn(&mut Item<'a>, Vec<f32>),
    ) -> Result<(), GrpoError> {
        for call in &batch.calls {
            let items = &mut batch.items[call.clone()];
            let groups = token_groups(items);
            let tokens = TokenBatch::new(&groups, self.config.temperature);
            let flat = scorer.score(tokens).map_err(GrpoError::policy(during))?;
            if flat.len() != tokens.completion_tokens() {
                return Err(GrpoError::policy(during)(wrong_length()));
            }
            let mut rest = flat.as_slice();
            for item in items {
                let (own, others) = rest.split_at(item.rollout.tokens.len());
                rest = others;
                if (0..own.len()).any(|t| item.rollout.wrote(t) && !own[t].is_finite()) {
                    return Err(non_finite(item, "a recomputed log-probability"));
                }
                store(item, own.to_vec());
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
        for call in &batch.calls {
            let items = &batch.items[call.clone()];
            let groups = token_groups(items);
            let tokens = TokenBatch::new(&groups, self.config.temperature);
            let loss = BatchLoss::new(items, &self.config, batch.tokens);
            let value = learner.accumulate(tokens, &loss);
            let seen = loss.tally();
            match seen.fault {
                Some(Fault::Length) => return Err(GrpoError::policy(during)(wrong_length())),
                Some(Fault::NonFinite { item, what }) => return Err(non_finite(&items[item], what)),
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
    PolicyError::invalid("the backend returned another number of log-probabilities than completion tokens")
}

fn non_finite(item: &Item<'_>, what: &'static str) -> GrpoError {
    GrpoError::NonFinite { group: item.group, completion: item.completion, what }
}
