use crate::importance::ImportanceCorrection;
use crate::loss::Objective;
use crate::surrogate::{Clip, Surrogate};
use crate::{
    AdvantageKind, Aggregation, DynamicSampling, KlConfig, LossKind, RatioLevel, SoftOverlong, advantage,
};
use serde::{Deserialize, Serialize};
use sparring_core::SamplingParams;

/// Which log-probabilities the ratio is taken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OldLogp {
    /// The sampler's own (`Rollout::logp`): right where it drew at the training temperature, without top-p.
    Sampler,
    /// The learner's, before its first step. With one epoch and one mini-batch they are the current ones: the
    /// ratio is exactly 1 and nothing is computed twice.
    #[default]
    Recompute,
}

macro_rules! config {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:expr, $with:ident;)*) => {
        /// Settings of GRPO and its relatives, as a file holds them; [`GrpoConfig::build`] checks them, and refuses a
        /// setting that the chosen loss does not use. `Default` is on-policy GRPO without a KL term: one epoch, one
        /// optimiser step, clip 0.2, advantages divided by the group's deviation. [`GrpoConfig::dapo`] and its
        /// neighbours give what a paper states.
        ///
        /// ```
        /// use sparring_grpo::{GrpoConfig, LossKind};
        /// let dapo = GrpoConfig::dapo(20480, 4096).with_epochs(2).build()?;
        /// let unused = GrpoConfig::default().with_loss(LossKind::Cispo).with_clip_high(0.28).build();
        /// assert!(unused.unwrap_err().to_string().starts_with("grpo.clip_high does nothing"));
        /// # Ok::<(), sparring_grpo::GrpoError>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[non_exhaustive]
        pub struct GrpoConfig {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Default for GrpoConfig {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl GrpoConfig {
            $(#[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
            #[must_use]
            pub fn $with(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            })*
        }
    };
}

config! {
    /// Which loss: a surrogate, a level of the ratio and a normaliser, each of which can be set by itself below.
    loss: LossKind = LossKind::default(), with_loss;
    /// Another surrogate than the loss has.
    surrogate: Option<Surrogate> = None, with_surrogate;
    /// Another level of the ratio than the loss has.
    ratio_level: Option<RatioLevel> = None, with_ratio_level;
    /// Another normaliser than the loss has.
    aggregation: Option<Aggregation> = None, with_aggregation;
    /// L_max, tokens: the constant of [`Aggregation::ConstantLength`], which needs it; the sampler's `max_tokens`
    /// ([`GrpoConfig::for_sampling`] sets it).
    max_completion_tokens: Option<usize> = None, with_max_completion_tokens;
    /// How rewards become advantages.
    advantage: AdvantageKind = AdvantageKind::default(), with_advantage;
    /// ε, added to the standard deviation of the rewards; at least 0.
    advantage_epsilon: f64 = advantage::STD_EPSILON, with_advantage_epsilon;
    /// α of [`AdvantageKind::KeyedMovingAverage`], in [0, 1).
    advantage_decay: f64 = 0.95, with_advantage_decay;
    /// ε_low, in [0, 1].
    clip_low: f64 = 0.2, with_clip_low;
    /// ε_high, at least 0.
    clip_high: f64 = 0.2, with_clip_high;
    /// δ: a cap on the ratio where the advantage is negative, above 1 + ε_high; off by default.
    ratio_cap: Option<f64> = None, with_ratio_cap;
    /// c of the dual clip, above 1; off by default.
    dual_clip: Option<f64> = None, with_dual_clip;
    /// The KL divergence to the reference model; off by default.
    kl: KlConfig = KlConfig::default(), with_kl;
    /// Coefficient of the entropy bonus (mean over the unmasked tokens of a step); at least 0.
    entropy_coef: f64 = 0.0, with_entropy_coef;
    /// Whether entropies are computed and reported even where nothing else needs them.
    report_entropy: bool = false, with_report_entropy;
    /// Share of the tokens, those of highest entropy, that carry the policy term; in (0, 1]. Which those are is decided
    /// within one micro-batch.
    top_entropy_share: f64 = 1.0, with_top_entropy_share;
    /// Weights for a sampler that is not quite the old policy; with [`OldLogp::Recompute`] only.
    importance: Option<ImportanceCorrection> = None, with_importance;
    /// Bad sequences that the policy has moved further from than this, in nats a token, lose their policy term
    /// ([`keeps_sequence`](crate::select::keeps_sequence)).
    off_policy_threshold: Option<f64> = None, with_off_policy_threshold;
    /// Coefficient of (log r)², at least 0. It needs a ratio that can differ from 1: [`OldLogp::Sampler`], or more
    /// than one optimiser step.
    log_ratio_coef: f64 = 0.0, with_log_ratio_coef;
    /// γ of [`shaped`](crate::surrogate::shaped), for tokens that an expert wrote; above 0.
    expert_gamma: Option<f64> = None, with_expert_gamma;
    /// Passes over the rollouts of one update, at least 1.
    epochs: usize = 1, with_epochs;
    /// Optimiser steps in a pass, at least 1: the groups are cut into this many parts, in order.
    mini_batches: usize = 1, with_mini_batches;
    /// Most tokens (each group's prompt once, and its completions) of one micro-batch, a call of the learner; at least
    /// 1. A single completion over it still goes, alone. It changes memory and speed; of the step, only what is decided
    /// within one micro-batch.
    micro_batch_tokens: usize = 8192, with_micro_batch_tokens;
    /// Which log-probabilities the ratio is taken to.
    old_logp: OldLogp = OldLogp::default(), with_old_logp;
    /// Whether completions cut off by the length limit are masked: they keep their part in the group's
    /// statistics and in B, but their tokens carry no loss (arXiv:2503.14476).
    mask_truncated: bool = false, with_mask_truncated;
    /// A punishment, added to the rewards, for coming close to the length limit.
    soft_overlong: Option<SoftOverlong> = None, with_soft_overlong;
    /// Whether zero-advantage groups leave the normalisers and the KL term too. Off: they carry no policy gradient, but
    /// count as they would anywhere else.
    drop_zero_advantage: bool = false, with_drop_zero_advantage;
    /// Whether zero-advantage groups are drawn again. An update cannot draw: the training loop honours this, by
    /// [`resample`](crate::resample). [`Grpo::update`](crate::Grpo::update) warns where it meets groups that should have
    /// been drawn again.
    dynamic_sampling: Option<DynamicSampling> = None, with_dynamic_sampling;
    /// Nats above which the mean drift of the sampler ([`UpdateReport::drift_mean`](crate::UpdateReport)) is warned
    /// of; at least 0. A sound `f32` sampler is at about 1e-5.
    drift_threshold: f64 = DRIFT_THRESHOLD, with_drift_threshold;
    /// Log-probabilities are those of softmax(logits / temperature): the sampler's temperature; above 0.
    temperature: f32 = 1.0, with_temperature;
}

/// Default of [`GrpoConfig::drift_threshold`]: far above the rounding of a `bf16` engine, far below what stale weights
/// or another temperature give.
const DRIFT_THRESHOLD: f64 = 0.05;

impl GrpoConfig {
    /// Sets β of the KL term, and leaves its other settings.
    #[must_use]
    pub fn with_kl_coef(mut self, coef: f64) -> Self {
        self.kl.coef = coef;
        self
    }

    /// The same settings for completions drawn with these parameters: learned at their temperature, and with their
    /// `max_tokens` for a normaliser that needs a longest completion and has none.
    #[must_use]
    pub fn for_sampling(mut self, sampling: &SamplingParams) -> Self {
        self.temperature = sampling.temperature;
        if self.normaliser() == Aggregation::ConstantLength {
            self.max_completion_tokens = self.max_completion_tokens.or(Some(sampling.max_tokens));
        }
        self
    }

    /// The terms of the loss of one completion.
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

    /// What the token losses are divided by.
    pub fn normaliser(&self) -> Aggregation {
        self.aggregation.unwrap_or(self.loss.aggregation())
    }

    pub(crate) fn needs_entropy(&self) -> bool {
        self.entropy_coef > 0.0 || self.report_entropy || self.top_entropy_share < 1.0
    }
    /// Optimiser steps of one update in which every mini-batch has something to learn.
    pub(crate) fn steps(&self) -> usize {
        self.epochs * self.mini_batches
    }
}
