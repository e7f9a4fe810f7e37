//! A model backend that is not candle: bigrams in a `Vec<f32>`, trained by the same GRPO as any other model.
//!
//! ```sh
//! cargo run --release --example custom_backend
//! ```
//!
//! A backend draws tokens, scores them, and follows the ∂L/∂logp that a loss hands it; this one learns to spell.

use rand::Rng;
use sparring::core::{BoxError, Finish, PolicyError, Prompt, StepReport};
use sparring::core::{TokenBatch, TokenCotangents, TokenStats};
use sparring::grpo::{GrpoConfig, RolloutGroup};
use sparring::prelude::*;
use std::{fs, io::Write, iter::once, path::Path, sync::Arc};

type Result<T, E = PolicyError> = std::result::Result<T, E>;

/// Token 0 ends a completion; token i is the i-th letter.
const LETTERS: &str = "abcdef";
const V: usize = LETTERS.len() + 1;

/// The logits of every token after every other one (a row of V for each token before), and their gradient.
struct Bigrams {
    logits: Vec<f32>,
    gradient: Vec<f32>,
}

impl Bigrams {
    fn new() -> Self {
        Self { logits: vec![0.0; V * V], gradient: vec![0.0; V * V] }
    }

    /// log softmax(logits / temperature) of what follows the token `before`.
    fn logp(&self, before: u32, temperature: f32) -> Vec<f32> {
        let row = &self.logits[before as usize * V..][..V];
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = row.iter().map(|z| ((z - top) / temperature).exp()).sum();
        row.iter().map(|z| (z - top) / temperature - sum.ln()).collect()
    }

    fn complete(&self, prompt: &Arc<[u32]>, params: &SamplingParams, seed: Seed) -> Result<Rollout> {
        let (mut before, mut rng, greedy) = (last(prompt)?, seed.rng(), params.temperature == 0.0);
        let (prompt, finish) = (Arc::clone(prompt), Finish::Length);
        let mut out = Rollout { prompt, finish, ..Rollout::from_text("") };
        while out.finish == Finish::Length && out.tokens.len() < params.max_tokens {
            let logp = self.logp(before, if greedy { 1.0 } else { params.temperature });
            // The place of the largest logp + Gumbel noise is a draw from the softmax.
            let mut noise = || if greedy { 0.0 } else { -(-rng.random::<f32>().ln()).ln() };
            let keys: Vec<f32> = logp.iter().map(|l| l + noise()).collect();
            let token = (0..V).max_by(|&a, &b| keys[a].total_cmp(&keys[b])).unwrap_or(0);
            before = token as u32;
            out.tokens.push(before);
            out.logp.push(logp[token]);
            out.text.extend(token.checked_sub(1).and_then(|i| LETTERS.chars().nth(i)));
            if token == 0 || params.stop.iter().any(|stop| out.text.contains(stop)) {
                out.finish = Finish::Stop;
            }
        }
        Ok(out)
    }
}

impl Sampler for Bigrams {
    fn sample(&self, requests: &[SampleRequest]) -> Result<Vec<Vec<Rollout>>> {
        let group = |request: &SampleRequest| {
            request.params.validate()?;
            if request.params.top_p < 1.0 {
                return Err(PolicyError::Unsupported { what: "top-p" });
            }
            let prompt = match &request.prompt {
                Prompt::Tokens(tokens) => Arc::clone(tokens),
                _ => [0].into(), // It reads no messages: every conversation is a fresh start.
            };
            let one = |i| self.complete(&prompt, &request.params, request.seed.index(i));
            (0..request.n as u64).map(one).collect()
        };
        requests.iter().map(group).collect()
    }
}

/// All that bigrams see of a prompt.
fn last(prompt: &[u32]) -> Result<u32> {
    let known = prompt.last().copied().filter(|&token| (token as usize) < V);
    known.ok_or_else(|| PolicyError::invalid(format!("a prompt ends with a token below {V}: {prompt:?}")))
}

/// Every completion token of a batch behind the token before it: group by group, completion by completion.
fn pairs(batch: TokenBatch<'_>) -> Result<Vec<(u32, usize)>> {
    let mut pairs = vec![];
    for group in batch.groups {
        for completion in &group.completions {
            let before = once(last(group.prompt)?).chain(completion.iter().copied());
            pairs.extend(before.zip(completion.iter().map(|&token| token as usize)));
        }
    }
    match pairs.iter().find(|(_, token)| *token >= V) {
        Some((_, token)) => Err(PolicyError::invalid(format!("token {token} is not below {V}"))),
        None => Ok(pairs),
    }
}

impl Scorer for Bigrams {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>> {
        let logp = |(before, token)| self.logp(before, batch.temperature)[token];
        Ok(pairs(batch)?.into_iter().map(logp).collect())
    }
}

