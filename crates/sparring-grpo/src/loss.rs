//! The loss of one completion, with all its terms, and its derivatives.
use crate::surrogate::{Clip, Point, Surrogate, Term, ValueAndGradient, shaped};
use crate::{KlConfig, RatioLevel};

/// The terms of the loss and their coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Objective {
    /// The term that replaces −r·A.
    pub surrogate: Surrogate,
    /// Clipping of the ratio.
    pub clip: Clip,
    /// Whether the ratio is per token or per sequence.
    pub level: RatioLevel,
    /// The KL term, for a [`Sequence`] with a reference; its placement is ignored.
    pub kl: KlConfig,
    /// Coefficient of (log r)² of each token, at least 0 (prime-rl's pull towards the sampler).
    pub log_ratio_coef: f64,
    /// γ of [`shaped`], for tokens that an expert wrote.
    pub expert_gamma: Option<f64>,
}

/// One completion. Slices have one entry per token.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sequence<'a> {
    /// Log-probability under the current weights, nats.
    pub logp: &'a [f64],
    /// Log-probability under the policy in the ratio's denominator; `None` if that is the current one (ratio 1).
    pub old: Option<&'a [f64]>,
    /// Log-probability under the reference model; `None` without a KL term.
    pub reference: Option<&'a [f64]>,
    /// Tokens that count; `None` for all. Tokens that the environment wrote carry neither a policy term nor KL.
    pub counts: Option<&'a [bool]>,
    /// Tokens that carry the policy term, if not all that count do ([`crate::select`]).
    pub selected: Option<&'a [bool]>,
    /// Tokens that KL-Cov penalises.
    pub penalised: Option<&'a [bool]>,
    /// Constant weights of the policy term ([`crate::importance`]).
    pub importance: Option<&'a [f64]>,
    /// Number of tokens at the start that an expert wrote, not a policy.
    pub expert_prefix: usize,
    /// Advantage of the completion.
    pub advantage: f64,
}

/// The contribution of one completion to the loss, before normalisation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SequenceLoss {
    /// Σ_t (w·ℓ_t + β·k_t + …) over the tokens that count.
    pub value: f64,
    /// Its derivative with respect to each log-probability; 0 for tokens that do not count.
    pub gradients: Vec<f64>,
    /// r of each token, or of the sequence; 1 for tokens that do not count.
    pub ratios: Vec<f64>,
    /// The KL estimate of each token, nats; 0 without a reference.
    pub kl: Vec<f64>,
}

impl Objective {
    /// Evaluates one completion. In every loss, all tokens of a sequence have the same normaliser, so it can be applied
    /// afterwards.
    ///
    /// ```
    /// use sparring_grpo::loss::{Objective, Sequence};
    /// let good = Sequence { logp: &[-1.0, -2.0], advantage: 1.5, ..Sequence::default() };
    /// // On-policy, the gradient is REINFORCE's: −A for every token.
    /// assert_eq!(Objective::default().sequence(&good).gradients, [-1.5, -1.5]);
    /// ```
    ///
    /// # Panics
    /// If a slice is shorter than `logp`.
    pub fn sequence(&self, sequence: &Sequence<'_>) -> SequenceLoss {
        let tokens = sequence.logp.len();
        let mut out = SequenceLoss {
            value: 0.0,
            gradients: vec![0.0; tokens],
            ratios: vec![1.0; tokens],
            kl: vec![0.0; tokens],
        };
        let live = sequence.live();
        if live.is_empty() {
            return out;
        }
        let level = self.log_ratios(sequence, &live);
        let phi = self.phi(sequence, &live);
        // Derivative through the log-ratio that all tokens share.
        let mut shared = 0.0;
        for (place, &t) in live.iter().enumerate() {
            let term = self.token(sequence, t, level.log_ratio[place], phi, &mut out);
            out.value += term.value;
            out.gradients[t] += term.by_logp;
            if self.level == RatioLevel::Sequence || self.is_geometric() {
                shared += term.by_log_ratio;
            } else {
                out.gradients[t] += term.by_log_ratio;
            }
        }
        for (&t, gradient) in live.iter().zip(&level.gradients) {
            out.gradients[t] += shared * gradient;
        }
        out
    }

    fn is_geometric(&self) -> bool {
        matches!(self.surrogate, Surrogate::GeometricMean { .. })
    }

    /// The effective log-ratio of each live token, and the gradient of the shared one.
    fn log_ratios(&self, sequence: &Sequence<'_>, live: &[usize]) -> Level {
        let n = live.len() as f64;
        let own: Vec<f64> = live.iter().map(|&t| sequence.log_ratio(t)).collect();
        if let Surrogate::GeometricMean { epsilon } = self.surrogate {
            let n = n + epsilon;
            let clipped: Vec<ValueAndGradient> =
                own.iter().map(|&d| Surrogate::geometric(self.clip, d, sequence.advantage)).collect();
            let mean = clipped.iter().map(|d| d.value).sum::<f64>() / n;
            return Level {
                log_ratio: vec![mean; live.len()],
                gradients: clipped.iter().map(|d| d.gradient / n).collect(),
            };
        }
        match self.level {
            RatioLevel::Token => Level { log_ratio: own, gradients: Vec::new() },
            RatioLevel::Sequence | RatioLevel::SequenceToken => {
                let mean = own.iter().sum::<f64>() / n;
                Level { log_ratio: vec![mean; live.len()], gradients: vec![1.0 / n; live.len()] }
            }
        }
    }

