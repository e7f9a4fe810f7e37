use crate::batch::{BatchLoss, Fault, Item, Tally, token_groups};
use crate::loss::Objective;
use crate::prepare::MiniBatch;
use crate::report::{describe, finish};
use crate::{GrpoConfig, GrpoError, OldLogp, UpdateReport};
use sparring_core::{Advantage, Learner, PolicyError, Rollout, Scorer, TokenBatch};
use std::fmt;
use std::sync::Arc;

/// The completions of one prompt, and their rewards.
#[derive(Debug, Clone, Copy)]
pub struct RolloutGroup<'a> {
    /// The completions; all of the same prompt.
    pub rollouts: &'a [Rollout],
    /// One entry a completion. `None`: no reward applies; the completion is left out of the group's
    /// statistics and has advantage 0, but its tokens still count in the normalisers and the KL term.
    pub rewards: &'a [Option<f32>],
}

/// Checked settings, ready to run updates; made by [`GrpoConfig::build`].
#[derive(Clone)]
pub struct Grpo {
    pub(crate) config: GrpoConfig,
    pub(crate) advantage: Arc<dyn Advantage>,
}

impl fmt::Debug for Grpo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grpo").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Grpo {
    pub(crate) fn from_checked(config: GrpoConfig) -> Self {
        let advantage = Arc::new(config.advantage);
        Self { config, advantage }
    }

    /// The settings.
    pub fn config(&self) -> &GrpoConfig {
        &self.config
    }

    /// Replaces the configured advantage by an own one; a closure becomes one by
    /// [`advantage_fn`](sparring_core::advantage_fn).
    #[must_use]
    pub fn with_advantage(mut self, advantage: impl Advantage + 'static) -> Self {
        self.advantage = Arc::new(advantage);
        self
    }

    /// One update: advantages, then `epochs` × `mini_batches` optimiser steps at rate `lr`.
    ///
    /// `reference` is the model that the KL term stays close to; it is not asked where `kl_coef` is 0.
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
        if !(lr.is_finite() && lr >= 0.0) {
            return Err(GrpoError::Config { field: "lr", why: format!("is {lr}; it must be at least 0") });
        }
        let graded = self.grade(groups)?;
        let mut report = describe(groups, &graded);
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
        Ok(report)
    }

    fn fill_references(
        &self,
        batches: &mut [MiniBatch<'_>],
        reference: Option<&dyn Scorer>,
    ) -> Result<(), GrpoError> {
        if self.config.kl_coef == 0.0 {
            return Ok(());
        }
        let scorer = reference.ok_or(GrpoError::MissingReference)?;
        batches.iter_mut().try_for_each(|batch| {
            self.score(batch, scorer, "Scorer::score of the reference", |item, logp| {
                item.reference = Some(logp);
            })
        })
    }

    fn fill_old(&self, batches: &mut [MiniBatch<'_>], learner: &dyn Learner) -> Result<(), GrpoError> {
        match self.config.old_logp {
            OldLogp::Sampler => {
                for item in batches.iter_mut().flat_map(|batch| &mut batch.items) {
                    item.old = Some(item.rollout.logp.clone());
                }
                Ok(())
            }
            OldLogp::Recompute if self.config.epochs * self.config.mini_batches == 1 => Ok(()),
            OldLogp::Recompute => batches.iter_mut().try_for_each(|batch| {
                self.score(batch, learner, "Scorer::score of the old policy", |item, logp| {
                    item.old = Some(logp);
                })
            }),
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
            let tokens = TokenBatch { groups: &groups, temperature: self.config.temperature };
            let flat = scorer.score(tokens).map_err(GrpoError::policy(during))?;
            if flat.len() != tokens.completion_tokens() {
                return Err(GrpoError::policy(during)(wrong_length()));
            }
            let mut rest = flat.as_slice();
            for item in items {
                let (own, others) = rest.split_at(item.rollout.tokens.len());
                rest = others;
                if own.iter().any(|logp| !logp.is_finite()) {
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
        let objective = Objective {
            clip: self.config.clip(),
            kl: self.config.kl,
            kl_coef: self.config.kl_coef,
            kl_ratio_weighted: self.config.kl_ratio_weighted,
        };
        for call in &batch.calls {
            let items = &batch.items[call.clone()];
            let groups = token_groups(items);
            let tokens = TokenBatch { groups: &groups, temperature: self.config.temperature };
            let entropy_weight = self.config.entropy_coef / batch.tokens.max(1) as f64;
            let loss = BatchLoss::new(items, objective, entropy_weight);
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

fn wrong_length() -> PolicyError {
    PolicyError::invalid("the backend returned another number of log-probabilities than completion tokens")
}

fn non_finite(item: &Item<'_>, what: &'static str) -> GrpoError {
    GrpoError::NonFinite { group: item.group, completion: item.completion, what }
}
