//! The same cases through the update driver, in `f32`, in large and in small micro-batches.
use super::losses::{LossCase, Row};
use super::read::{needed, number};
use super::score::{Scores, Width};
use serde_json::Value;
use sparring::core::{BoxError, Rollout, SamplingParams, advantage_fn};
use sparring::grpo::advantage::Baselines;
use sparring::grpo::surrogate::Surrogate;
use sparring::grpo::{GrpoConfig, OldLogp};
use sparring::train::{Score, Scored, Updater};
use sparring_testkit::Tape;

/// Compares loss and gradient, where the driver can be shown the case: a whole update of a named loss, without weights
/// that it would compute itself.
pub(super) fn compare(case: &LossCase, golden: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    let Some(config) = config(case) else { return Ok(()) };
    let expected = &golden["expected"];
    let gradients = needed(expected, "grad_logp")?.concat();
    let loss = number(expected, "loss")?;
    for budget in [100_000, 13] {
        let (tape, value) = run(case, config.clone().with_micro_batch_tokens(budget))?;
        scores.see("gradient, driver", Width::F32, &tape.gradients, &gradients);
        scores.see_scaled("loss, driver", Width::F32, &[value], &[loss], loss.abs().max(1.0));
    }
    Ok(())
}

fn config(case: &LossCase) -> Option<GrpoConfig> {
    let kind = case.kind.filter(|_| !case.partial)?;
    let given = |row: &Row| row.importance.is_some() || row.selected.is_some();
    // TRL's GMPO has another weight of the KL estimate.
    if case.rows.iter().any(given) || matches!(case.objective.surrogate, Surrogate::GeometricMean { .. }) {
        return None;
    }
    if case.rows.iter().any(|row| prefix(row).is_none()) {
        return None;
    }
    let objective = case.objective;
    let sampling = SamplingParams::default().with_max_tokens(case.totals.max_tokens);
    let config = GrpoConfig::default()
        .with_loss(kind)
        .with_surrogate(Some(objective.surrogate))
        .with_ratio_level(Some(objective.level))
        .with_entropy_coef(case.entropy_coef)
        .with_old_logp(if case.rows[0].old.is_some() { OldLogp::Sampler } else { OldLogp::Recompute })
        .for_sampling(&sampling);
    // What a loss does not use is spelled out in the vectors, and refused by the configuration.
    let config = if objective.kl.coef > 0.0 { config.with_kl(objective.kl) } else { config };
    Some(match objective.surrogate {
        Surrogate::Clipped => config
            .with_clip_low(objective.clip.low)
            .with_clip_high(objective.clip.high)
            .with_ratio_cap(objective.clip.cap),
        _ => config,
    })
}

/// How many tokens count, where those are the first ones.
fn prefix(row: &Row) -> Option<usize> {
    let n = row.counts.iter().take_while(|c| **c).count();
    row.counts[n..].iter().all(|c| !c).then_some(n)
}

fn run(case: &LossCase, config: GrpoConfig) -> Result<(Tape, f64), BoxError> {
    let flat = |part: &dyn Fn(&Row) -> Vec<f64>| -> Vec<f32> {
        case.rows.iter().flat_map(part).map(|x| x as f32).collect()
    };
    let mut tape = Tape::new(flat(&|row| row.logp.clone()));
    tape.entropy = flat(&|row| row.entropy.clone().unwrap_or_default());
    let reference = Tape::new(flat(&|row| row.reference.clone().unwrap_or_default()));
    let width = case.rows[0].logp.len();
    let rollouts: Vec<Rollout> = case
        .rows
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let n = prefix(row).unwrap_or(0);
            let old = row.old.as_ref().unwrap_or(&row.logp);
            let mut rollout = Rollout::from_text("");
            rollout.prompt = [0].into();
            rollout.tokens = (0..n).map(|t| (i * width + t) as u32).collect();
            rollout.logp = old[..n].iter().map(|&x| x as f32).collect();
            rollout
        })
        .collect();
    // The case gives advantages: let them be the rewards, and the advantage the identity.
    let rewards: Vec<Option<f32>> = case.rows.iter().map(|row| Some(row.advantage as f32)).collect();
    let identity = advantage_fn(|rewards: &[f32], out: &mut [f32]| out.copy_from_slice(rewards));
    let grpo = config.build()?.with_advantage(identity);
    let scored: Scored = [Score::from_rewards(rewards)].into_iter().collect();
    let baselines = &mut Baselines::default();
    let report =
        Updater::new(grpo).update(&mut tape, Some(&reference), &[rollouts], &scored, baselines, 1.0)?;
    Ok((tape, report.loss))
}
