//! Scoring with a model that returns only the last token's logits.

use super::CausalSampler;
use crate::batch;
use sparring_core::{PolicyError, Scorer, TokenBatch};

impl Scorer for CausalSampler {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        batch::check(batch, self.limits)?;
        let mut logp = Vec::with_capacity(batch.completion_tokens());
        for group in batch.groups {
            for completions in group.completions.chunks(self.rows) {
                logp.extend(self.group(group.prompt, completions, batch.temperature)?.into_iter().flatten());
            }
        }
        batch::check_finite(batch, &logp)?;
        Ok(logp)
    }
}

impl CausalSampler {
    /// Log-probabilities of each completion of one prompt. Shorter ones are padded with an arbitrary
    /// token, whose logits are ignored.
    fn group(
        &self,
        prompt: &[u32],
        completions: &[&[u32]],
        temperature: f32,
    ) -> Result<Vec<Vec<f32>>, PolicyError> {
        let (rows, mut logp) = (completions.len(), vec![Vec::new(); completions.len()]);
        let longest = completions.iter().map(|c| c.len()).max().unwrap_or(0);
        let mut model = self.fresh();
        let (mut ids, mut position) = (prompt.repeat(rows), 0);
        for t in 0..longest {
            let logits = self.forward(&mut **model, &ids, rows, position)?;
            position += ids.len() / rows;
            for (i, logits) in logits.chunks_exact(self.limits.vocab_size).enumerate() {
                if let Some(&token) = completions[i].get(t) {
                    logp[i].push(log_probability(logits, token, temperature));
                }
            }
            ids = completions.iter().map(|c| c.get(t).copied().unwrap_or(0)).collect();
        }
        Ok(logp)
    }
}

/// ln softmax(logits / temperature) at `token`.
fn log_probability(logits: &[f32], token: u32, temperature: f32) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scaled = |l: f32| f64::from(l - largest) / f64::from(temperature);
    let total: f64 = logits.iter().map(|&l| scaled(l).exp()).sum();
    (scaled(logits[token as usize]) - total.ln()) as f32
}
