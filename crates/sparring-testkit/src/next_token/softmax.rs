use super::{NextToken, NextTokenPolicy, TokenContext};
use sparring_core::{PolicyError, SamplingParams, TokenMask};

impl<M: NextToken> NextTokenPolicy<M> {
    /// Logits of the next token.
    pub(super) fn logits(&self, context: TokenContext<'_>) -> Result<Vec<f64>, PolicyError> {
        let logits = self.model.logits(&self.weights, context);
        let size = self.vocabulary_size();
        if logits.len() != size {
            let what = format!("NextToken::logits gave {} numbers for {size} tokens", logits.len());
            return Err(PolicyError::Backend { what, source: None });
        }
        match logits.iter().position(|z| !z.is_finite()) {
            Some(token) => Err(PolicyError::NonFinite { what: format!("the logit of token {token}") }),
            None => Ok(logits),
        }
    }

    /// log softmax(logits / temperature) of the next token over the allowed ones; −∞ for the others.
    pub(super) fn log_softmax(
        &self,
        context: TokenContext<'_>,
        mask: &TokenMask,
        temperature: f64,
    ) -> Result<Vec<f64>, PolicyError> {
        let mut logits = self.logits(context)?;
        for (token, logit) in (0..).zip(&mut logits) {
            if !mask.allows(token) {
                *logit = f64::NEG_INFINITY;
            }
        }
        log_softmax(&mut logits, temperature);
        Ok(logits)
    }
}

/// z ← log softmax(z / temperature).
pub(super) fn log_softmax(logits: &mut [f64], temperature: f64) {
    for z in logits.iter_mut() {
        *z /= temperature;
    }
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = top + logits.iter().map(|z| (z - top).exp()).sum::<f64>().ln();
    for z in logits {
        *z -= log_sum;
    }
}

/// H = −Σ p·log p, nats.
pub(super) fn entropy(logps: &[f64]) -> f64 {
    -logps.iter().filter(|l| **l > f64::NEG_INFINITY).map(|l| l.exp() * l).sum::<f64>()
}

/// d_logp·∂logp/∂z + d_entropy·∂H/∂z for each logit z of a softmax at temperature 1, where
/// ∂logp/∂z_j = [j = token] − p_j and ∂H/∂z_j = −p_j·(log p_j + H). A forbidden token has p_j = 0.
pub(super) fn d_logits(logps: &[f64], token: usize, d_logp: f64, d_entropy: f64) -> Vec<f64> {
    let h = if d_entropy == 0.0 { 0.0 } else { entropy(logps) };
    let derivative = |(j, &l): (usize, &f64)| {
        if l == f64::NEG_INFINITY {
            return 0.0;
        }
        let p = l.exp();
        let hit = f64::from(u8::from(j == token));
        d_logp * (hit - p) - d_entropy * p * (l + h)
    };
    logps.iter().enumerate().map(derivative).collect()
}

/// Returns the most probable token, the first on ties.
pub(super) fn best(logps: &[f64]) -> (u32, f64) {
    let first = (0, f64::NEG_INFINITY);
    logps.iter().enumerate().fold(first, |top, (i, &l)| if l > top.1 { (i as u32, l) } else { top })
}

/// Returns the inverse of the cumulative distribution at `u` in [0, 1), after the filters.
pub(super) fn draw(logps: &[f64], params: &SamplingParams, u: f64) -> (u32, f64) {
    let mut weights: Vec<f32> = logps.iter().map(|l| l.exp() as f32).collect();
    params.filter(&mut weights, &mut Vec::new());
    let kept = || logps.iter().enumerate().filter(|&(token, _)| weights[token] > 0.0);
    let mass: f64 = kept().map(|(_, l)| l.exp()).sum();
    let (mut below, mut drawn) = (0.0, best(logps).0 as usize);
    for (token, l) in kept() {
        drawn = token;
        below += l.exp();
        if u * mass < below {
            break;
        }
    }
    (drawn as u32, logps[drawn] - mass.ln())
}
