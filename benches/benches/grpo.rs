//! The cost of GRPO's arithmetic compared with a training step: `cargo bench -p sparring-benches --bench grpo`.
//!
//! Runs one update over 64 sequences of 1,024 tokens (eight groups of eight), with a KL term, twice: with a learner
//! that only records the loss's gradients, and with the miniature's base, which computes and applies the gradient.
//! Prints one JSON line for each loss: seconds of both (the fastest of several), and their ratio.

use serde_json::json;
use sparring_candle::{CandlePolicy, PolicyOptions};
use sparring_core::{Learner, Rollout, Scorer};
use sparring_grpo::advantage::Baselines;
use sparring_grpo::{Grpo, GrpoConfig, LossKind, OldLogp};
use sparring_testkit::Tape;
use sparring_train::{Score, Scored, Updater};
use std::error::Error;
use std::io::Write;
use std::time::Instant;

const GROUPS: usize = 8;
const SIZE: usize = 8;
const TOKENS: usize = 1024;
const MATHEMATICS_RUNS: usize = 20;
const STEP_RUNS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    sparring_miniature::write_base(folder.path())?;
    let mut policy = CandlePolicy::load(folder.path(), PolicyOptions::default())?;
    let groups = groups();
    let reference = Tape::new(vec![-1.1; GROUPS * SIZE * TOKENS]);
    for loss in [LossKind::Grpo, LossKind::Gspo, LossKind::Dapo] {
        let config = GrpoConfig::default().with_loss(loss).with_old_logp(OldLogp::Sampler);
        let with_kl = config.clone().with_kl_coef(0.01).build()?;
        let mut tape = Tape::new(vec![-1.0; GROUPS * SIZE * TOKENS]);
        let own = ids(&groups);
        let mathematics = fastest(MATHEMATICS_RUNS, || update(&with_kl, &mut tape, Some(&reference), &own))?;
        // The miniature's own step, without the reference model's pass: the denominator is not inflated.
        let plain = config.build()?;
        let step = fastest(STEP_RUNS, || update(&plain, &mut policy, None, &groups))?;
        let line = json!({
            "loss": loss, "sequences": GROUPS * SIZE, "tokens": TOKENS,
            "mathematics_s": mathematics, "training_step_s": step, "percent": 100.0 * mathematics / step,
        });
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(())
}

/// Completions with tokens of the miniature's vocabulary.
fn groups() -> Vec<Vec<Rollout>> {
    let rollout = |group: usize, i: usize| {
        let mut rollout = Rollout::from_text("");
        rollout.prompt = (0..32).map(|t| 5 + ((t + group) % 200) as u32).collect();
        rollout.tokens = (0..TOKENS).map(|t| 5 + ((t * 7 + i * 13 + group) % 200) as u32).collect();
        rollout.logp = (0..TOKENS).map(|t| -1.0 - ((t + i) % 5) as f32 * 0.05).collect();
        rollout
    };
    (0..GROUPS).map(|group| (0..SIZE).map(|i| rollout(group, i)).collect()).collect()
}

/// The same with a unique id for every token, as a tape needs them.
fn ids(groups: &[Vec<Rollout>]) -> Vec<Vec<Rollout>> {
    let mut groups = groups.to_vec();
    let mut next = 0;
    for rollout in groups.iter_mut().flatten() {
        rollout.tokens = (next..next + TOKENS as u32).collect();
        next += TOKENS as u32;
    }
    groups
}

fn update(
    grpo: &Grpo,
    learner: &mut dyn Learner,
    reference: Option<&dyn Scorer>,
    groups: &[Vec<Rollout>],
) -> Result<(), Box<dyn Error>> {
    let rewards: Vec<Option<f32>> = (0..SIZE).map(|i| Some(i as f32)).collect();
    let scored: Scored = groups.iter().map(|_| Score::from_rewards(rewards.clone())).collect();
    Updater::new(grpo.clone()).update(
        learner,
        reference,
        groups,
        &scored,
        &mut Baselines::default(),
        1e-6,
    )?;
    Ok(())
}

/// Seconds of the fastest run.
fn fastest(runs: usize, mut work: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..runs {
        let start = Instant::now();
        work()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}
