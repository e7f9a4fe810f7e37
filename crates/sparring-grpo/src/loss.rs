//! The loss of one token, of every term together, and its derivatives.
use crate::KlEstimator;
use crate::surrogate::{Clip, Dual, clipped_surrogate};

/// The terms of the loss and their coefficients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// Where the ratio is clipped.
    pub clip: Clip,
    /// Which estimator of the KL divergence.
    pub kl: KlEstimator,
    /// Its coefficient β, at least 0.
    pub kl_coef: f64,
    /// Whether the estimate is weighted by the ratio.
    pub kl_ratio_weighted: bool,
}

/// What is known of one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Token {
    /// Log-probability under the current weights, nats.
    pub logp: f64,
    /// Under the policy that the ratio is taken to; `None` where that is the current one (ratio 1).
    pub old: Option<f64>,
    /// Under the reference model; `None` where there is no KL term.
    pub reference: Option<f64>,
    /// Advantage of the completion.
    pub advantage: f64,
}

/// The loss of one token before its normaliser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenTerm {
    /// Surrogate + β·KL, and its slope with respect to `logp`.
    pub total: Dual,
    /// The KL estimate alone, nats; 0 without a reference.
    pub kl: f64,
    /// r = exp(logp − old), a ratio.
    pub ratio: f64,
}

impl Objective {
    /// ℓ = −min(c₁A, c₂A) + β·k, see [`clipped_surrogate`] and [`KlEstimator`].
    pub fn token(&self, token: Token) -> TokenTerm {
        let log_ratio = token.old.map_or(0.0, |old| token.logp - old);
        let policy = clipped_surrogate(log_ratio, token.advantage, self.clip);
        let kl = token.reference.map_or(Dual::default(), |reference| {
            if self.kl_ratio_weighted {
                self.kl.weighted(token.logp, reference, log_ratio)
            } else {
                self.kl.of(token.logp, reference)
            }
        });
        let total = Dual {
            value: policy.value + self.kl_coef * kl.value,
            slope: policy.slope + self.kl_coef * kl.slope,
        };
        TokenTerm { total, kl: kl.value, ratio: log_ratio.exp() }
    }
}
