//! GRPO steps of fixed lengths on a checkpoint: seconds, tokens a second and memory, as one line of JSON.
//!
//! ```sh
//! sparring bench --model DIR --prompts 8 --group 8 --prompt-tokens 128 \
//!     --completion-tokens 128 --steps 4 [--micro 16] [--no-sharing] [--threads 2] [--lora 16] [--recall-mib 0]
//! ```
//!
//! A step is what a trainer does: draw `prompts` × `group` completions, reward each (by its share of even token
//! ids), and take one optimiser step on DAPO's loss (no KL term, norm clipped at 1, AdamW at 1e-5). It is on-policy:
//! the log-probabilities of the update are its own old ones, so no pass of its own computes them; and what sampling
//! computed, training recalls, as it does for any trainer (`--recall-mib 0` switches that off). The entropy is computed
//! and reported, as the peers do by default. benches/peers/grpo.py runs the same work with TRL.
//!
//! | number | what is counted |
//! |---|---|
//! | `rollout_s` | the sampler's call: prefill and decoding |
//! | `train_s` | advantages, forward, loss, backward, clipping, AdamW |
//! | `step_s` | both, the choice of prompts and the rewards |
//! | `rollout_tok_s` | completion tokens / `rollout_s` |
//! | `train_tok_s` | tokens of separate sequences, completions × (prompt + completion), / `train_s` |
//! | `peak_rss_mib` | the largest resident set of the process, loading included |
//!
//! The first step warms up; the numbers are medians over the `steps` after it, and `per_step` has each of them.

mod prompts;
mod report;
mod separate;
mod settings;
mod step;
#[cfg(test)]
mod tests;

use crate::models::Model;
use report::Report;
pub(crate) use settings::Settings;
use sparring::core::{BoxError, Seed};
use std::io::Write;

/// Measures, and prints one line of JSON.
pub(crate) fn print(settings: &Settings) -> Result<(), BoxError> {
    let report = run(settings, &mut std::io::stderr().lock())?;
    writeln!(std::io::stdout().lock(), "{}", serde_json::to_string(&report)?)?;
    Ok(())
}

/// Runs all steps; writes the time of each to `progress`.
fn run(settings: &Settings, progress: &mut dyn Write) -> Result<Report, BoxError> {
    settings.check()?;
    let model = load(settings)?;
    let prompts = prompts::read(settings, &model)?;
    let (parameters, mut policy) = (model.parameter_count(), model.into_policy());
    let bench = step::Bench::new(settings, prompts)?;
    let mut steps = Vec::with_capacity(settings.steps + 1);
    for index in 0..=settings.steps {
        let step = bench.step(&mut *policy, index)?;
        writeln!(progress, "step {index}: {step}")?;
        steps.push(step);
    }
    Ok(Report::new(settings, parameters, &steps))
}

/// The model that is measured; with `--lora`, adapters on top of it.
fn load(settings: &Settings) -> Result<Model, BoxError> {
    let threads = settings.device.threads;
    let mut options = settings.device.options().with_shards(threads.max(2));
    options.share_prefixes = !settings.no_sharing;
    options.recall_mib = settings.recall_mib.unwrap_or(options.recall_mib);
    let base = Model::load_tuned(Some(&settings.model), &settings.device, options)?;
    settings.check_length(base.config().longest_sequence())?;
    match settings.lora {
        Some(_) => base.copy(settings.lora, Seed::new(settings.seed).child("lora")),
        None => Ok(base),
    }
}
