//! Validation of the settings.
use crate::surrogate::Surrogate;
use crate::{Aggregation, Grpo, GrpoConfig, GrpoError};

/// A field, whether it is valid, and what it must be.
pub(crate) type Check = (&'static str, bool, &'static str);

fn at_least_0(x: f64) -> bool {
    x.is_finite() && x >= 0.0
}

fn above_0(x: f64) -> bool {
    x.is_finite() && x > 0.0
}

impl GrpoConfig {
    /// Checks the range of every field, and that it is used: a field that the chosen loss, advantage or driver ignores
    /// must be at its default.
    ///
    /// # Errors
    /// [`GrpoError::Config`] with the field that is out of range or has no effect.
    pub fn build(self) -> Result<Grpo, GrpoError> {
        let mut checks =
            self.bounds().into_iter().chain(self.terms()).chain(self.driver()).chain(self.unused());
        if let Some((field, _, why)) = checks.find(|(_, holds, _)| !holds) {
            return Err(GrpoError::Config { field, why: why.to_owned() });
        }
        self.warn_of_low_cap();
        Ok(Grpo::from_checked(self))
    }

    fn warn_of_low_cap(&self) {
        if let Some(ratio_cap) = self.ratio_cap.filter(|cap| *cap <= 1.0 + self.clip_high) {
            tracing::warn!(
                ratio_cap,
                clip_high = self.clip_high,
                "ratio_cap is not above 1 + clip_high: it has no effect on negative advantages, and replaces clip_high \
                 for positive ones",
            );
        }
    }

    fn bounds(&self) -> [Check; 6] {
        [
            ("clip_low", at_least_0(self.clip_low) && self.clip_low <= 1.0, "must be in [0, 1]"),
            ("clip_high", at_least_0(self.clip_high), "must be a finite number, at least 0"),
            (
                "ratio_cap",
                self.ratio_cap.is_none_or(above_0),
                "must be a finite number above 0; leave it out to switch it off",
            ),
            (
                "dual_clip",
                self.dual_clip.is_none_or(|c| c.is_finite() && c > 1.0),
                "must be above 1; leave it out to switch it off",
            ),
            ("surrogate", self.surrogate.is_none_or(sound), "has a constant that is out of its range"),
            (
                "importance",
                self.importance.is_none_or(|w| {
                    let (min, max) = (w.min.unwrap_or(0.0), w.max.unwrap_or(f64::INFINITY));
                    min >= 0.0 && min <= max
                }),
                "must have 0 <= min <= max",
            ),
        ]
    }

    fn terms(&self) -> [Check; 10] {
        let number = "must be a finite number, at least 0";
        [
            ("kl.coef", at_least_0(self.kl.coef), number),
            ("entropy_coef", at_least_0(self.entropy_coef), number),
            ("log_ratio_coef", at_least_0(self.log_ratio_coef), number),
            ("advantage_epsilon", at_least_0(self.advantage_epsilon), number),
            ("advantage_decay", (0.0..1.0).contains(&self.advantage_decay), "must be in [0, 1)"),
            (
                "top_entropy_share",
                self.top_entropy_share > 0.0 && self.top_entropy_share <= 1.0,
                "must be in (0, 1]; 1 switches it off",
            ),
            (
                "off_policy_threshold",
                self.off_policy_threshold.is_none_or(f64::is_finite),
                "must be a finite number",
            ),
            ("expert_gamma", self.expert_gamma.is_none_or(above_0), "must be a finite number above 0"),
            (
                "soft_overlong",
                self.soft_overlong.is_none_or(|soft| soft.cache >= 1 && soft.cache <= soft.max),
                "must have 1 <= cache <= max",
            ),
            ("drift_threshold", at_least_0(self.drift_threshold), number),
        ]
    }

    fn driver(&self) -> [Check; 6] {
        [
            ("epochs", self.epochs > 0, "must be at least 1"),
            ("mini_batches", self.mini_batches > 0, "must be at least 1"),
            (
                "dynamic_sampling.max_rounds",
                self.dynamic_sampling.is_none_or(|sampling| sampling.max_rounds > 0),
                "must be at least 1; leave dynamic_sampling out to switch it off",
            ),
            ("micro_batch_tokens", self.micro_batch_tokens > 0, "must be at least 1"),
            (
                "temperature",
                self.temperature.is_finite() && self.temperature > 0.0,
                "must be a finite number above 0",
            ),
            (
                "max_completion_tokens",
                match self.max_completion_tokens {
                    None => self.normaliser() != Aggregation::ConstantLength,
                    Some(tokens) => tokens > 0,
                },
                "must be at least 1, and loss = \"dr_grpo\" needs it: set it to the sampler's max_tokens",
            ),
        ]
    }
}

/// Returns whether the constants of a surrogate are in range.
fn sound(surrogate: Surrogate) -> bool {
    match surrogate {
        Surrogate::Cispo { min, max } => at_least_0(min) && max >= min,
        Surrogate::Sapo { positive, negative } => above_0(positive) && above_0(negative),
        Surrogate::Vespo { positive, negative } => {
            [positive.0, positive.1, negative.0, negative.1].into_iter().all(f64::is_finite)
        }
        Surrogate::TrustRegion { low, high, max_ratio, .. } => {
            at_least_0(low) && at_least_0(high) && max_ratio.is_none_or(above_0)
        }
        Surrogate::KlCov { share, coef } => share > 0.0 && share <= 1.0 && at_least_0(coef),
        Surrogate::GeometricMean { epsilon } => at_least_0(epsilon),
        Surrogate::Clipped | Surrogate::Reinforce => true,
    }
}