impl Learner for Bigrams {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64> {
        if loss.needs_entropy() {
            return Err(PolicyError::Unsupported { what: "entropies" });
        }
        let logp = self.score(batch)?;
        let mut slopes = vec![0.0; logp.len()];
        let cotangents = TokenCotangents { logp: &mut slopes, entropy: None };
        let value = loss.evaluate(TokenStats { logp: &logp, entropy: None }, cotangents);
        if !(value.is_finite() && slopes.iter().all(|slope| slope.is_finite())) {
            return Err(PolicyError::NonFinite { what: "the loss or its slope".into() });
        }
        for ((before, token), slope) in pairs(batch)?.into_iter().zip(slopes) {
            // ∂logp[token]/∂logit[j] = ([j = token] − p[j]) / temperature
            for (j, logp) in self.logp(before, batch.temperature).into_iter().enumerate() {
                let hit = f32::from(u8::from(j == token));
                self.gradient[before as usize * V + j] += slope * (hit - logp.exp()) / batch.temperature;
            }
        }
        Ok(value)
    }

    fn step(&mut self, lr: f64) -> Result<StepReport> {
        let gradient = std::mem::replace(&mut self.gradient, vec![0.0; V * V]);
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(PolicyError::NonFinite { what: "the gradient".into() });
        }
        self.logits.iter_mut().zip(gradient).for_each(|(z, g)| *z -= lr as f32 * g);
        Ok(StepReport::new(norm, false))
    }

    fn reset(&mut self) {
        self.gradient.fill(0.0); // Plain gradient descent: an optimiser without a state.
    }
}

impl Checkpoint for Bigrams {
    fn save(&self, dir: &Path) -> Result<()> {
        let path = dir.join("bigrams.bin");
        let bytes: Vec<u8> = self.logits.iter().chain(&self.gradient).flat_map(|x| x.to_le_bytes()).collect();
        fs::write(&path, bytes).map_err(|error| PolicyError::io(&path, error))
    }

    fn restore(&mut self, dir: &Path) -> Result<()> {
        let path = dir.join("bigrams.bin");
        let bytes = fs::read(&path).map_err(|error| PolicyError::io(&path, error))?;
        if bytes.len() != 8 * V * V {
            return Err(PolicyError::invalid(format!("{}: not {} bytes", path.display(), 8 * V * V)));
        }
        let numbers = bytes.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x));
        (self.logits, self.gradient) = (numbers.clone().take(V * V).collect(), numbers.skip(V * V).collect());
        Ok(())
    }
}

impl Policy for Bigrams {
    fn sampler(&self) -> &dyn Sampler {
        self
    }

    fn scorer(&self) -> &dyn Scorer {
        self
    }

    fn learner(&mut self) -> &mut dyn Learner {
        self
    }
}

/// GRPO, 16 completions a step: paid for the letters that are right from the start, and for stopping there.
fn train(out: &mut impl Write) -> Result<String, BoxError> {
    let (mut model, grpo) = (Bigrams::new(), GrpoConfig::default().build()?);
    let right = |text: &str| LETTERS.chars().zip(text.chars()).take_while(|(a, b)| a == b).count();
    let score = |r: &Rollout| Some((right(&r.text) + usize::from(r.text == LETTERS)) as f32 / V as f32);
    let mut request = SampleRequest {
        prompt: Prompt::Tokens([0].into()),
        n: 16,
        params: SamplingParams::default().with_max_tokens(10),
        seed: Seed::new(1),
    };
    for step in 0..=200 {
        request.seed = Seed::new(1).index(step);
        let rollouts = model.sample(std::slice::from_ref(&request))?.remove(0);
        let rewards: Vec<Option<f32>> = rollouts.iter().map(score).collect();
        let group = RolloutGroup { rollouts: &rollouts, rewards: &rewards };
        let report = grpo.update(model.learner(), None, &[group], 5.0)?;
        if step % 40 == 0 {
            writeln!(out, "step {step:3}: mean reward {:.2}, {:?}", report.reward_mean, rollouts[0].text)?;
        }
    }
    request.params.temperature = 0.0;
    Ok(model.sample(&[request])?.remove(0).remove(0).text)
}

fn main() -> Result<(), BoxError> {
    train(&mut std::io::stdout().lock()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring::testkit::conformance::{self, Options};

    #[test]
    fn it_conforms_and_learns_to_spell() {
        let prompts = [Prompt::Tokens([1, 2].into()), vec![Message::user("spell")].into()];
        let (dir, options) = (tempfile::tempdir().unwrap(), Options::default());
        conformance::policy(&Bigrams::new(), &prompts, &options).unwrap();
        conformance::learner(Bigrams::new, &prompts, &options).unwrap();
        conformance::checkpoint(Bigrams::new, &prompts, dir.path(), &options).unwrap();
        assert_eq!(train(&mut std::io::sink()).unwrap(), LETTERS);
    }
}
