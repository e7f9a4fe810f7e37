//! A small model of your own: bigrams in a `Vec`, trained by the same GRPO as any other model.
//!
//! ```sh
//! cargo run --release --example custom_backend
//! ```
//!
//! It says only what the logits of the next token are, and how they depend on its weights: `NextTokenPolicy`
//! samples, scores, learns and saves with it. The author of a backend for large models starts from the five traits
//! instead (`Sampler`, `Scorer`, `Learner`, `Checkpoint`, `Policy`): read crates/sparring-testkit/src/next_token,
//! which implements all five, and keep the same contracts; the test below checks them.

use sparring::core::BoxError;
use sparring::prelude::*;
use sparring::testkit::{NextToken, NextTokenPolicy, TokenContext};
use sparring::train::{Epochs, TrainConfig, Trainer};
use std::{io::Write, ops::Range};

const LETTERS: &str = "abcdef";
/// Token 0 ends a completion; token i is the i-th letter.
const TOKENS: usize = LETTERS.len() + 1;

/// One logit for every token after every other one.
#[derive(Clone)]
struct Bigrams;

impl Bigrams {
    fn policy() -> NextTokenPolicy<Self> {
        NextTokenPolicy::from_weights(Self, vec![0.0; TOKENS * TOKENS])
    }

    /// The weights that are the logits of what comes next.
    fn row(context: TokenContext<'_>) -> Range<usize> {
        let start = context.last() as usize * TOKENS;
        start..start + TOKENS
    }
}

impl NextToken for Bigrams {
    fn vocabulary_size(&self) -> usize {
        TOKENS
    }

    /// It would forget all but the last token of a conversation, so it does not read it: this is a fresh start.
    fn encode(&self, _: &[Message]) -> Vec<u32> {
        vec![self.end()]
    }

    fn decode(&self, token: u32) -> &str {
        let i = token as usize;
        if token == self.end() { "" } else { &LETTERS[i - 1..i] }
    }

    fn logits(&self, weights: &[f64], context: TokenContext<'_>) -> Vec<f64> {
        weights[Self::row(context)].to_vec()
    }

    /// The chain rule from ∂L/∂logits to ∂L/∂weights; here a logit is a weight.
    fn backward(&self, _: &[f64], context: TokenContext<'_>, d_logits: &[f64], gradient: &mut [f64]) {
        for (gradient, d_logit) in gradient[Self::row(context)].iter_mut().zip(d_logits) {
            *gradient += d_logit;
        }
    }
}

/// Paid for the letters that are right from the start, and once more for stopping after the last.
fn spelling(rollout: &Rollout) -> f32 {
    let right = LETTERS.chars().zip(rollout.text.chars()).take_while(|(a, b)| a == b).count();
    (right + usize::from(rollout.text == LETTERS)) as f32 / TOKENS as f32
}

/// GRPO with 16 completions a step; returns what the model then finds most probable.
fn train(out: &mut impl Write) -> Result<String, BoxError> {
    let mut model = Bigrams::policy();
    let params = SamplingParams::default().with_max_tokens(10);
    let plan = TrainConfig::default()
        .with_steps(201)
        .with_prompts_per_step(1)
        .with_group_size(16)
        .with_lr(0.1)
        .with_sampling(params.clone())
        .build()?;
    let prompt = |(): &()| vec![Message::user("Spell!")];
    let reward = reward_fn("spelling", |(): &(), out: &Rollout| Some(spelling(out)));
    let mut trainer = Trainer::new(plan, &mut model, Epochs::new(vec![()]), prompt, reward, Seed::new(1));
    while let Some(step) = trainer.step()? {
        let record = &step.record;
        if record.step.is_multiple_of(40) {
            let text = &step.groups[0][0].text;
            writeln!(out, "step {:3}: mean reward {:.2}, {text:?}", record.step, record.reward)?;
        }
    }
    drop(trainer);
    let request = SampleRequest::new(prompt(&()), 1, params.with_temperature(0.0), Seed::new(1));
    Ok(model.sample_one(&request)?.remove(0).text)
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
        let prompts = [sparring::core::Prompt::Tokens([1, 2].into()), vec![Message::user("spell")].into()];
        let (dir, options) = (tempfile::tempdir().unwrap(), Options::default());
        conformance::policy(&Bigrams::policy(), &prompts, &options).unwrap();
        conformance::learner(Bigrams::policy, &prompts, &options).unwrap();
        conformance::checkpoint(Bigrams::policy, &prompts, dir.path(), &options).unwrap();
        assert_eq!(train(&mut std::io::sink()).unwrap(), LETTERS);
    }
}
