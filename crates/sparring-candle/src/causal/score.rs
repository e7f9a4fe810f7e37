//! Scoring with a model that returns only the last token's logits.

use super::CausalSampler;
use crate::batch::{self, Masks};
use sparring_core::{PolicyError, Scorer, TokenBatch, TokenMask};

impl Scorer for CausalSampler {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        batch::check(batch, self.limits)?;
        let masks = Masks::of(batch, self.limits, 1)?;
        let mut logp = Vec::with_capacity(batch.completion_tokens());
        for group in batch.groups {
            for completions in group.completions.chunks(self.rows) {
                // The flat index of each completion's first token.
                let starts: Vec<usize> = completions
                    .iter()
                    .scan(logp.len(), |at, completion| Some(std::mem::replace(at, *at + completion.len())))
                    .collect();
                let mask = |completion: usize, place: usize| masks.at(starts[completion] + place);
                let scored = self.group(group.prompt, completions, batch.temperature, mask)?;
                logp.extend(scored.into_iter().flatten());
            }
        }
        batch::check_finite(batch, &logp)?;
        Ok(logp)
    }
}

impl CausalSampler {
    /// Log-probabilities of each completion of one prompt. Shorter ones are padded with an arbitrary
    /// token, whose logits are ignored.
    fn group<'m>(
        &self,
        prompt: &[u32],
        completions: &[&[u32]],
        temperature: f32,
        mask: impl Fn(usize, usize) -> &'m TokenMask,
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
                    logp[i].push(log_probability(logits, token, temperature, mask(i, t)));
                }
            }
            ids = completions.iter().map(|c| c.get(t).copied().unwrap_or(0)).collect();
        }
        Ok(logp)
    }
}

/// ln softmax(logits / temperature) at `token`, over the allowed tokens.
fn log_probability(logits: &[f32], token: u32, temperature: f32, mask: &TokenMask) -> f32 {
    let allowed = || mask.allowed(0..logits.len() as u32).map(|token| logits[token as usize]);
    let largest = allowed().fold(f32::NEG_INFINITY, f32::max);
    let scaled = |l: f32| f64::from(l - largest) / f64::from(temperature);
    let total: f64 = allowed().map(|l| scaled(l).exp()).sum();
    (scaled(logits[token as usize]) - total.ln()) as f32
}