    /// φ of VESPO: a bounded weight of the whole sequence.
    fn phi(&self, sequence: &Sequence<'_>, live: &[usize]) -> f64 {
        let Surrogate::Vespo { positive, negative } = self.surrogate else { return 1.0 };
        let (k, lambda) = if sequence.advantage >= 0.0 { positive } else { negative };
        // TRL's bounds: a weight and the product of a sequence are at least 1e-8, but a ratio is at least e^−20.
        let lowest = 1e-8_f64.ln();
        let ratio = |t: usize| sequence.log_ratio(t).clamp(-20.0, 20.0);
        let importance = |t: usize| sequence.importance.map_or(0.0, |w| w[t].ln().clamp(lowest, 20.0));
        let sum = live.iter().map(|&t| ratio(t) + importance(t)).sum::<f64>();
        let l = sum.clamp(lowest, 20.0);
        (lambda + k * l - lambda * l.exp()).exp()
    }

    /// Every term of one token; what is reported goes to `out`.
    fn token(
        &self,
        sequence: &Sequence<'_>,
        t: usize,
        log_ratio: f64,
        phi: f64,
        out: &mut SequenceLoss,
    ) -> Term {
        let logp = sequence.logp[t];
        out.ratios[t] = log_ratio.exp();
        let mut term = if t < sequence.expert_prefix {
            let ValueAndGradient { value, gradient } = shaped(logp, sequence.advantage, self.expert_gamma);
            Term { value, by_logp: gradient, by_log_ratio: 0.0 }
        } else {
            self.policy(sequence, t, log_ratio, phi)
        };
        if let Some(reference) = sequence.reference {
            let kl = self.divergence(logp, reference[t], log_ratio);
            out.kl[t] = kl.value;
            term.value += self.kl.coef * kl.value;
            term.by_logp += self.kl.coef * kl.by_logp;
            term.by_log_ratio += self.kl.coef * kl.by_log_ratio;
        }
        if self.log_ratio_coef > 0.0 {
            let d = sequence.log_ratio(t);
            term.value += self.log_ratio_coef * d * d;
            term.by_logp += self.log_ratio_coef * 2.0 * d;
        }
        term
    }

    /// The policy term of one token, weighted.
    fn policy(&self, sequence: &Sequence<'_>, t: usize, log_ratio: f64, phi: f64) -> Term {
        if sequence.selected.is_some_and(|selected| !selected[t]) {
            return Term::default();
        }
        let logp = sequence.logp[t];
        let point = Point {
            log_ratio,
            logp,
            old: sequence.old.map_or(logp, |old| old[t]),
            advantage: sequence.advantage,
            phi,
            chosen: sequence.penalised.is_some_and(|penalised| penalised[t]),
        };
        let term = self.surrogate.at(self.clip, point);
        let weight = match (self.surrogate, sequence.importance) {
            // VESPO's φ already includes them.
            (Surrogate::Vespo { .. }, _) | (_, None) => 1.0,
            (_, Some(weights)) => weights[t],
        };
        Term {
            value: weight * term.value,
            by_logp: weight * term.by_logp,
            by_log_ratio: weight * term.by_log_ratio,
        }
    }

    /// The KL estimate, multiplied by r if it is weighted.
    fn divergence(&self, logp: f64, reference: f64, log_ratio: f64) -> Term {
        let kl = self.kl.estimate(logp, reference);
        if !self.kl.ratio_weighted {
            return Term { value: kl.value, by_logp: kl.gradient, by_log_ratio: 0.0 };
        }
        let ratio = log_ratio.exp();
        Term { value: ratio * kl.value, by_logp: ratio * kl.gradient, by_log_ratio: ratio * kl.value }
    }
}

/// Log-ratios at the configured level.
struct Level {
    log_ratio: Vec<f64>,
    /// ∂(shared log-ratio)/∂logp of each live token.
    gradients: Vec<f64>,
}

impl Sequence<'_> {
    /// Indices of the tokens that count.
    fn live(&self) -> Vec<usize> {
        (0..self.logp.len()).filter(|&t| self.counts.is_none_or(|counts| counts[t])).collect()
    }

    fn log_ratio(&self, t: usize) -> f64 {
        self.old.map_or(0.0, |old| self.logp[t] - old[t])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked weight counts as 1e-8. The second ratio brings the sum within the bounds of the sum itself.
    #[test]
    fn a_masked_importance_weight_is_at_least_1e_8_in_vespo() {
        let surrogate = Surrogate::Vespo { positive: (2.0, 3.0), negative: (3.0, 2.0) };
        let completion = Sequence {
            logp: &[-1.0, -1.0],
            old: Some(&[-1.0, -3.0]),
            importance: Some(&[0.0, 1.0]),
            advantage: 1.5,
            ..Sequence::default()
        };
        let loss = Objective { surrogate, ..Objective::default() }.sequence(&completion);
        let l = 1e-8_f64.ln() + 2.0;
        let phi = (3.0 + 2.0 * l - 3.0 * l.exp()).exp();
        assert!((loss.gradients[0] / (-1.5 * phi) - 1.0).abs() < 1e-12, "{loss:?}");
    }

    #[test]
    fn the_gradient_of_a_weighted_k3_is_the_ratio_times_the_difference() {
        let kl = KlConfig::new(1.0).with_ratio_weighted(true);
        let completion =
            Sequence { logp: &[-1.0], old: Some(&[-1.3]), reference: Some(&[-2.5]), ..Sequence::default() };
        let loss = Objective { kl, ..Objective::default() }.sequence(&completion);
        // With r = e^d and x = logp − ref: the exponentials of the reference cancel.
        assert!((loss.gradients[0] - 0.3_f64.exp() * 1.5).abs() < 1e-12, "{loss:?}");
    }
}
