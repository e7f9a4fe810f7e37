use crate::importance::ImportanceCorrection;
use crate::loss::Objective;
use crate::surrogate::{Clip, Surrogate};
use crate::{
    AdvantageKind, Aggregation, DynamicSampling, KlConfig, LossKind, RatioLevel, SoftOverlong, advantage,
};
use serde::{Deserialize, Serialize};
use sparring_core::SamplingParams;

/// The log-probabilities in the denominator of the ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OldLogp {
    /// The sampler's own (`Rollout::logp`): valid if it sampled at the training temperature, without top-p.
    Sampler,
    /// The learner's, before its first step. With one epoch and one mini-batch they equal the current ones: the
    /// ratio is exactly 1 and nothing is computed twice.
    #[default]
    Recompute,
}

crate::settings! {
    /// Settings of GRPO and its relatives, in serialisable form.
    ///
    /// [`GrpoConfig::build`] checks them, and refuses a setting that the chosen loss does not use. `Default` is
    /// on-policy GRPO without a KL term: one epoch, one optimiser step, clip 0.2, advantages divided by the group's
    /// deviation. [`GrpoConfig::dapo`] and its neighbours give the settings of a paper.
    ///
    /// ```
    /// use sparring_grpo::{GrpoConfig, LossKind};
    /// let dapo = GrpoConfig::dapo(20480, 4096).with_epochs(2).build()?;
    /// let unused = GrpoConfig::default().with_loss(LossKind::Cispo).with_clip_high(0.28).build();
    /// assert!(unused.unwrap_err().to_string().starts_with("grpo.clip_high has no effect"));
    /// # Ok::<(), sparring_grpo::GrpoError>(())
    /// ```
    pub struct GrpoConfig {
        /// The loss: a surrogate, a level of the ratio and a normaliser, each of which can be overridden below.
        loss: LossKind = LossKind::default(), with_loss;
        /// Overrides the loss's surrogate.
        surrogate: Option<Surrogate> = None, with_surrogate;
        /// Overrides the loss's ratio level.
        ratio_level: Option<RatioLevel> = None, with_ratio_level;
        /// Overrides the loss's normaliser.
        aggregation: Option<Aggregation> = None, with_aggregation;
        /// L_max, tokens: required by [`Aggregation::ConstantLength`]; the sampler's `max_tokens`
        /// ([`GrpoConfig::for_sampling`] sets it).
        max_completion_tokens: Option<usize> = None, with_max_completion_tokens;
        /// The advantage estimator.
        advantage: AdvantageKind = AdvantageKind::default(), with_advantage;
        /// ε, added to the standard deviation of the rewards; at least 0.
        advantage_epsilon: f64 = advantage::STD_EPSILON, with_advantage_epsilon;
        /// α of [`AdvantageKind::KeyedMovingAverage`], in [0, 1).
        advantage_decay: f64 = 0.95, with_advantage_decay;
        /// ε_low, in [0, 1].
        clip_low: f64 = 0.2, with_clip_low;
        /// ε_high, at least 0.
        clip_high: f64 = 0.2, with_clip_high;
        /// δ: a cap on the ratio for negative advantages; off by default. At or below 1 + ε_high it has no effect on
        /// them, but replaces ε_high for positive advantages: a warning is logged.
        ratio_cap: Option<f64> = None, with_ratio_cap;
        /// c of the dual clip, above 1; off by default.
        dual_clip: Option<f64> = None, with_dual_clip;
        /// The KL divergence to the reference model; off by default.
        kl: KlConfig = KlConfig::default(), with_kl;
        /// Coefficient of the entropy bonus (a mean over the unmasked tokens of a step); at least 0.
        entropy_coef: f64 = 0.0, with_entropy_coef;
        /// Whether entropies are computed and reported even if nothing else needs them.
        report_entropy: bool = false, with_report_entropy;
        /// Share of the tokens, those of highest entropy, that carry the policy term; in (0, 1]. They are chosen within
        /// each micro-batch.
        top_entropy_share: f64 = 1.0, with_top_entropy_share;
        /// Importance weights for a sampler that differs slightly from the old policy; with [`OldLogp::Recompute`]
        /// only.
        importance: Option<ImportanceCorrection> = None, with_importance;
        /// Sequences with a negative advantage from which the policy has moved by more than this, in nats per token,
        /// lose their policy term ([`keeps_sequence`](crate::select::keeps_sequence)).
        off_policy_threshold: Option<f64> = None, with_off_policy_threshold;
        /// Coefficient of (log r)², at least 0. It needs a ratio that can differ from 1: [`OldLogp::Sampler`], or more
        /// than one optimiser step.
        log_ratio_coef: f64 = 0.0, with_log_ratio_coef;
        /// γ of [`shaped`](crate::surrogate::shaped), for tokens that an expert wrote; above 0.
        expert_gamma: Option<f64> = None, with_expert_gamma;
        /// Passes over the rollouts of one update, at least 1.
        epochs: usize = 1, with_epochs;
        /// Optimiser steps per epoch, at least 1: the groups are split into this many parts, in order.
        mini_batches: usize = 1, with_mini_batches;
        /// Largest number of tokens in one micro-batch (a call of the learner), with the prompt of each group counted
        /// once, and not what it has in common with the prompt before, from the start; at least 1. A single longer
        /// completion is a micro-batch of its own. The setting changes memory and speed, and of the step only what is
        /// decided within a micro-batch.
        micro_batch_tokens: usize = 8192, with_micro_batch_tokens;
        /// The log-probabilities in the denominator of the ratio.
        old_logp: OldLogp = OldLogp::default(), with_old_logp;
        /// Whether the log-probabilities of a group with a hook are those under the hook: over the tokens that it
        /// allows. They are what the sampler drew from, so the policy gradient is exact, and forced tokens carry none.
        ///
        /// If off, the model is trained by its free log-probabilities, log π = log π̃ + log Z, where π̃ is the
        /// distribution under the hook and Z the probability of what it allows. The gradient has then a bias of E[A·∇
        /// log Z]: completions of positive advantage also raise the probability of what the grammar allows, and those
        /// of negative advantage lower it. This can teach a model to write the grammar without the hook. Importance
        /// ratios are between free log-probabilities: with [`OldLogp::Sampler`] they are wrong, and refused.
        hooked_logp: bool = true, with_hooked_logp;
        /// Whether completions cut off by the length limit are masked: they still count in the group's statistics and
        /// in B, but their tokens carry no loss (arXiv:2503.14476).
        mask_truncated: bool = false, with_mask_truncated;
        /// A penalty, added to the reward, for approaching the length limit; see `learn_from_shaping`.
        soft_overlong: Option<SoftOverlong> = None, with_soft_overlong;
        /// Whether a group whose rewards are equal learns from their shaping alone: from `soft_overlong`, or a KL
        /// divergence in the reward ([`KlPlacement::Reward`](crate::KlPlacement)).
        ///
        /// If off, the default, such a group is judged by the rewards before shaping and is a zero-advantage group, as
        /// in DAPO, whose dynamic sampling looks at the accuracy. If on, as in TRL, verl and OpenRLHF without such a
        /// filter, the differences of length or divergence within a group whose answers are all wrong get advantages as
        /// large as those between right and wrong answers of another group: [`AdvantageKind::GroupStd`] divides by the
        /// deviation. Estimators that do not compare within a group
        /// ([`is_within_group`](AdvantageKind::is_within_group)) always learn from shaping.
        learn_from_shaping: bool = false, with_learn_from_shaping;
        /// Whether zero-advantage groups are also left out of the normalisers and the KL term. If off, they carry no
        /// policy gradient but are counted like other groups.
        drop_zero_advantage: bool = false, with_drop_zero_advantage;
        /// Whether zero-advantage groups are sampled again. The training loop does this, with
        /// [`resample`](crate::resample), since an update cannot sample. [`Grpo::update`](crate::Grpo::update) warns if
        /// it meets groups that should have been sampled again.
        dynamic_sampling: Option<DynamicSampling> = None, with_dynamic_sampling;
        /// Mean drift of the sampler ([`UpdateReport::drift_mean`](crate::UpdateReport)), in nats, above which a
        /// warning is logged; at least 0. A correct `f32` sampler is at about 1e-5.
        drift_threshold: f64 = DRIFT_THRESHOLD, with_drift_threshold;
        /// Temperature of the sampler, above 0: log-probabilities are those of softmax(logits / temperature).
        temperature: f32 = 1.0, with_temperature;
    }
}

