//! The speed of the sampler on prompts that begin alike: `sampler_speed MODEL PROMPTS GROUP [THREADS]`.
//!
//! `MODEL` is a folder or a GGUF file. Each line of standard input is a round: its number chooses the prompts and the
//! seed. The answer is one JSON line with the seconds that it took to sample `GROUP` completions of 100 tokens for each
//! of `PROMPTS` prompts of 600 tokens, the first 400 of which are the same. `benches/peers/sampler.py` gives the same
//! work to other engines, in turn.

use serde_json::json;
use sparring_candle::{CandlePolicy, PolicyOptions};
use sparring_core::{SampleRequest, Sampler, SamplingParams, Seed};
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

const PROMPT: u64 = 600;
const COMMON: u64 = 400;
const TOKENS: usize = 100;

/// Token ids of a prompt; the same formula stands in the script.
fn prompt(number: u64) -> Vec<u32> {
    let of = |position: u64| if position < COMMON { position } else { (number + 1) * PROMPT + position };
    (0..PROMPT).map(|position| (1000 + of(position) * 7919 % 20_011) as u32).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (model, prompts, group, options) = match arguments.as_slice() {
        [model, prompts, group] => (model, prompts, group, PolicyOptions::default()),
        [model, prompts, group, threads] => {
            (model, prompts, group, PolicyOptions::default().with_threads(threads.parse()?))
        }
        _ => return Err("usage: sampler_speed MODEL PROMPTS GROUP [THREADS]".into()),
    };
    let (prompts, group): (u64, usize) = (prompts.parse()?, group.parse()?);
    let policy = CandlePolicy::load(model, options)?;
    let params = SamplingParams::default().with_max_tokens(TOKENS).with_min_tokens(TOKENS);
    for line in std::io::stdin().lock().lines() {
        let round: u64 = line?.trim().parse()?;
        let request = |number| {
            let prompt = prompt(1000 * (round + 1) + number);
            SampleRequest::new(prompt, group, params.clone(), Seed::new(round).index(number))
        };
        let requests: Vec<SampleRequest> = (0..prompts).map(request).collect();
        let began = Instant::now();
        let groups = policy.sample_all(&requests)?;
        let seconds = began.elapsed().as_secs_f64();
        let tokens: usize = groups.iter().flatten().map(|out| out.tokens.len()).sum();
        let out = &mut std::io::stdout().lock();
        writeln!(out, "{}", json!({"seconds": seconds, "tokens": tokens}))?;
        out.flush()?;
    }
    Ok(())
}
