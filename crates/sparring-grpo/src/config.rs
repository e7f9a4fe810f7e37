use crate::surrogate::Clip;
use crate::{AdvantageKind, Grpo, GrpoError, KlEstimator, LossKind};
use serde::{Deserialize, Serialize};

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

/// Settings of GRPO, as a file holds them; [`GrpoConfig::build`] checks them. `Default` is on-policy GRPO
/// without a KL term: one epoch, one optimiser step, clip 0.2, advantages divided by the group's deviation.
///
/// ```
/// use sparring_grpo::{GrpoConfig, LossKind};
/// let dapo = GrpoConfig::default().with_loss(LossKind::Dapo).with_clip_high(0.28).build()?;
/// assert!(GrpoConfig::default().with_epochs(0).build().is_err());
/// # Ok::<(), sparring_grpo::GrpoError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct GrpoConfig {
    /// What the token losses are divided by.
    pub loss: LossKind,
    /// L_max, tokens: the constant of [`LossKind::DrGrpo`], which needs it; the sampler's `max_tokens`.
    pub max_completion_tokens: Option<usize>,
    /// How rewards become advantages.
    pub advantage: AdvantageKind,
    /// ε_low, in [0, 1].
    pub clip_low: f64,
    /// ε_high, at least 0.
    pub clip_high: f64,
    /// δ: a cap on the ratio where the advantage is negative, above 1 + ε_high; off by default.
    pub ratio_cap: Option<f64>,
    /// β: coefficient of the KL divergence to the reference model; at least 0, and 0 computes none.
    pub kl_coef: f64,
    /// Which estimator of it.
    pub kl: KlEstimator,
    /// Whether the estimate is weighted by the probability ratio ([`KlEstimator::weighted`]).
    pub kl_ratio_weighted: bool,
    /// Coefficient of the entropy bonus (mean over the unmasked tokens of a step); at least 0.
    pub entropy_coef: f64,
    /// Passes over the rollouts of one update, at least 1.
    pub epochs: usize,
    /// Optimiser steps in a pass, at least 1: the groups are cut into this many parts, in order.
    pub mini_batches: usize,
    /// Most tokens (each group's prompt once, and its completions) of one call of the learner; at least 1.
    /// A single completion over it still goes, alone. It changes memory and speed, never the step.
    pub micro_batch_tokens: usize,
    /// Which log-probabilities the ratio is taken to.
    pub old_logp: OldLogp,
    /// Whether completions cut off by the length limit are masked: they keep their part in the group's
    /// statistics and in B, but their tokens carry no loss (arXiv:2503.14476).
    pub mask_truncated: bool,
    /// Whether groups without a signal leave the normalisers and the KL term too (arXiv:2503.14476,
    /// without resampling). Off: they carry no policy gradient, but count as they would anywhere else.
    pub drop_zero_signal: bool,
    /// Log-probabilities are those of softmax(logits / temperature): the sampler's temperature; above 0.
    pub temperature: f32,
}

impl Default for GrpoConfig {
    fn default() -> Self {
        Self {
            loss: LossKind::default(),
            max_completion_tokens: None,
            advantage: AdvantageKind::default(),
            clip_low: 0.2,
            clip_high: 0.2,
            ratio_cap: None,
            kl_coef: 0.0,
            kl: KlEstimator::default(),
            kl_ratio_weighted: false,
            entropy_coef: 0.0,
            epochs: 1,
            mini_batches: 1,
            micro_batch_tokens: 8192,
            old_logp: OldLogp::default(),
            mask_truncated: false,
            drop_zero_signal: false,
            temperature: 1.0,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident => $field:ident: $type:ty;)*) => {
        impl GrpoConfig {
            $($(#[$doc])* #[must_use]
            pub fn $name(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            })*
        }
    };
}

setters! {
    /// Sets the normaliser.
    with_loss => loss: LossKind;
    /// Sets L_max.
    with_max_completion_tokens => max_completion_tokens: Option<usize>;
    /// Sets the advantage.
    with_advantage => advantage: AdvantageKind;
    /// Sets ε_low.
    with_clip_low => clip_low: f64;
    /// Sets ε_high.
    with_clip_high => clip_high: f64;
    /// Sets δ.
    with_ratio_cap => ratio_cap: Option<f64>;
    /// Sets β.
    with_kl_coef => kl_coef: f64;
    /// Sets the estimator of the KL divergence.
    with_kl => kl: KlEstimator;
    /// Sets whether the estimate is weighted by the ratio.
    with_kl_ratio_weighted => kl_ratio_weighted: bool;
    /// Sets the coefficient of the entropy bonus.
    with_entropy_coef => entropy_coef: f64;
    /// Sets the passes over the rollouts.
    with_epochs => epochs: usize;
    /// Sets the optimiser steps in a pass.
    with_mini_batches => mini_batches: usize;
    /// Sets the token budget of one call of the learner.
    with_micro_batch_tokens => micro_batch_tokens: usize;
    /// Sets which log-probabilities the ratio is taken to.
    with_old_logp => old_logp: OldLogp;
    /// Sets whether truncated completions are masked.
    with_mask_truncated => mask_truncated: bool;
    /// Sets whether groups without a signal are left out altogether.
    with_drop_zero_signal => drop_zero_signal: bool;
    /// Sets the temperature of the log-probabilities.
    with_temperature => temperature: f32;
}

impl GrpoConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`GrpoError::Config`] names the field that is out of range.
    pub fn build(self) -> Result<Grpo, GrpoError> {
        let at_least_0 = |x: f64| x.is_finite() && x >= 0.0;
        let checks = [
            ("clip_low", at_least_0(self.clip_low) && self.clip_low <= 1.0, "must be in [0, 1]"),
            ("clip_high", at_least_0(self.clip_high), "must be a finite number, at least 0"),
            (
                "ratio_cap",
                self.ratio_cap.is_none_or(|cap| cap.is_finite() && cap > 1.0 + self.clip_high),
                "must be above 1 + clip_high; leave it out to switch it off",
            ),
            ("kl_coef", at_least_0(self.kl_coef), "must be a finite number, at least 0"),
            ("entropy_coef", at_least_0(self.entropy_coef), "must be a finite number, at least 0"),
            ("epochs", self.epochs > 0, "must be at least 1"),
            ("mini_batches", self.mini_batches > 0, "must be at least 1"),
            ("micro_batch_tokens", self.micro_batch_tokens > 0, "must be at least 1"),
            (
                "temperature",
                self.temperature.is_finite() && self.temperature > 0.0,
                "must be a finite number above 0",
            ),
            (
                "max_completion_tokens",
                match self.max_completion_tokens {
                    None => self.loss != LossKind::DrGrpo,
                    Some(tokens) => tokens > 0,
                },
                "must be at least 1, and loss = \"dr_grpo\" needs it: set it to the sampler's max_tokens",
            ),
        ];
        match checks.into_iter().find(|(_, holds, _)| !holds) {
            Some((field, _, why)) => Err(GrpoError::Config { field, why: why.to_owned() }),
            None => Ok(Grpo::from_checked(self)),
        }
    }

    pub(crate) fn clip(&self) -> Clip {
        Clip { low: self.clip_low, high: self.clip_high, cap: self.ratio_cap }
    }
}