/// Default of [`GrpoConfig::drift_threshold`]: far above the rounding of a `bf16` engine, far below the effect of stale
/// weights or another temperature.
const DRIFT_THRESHOLD: f64 = 0.05;

impl GrpoConfig {
    /// Sets β of the KL term and keeps its other settings.
    #[must_use]
    pub fn with_kl_coef(mut self, coef: f64) -> Self {
        self.kl.coef = coef;
        self
    }

    /// Adapts the settings to completions sampled with these parameters: their temperature, and their `max_tokens` as
    /// L_max if the normaliser needs one and none is set.
    #[must_use]
    pub fn for_sampling(mut self, sampling: &SamplingParams) -> Self {
        self.temperature = sampling.temperature;
        if self.normaliser() == Aggregation::ConstantLength {
            self.max_completion_tokens = self.max_completion_tokens.or(Some(sampling.max_tokens));
        }
        self
    }

    /// Returns the terms of the loss of one completion.
    pub fn objective(&self) -> Objective {
        Objective {
            surrogate: self.surrogate.unwrap_or(self.loss.surrogate()),
            clip: Clip {
                low: self.clip_low,
                high: self.clip_high,
                cap: self.ratio_cap,
                dual: self.dual_clip,
            },
            level: self.ratio_level.unwrap_or(self.loss.level()),
            kl: self.kl,
            log_ratio_coef: self.log_ratio_coef,
            expert_gamma: self.expert_gamma,
        }
    }

    /// Returns the normaliser of the token losses.
    pub fn normaliser(&self) -> Aggregation {
        self.aggregation.unwrap_or(self.loss.aggregation())
    }

    pub(crate) fn needs_entropy(&self) -> bool {
        self.entropy_coef > 0.0 || self.report_entropy || self.top_entropy_share < 1.0
    }
    /// Optimiser steps of an update in which every mini-batch contributes.
    pub(crate) fn steps(&self) -> usize {
        self.epochs * self.mini_batches
    }
}
