//! Tokens a second of learning and of sampling, on a fresh model.
//!
//! Run: `cargo run --release -p sparring-candle --example throughput -- [groups] [completions] [prompt] [completion]`
#![allow(clippy::print_stdout)]

use serde_json::json;
use sparring_candle::{CandlePolicy, ChatTokenizer, ModelConfig, PolicyOptions};
use sparring_core::{
    Learner, PolicyError, Prompt, Rollout, SampleRequest, Sampler, SamplingParams, Scorer, Seed, TokenBatch,
    TokenCotangents, TokenGroup, TokenLoss, TokenStats,
};
use std::time::Instant;

/// Log-likelihood of everything.
struct Likelihood;

impl TokenLoss for Likelihood {
    fn evaluate(&self, stats: TokenStats<'_>, cotangents: TokenCotangents<'_>) -> f64 {
        let share = 1.0 / stats.logp.len() as f32;
        cotangents.logp.fill(-share);
        -stats.logp.iter().map(|l| f64::from(l * share)).sum::<f64>()
    }
}

/// A tokenizer with words instead of text: nothing ends a completion early.
fn words(n: usize) -> Result<ChatTokenizer, PolicyError> {
    let vocab: serde_json::Map<_, _> = (0..n).map(|i| (format!("w{i}"), json!(i))).collect();
    let text = json!({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "w0"}});
    ChatTokenizer::from_text(&text.to_string(), None, None)
}

/// Groups, completions of a group, tokens of a prompt, tokens of a completion.
#[derive(Clone, Copy)]
struct Sizes {
    groups: usize,
    n: usize,
    prompt: usize,
    completion: usize,
}

fn sizes() -> Result<Sizes, std::num::ParseIntError> {
    let mut sizes = [12, 8, 150, 40];
    for (size, arg) in sizes.iter_mut().zip(std::env::args().skip(1)) {
        *size = arg.parse()?;
    }
    let [groups, n, prompt, completion] = sizes;
    Ok(Sizes { groups, n, prompt, completion })
}

/// Samples a few times, and returns the last completions.
fn sample(policy: &CandlePolicy, sizes: Sizes, vocab: usize) -> Result<Vec<Vec<Rollout>>, PolicyError> {
    let prompt =
        |g: usize| (0..sizes.prompt).map(|t| ((g * 31 + t * 7) % vocab) as u32).collect::<Vec<u32>>();
    let requests: Vec<SampleRequest> = (0..sizes.groups)
        .zip(0..)
        .map(|(g, i)| {
            SampleRequest::new(
                Prompt::Tokens(prompt(g).into()),
                sizes.n,
                SamplingParams::default().with_max_tokens(sizes.completion),
                Seed::new(2).index(i),
            )
        })
        .collect();
    let mut rollouts = policy.sample(&requests)?;
    for _ in 0..3 {
        let start = Instant::now();
        rollouts = policy.sample(&requests)?;
        let seconds = start.elapsed().as_secs_f64();
        let tokens: usize = rollouts.iter().flatten().map(|r| r.tokens.len()).sum();
        println!("sample   {:8.0} new tokens/s ({seconds:.3} s)", tokens as f64 / seconds);
    }
    Ok(rollouts)
}

/// Learns a few times from `batch`, then scores it.
fn learn(policy: &mut CandlePolicy, sizes: Sizes, batch: TokenBatch<'_>) -> Result<(), PolicyError> {
    let Sizes { groups, n, prompt, completion } = sizes;
    let full = groups * n * (prompt + completion);
    let shared = groups * (prompt + n * completion);
    for _ in 0..5 {
        let start = Instant::now();
        policy.accumulate(batch, &Likelihood)?;
        let learned = start.elapsed().as_secs_f64();
        policy.step(1e-4)?;
        let stepped = start.elapsed().as_secs_f64();
        println!(
            "learn    {:8.0} tokens/s as separate sequences, {:8.0} computed ({learned:.3} s, step {:.4} s)",
            full as f64 / learned,
            shared as f64 / learned,
            stepped - learned
        );
    }
    let start = Instant::now();
    policy.score(batch)?;
    println!("score    {:8.0} tokens/s computed", shared as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sizes = sizes()?;
    let config = ModelConfig::qwen2(2048, 256, 8, 8, 1024).with_kv_heads(4).with_max_positions(2048);
    let vocab = config.vocab_size;
    let mut policy = CandlePolicy::init(config, words(vocab)?, PolicyOptions::default(), Seed::new(1))?;
    let Sizes { groups, n, prompt, completion } = sizes;
    println!(
        "{} parameters, {groups} groups x {n} completions, prompt {prompt}, completion {completion}",
        policy.parameter_count()
    );
    let rollouts = sample(&policy, sizes, vocab)?;
    let batch: Vec<TokenGroup<'_>> = rollouts
        .iter()
        .map(|group| TokenGroup {
            prompt: &group[0].prompt,
            completions: group.iter().map(|r| r.tokens.as_slice()).collect(),
        })
        .collect();
    learn(&mut policy, sizes, TokenBatch { groups: &batch, temperature: 1.0 })?;
    Ok(())
}
