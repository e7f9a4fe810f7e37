use super::{NextToken, NextTokenPolicy, TokenContext};
use sparring_core::PolicyError;

impl<M: NextToken> NextTokenPolicy<M> {
    /// log softmax(logits / temperature) of the next token.
    pub(super) fn log_softmax(
        &self,
        context: TokenContext<'_>,
        temperature: f64,
    ) -> Result<Vec<f64>, PolicyError> {
        let mut logits = self.model.logits(&self.weights, context);
        let size = self.vocabulary_size();
        if logits.len() != size {
            let what = format!("NextToken::logits gave {} numbers for {size} tokens", logits.len());
            return Err(PolicyError::Backend { what, source: None });
        }
        if let Some(token) = logits.iter().position(|z| !z.is_finite()) {
            return Err(PolicyError::NonFinite { what: format!("the logit of token {token}") });
        }
        for z in &mut logits {
            *z /= temperature;
        }
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = top + logits.iter().map(|z| (z - top).exp()).sum::<f64>().ln();
        for z in &mut logits {
            *z -= log_sum;
        }
        Ok(logits)
    }
}

/// H = −Σ p·log p, nats.
pub(super) fn entropy(logps: &[f64]) -> f64 {
    -logps.iter().map(|l| l.exp() * l).sum::<f64>()
}

/// d_logp·∂logp/∂z + d_entropy·∂H/∂z by each logit z of a softmax at temperature 1, where
/// ∂logp/∂z_j = [j = token] − p_j and ∂H/∂z_j = −p_j·(log p_j + H).
pub(super) fn d_logits(logps: &[f64], token: usize, d_logp: f64, d_entropy: f64) -> Vec<f64> {
    let h = if d_entropy == 0.0 { 0.0 } else { entropy(logps) };
    let slope = |(j, &l): (usize, &f64)| {
        let p = l.exp();
        let hit = f64::from(u8::from(j == token));
        d_logp * (hit - p) - d_entropy * p * (l + h)
    };
    logps.iter().enumerate().map(slope).collect()
}

/// The most probable token, the first of equals.
pub(super) fn best(logps: &[f64]) -> (u32, f64) {
    let first = (0, f64::NEG_INFINITY);
    logps.iter().enumerate().fold(first, |top, (i, &l)| if l > top.1 { (i as u32, l) } else { top })
}

/// Inverse of the cumulative distribution at `u` in [0, 1), over the smallest set of tokens with at least
/// `top_p` of the probability.
pub(super) fn nucleus(logps: &[f64], top_p: f32, u: f64) -> (u32, f64) {
    let mut kept: Vec<usize> = (0..logps.len()).collect();
    let mut mass = 1.0;
    if top_p < 1.0 {
        kept.sort_by(|&a, &b| logps[b].total_cmp(&logps[a]).then(a.cmp(&b)));
        mass = 0.0;
        let mut count = 0;
        while count < kept.len() && mass < f64::from(top_p) {
            mass += logps[kept[count]].exp();
            count += 1;
        }
        kept.truncate(count);
    }
    let mut below = 0.0;
    let mut drawn = kept[0];
    for &token in &kept {
        drawn = token;
        below += logps[token].exp();
        if u * mass < below {
            break;
        }
    }
    (drawn as u32, logps[drawn] - mass.ln())
}
