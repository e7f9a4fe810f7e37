//! Log-probabilities and entropies from hidden states, and their derivatives: a reference for fused heads.

/// A language-model head: z = h·Wᵀ / T, with `weight` of shape \[vocabulary\]\[hidden\].
#[derive(Debug, Clone, Copy)]
pub struct LmHead<'a> {
    /// W, one row per token of the vocabulary.
    pub weight: &'a [Vec<f64>],
    /// T, above 0.
    pub temperature: f64,
}

/// The output of the head at one position.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// ln p of every token of the vocabulary, nats.
    pub log_probs: Vec<f64>,
    /// H = −Σ p·ln p, nats.
    pub entropy: f64,
}

/// The gradient of the loss at one position.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadGradient {
    /// ∂L/∂h.
    pub hidden: Vec<f64>,
    /// ∂L/∂z · 1/T: with h, the outer product is ∂L/∂W.
    pub logits: Vec<f64>,
}

impl LmHead<'_> {
    /// Computes log-probabilities and entropy from a hidden state.
    ///
    /// ```
    /// use sparring_testkit::lm_head::LmHead;
    /// let weight = [vec![1.0], vec![1.0]];
    /// let out = LmHead { weight: &weight, temperature: 0.7 }.forward(&[3.0]);
    /// assert!((out.entropy - 2.0_f64.ln()).abs() < 1e-12);
    /// ```
    pub fn forward(&self, hidden: &[f64]) -> Position {
        let dot = |row: &Vec<f64>| row.iter().zip(hidden).map(|(w, h)| w * h).sum::<f64>() / self.temperature;
        let logits: Vec<f64> = self.weight.iter().map(dot).collect();
        let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = top + logits.iter().map(|z| (z - top).exp()).sum::<f64>().ln();
        let log_probs: Vec<f64> = logits.iter().map(|z| z - log_sum).collect();
        let entropy = -log_probs.iter().map(|l| l.exp() * l).sum::<f64>();
        Position { log_probs, entropy }
    }

    /// Computes the gradient from ∂L/∂logp of `target` and ∂L/∂H: dz = (g_logp·(onehot − p) − g_H·p·(ln p + H)) / T.
    pub fn backward(&self, at: &Position, target: usize, by_logp: f64, by_entropy: f64) -> HeadGradient {
        let derivative = |(v, log_p): (usize, &f64)| {
            let p = log_p.exp();
            let hit = if v == target { 1.0 } else { 0.0 };
            (by_logp * (hit - p) - by_entropy * p * (log_p + at.entropy)) / self.temperature
        };
        let logits: Vec<f64> = at.log_probs.iter().enumerate().map(derivative).collect();
        let width = self.weight.first().map_or(0, Vec::len);
        let column = |c: usize| logits.iter().zip(self.weight).map(|(dz, row)| dz * row[c]).sum();
        HeadGradient { hidden: (0..width).map(column).collect(), logits }
    }
}
