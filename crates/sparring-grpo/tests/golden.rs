//! Golden vectors of TRL 1.16 (f64), read from `$SPARRING_SHARED/conformance/grpo_golden.json`: each case of a
//! loss that this crate has, once through the pure functions in f64 and once through the driver in f32.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]
mod common;

use common::{Tape, rollout};
use serde_json::Value;
use sparring_core::advantage_fn;
use sparring_grpo::loss::{Objective, Token};
use sparring_grpo::normaliser::Totals;
use sparring_grpo::surrogate::Clip;
use sparring_grpo::{AdvantageKind, GrpoConfig, KlEstimator, LossKind, OldLogp, RolloutGroup};

fn cases(family: &str) -> Vec<Value> {
    let Ok(shared) = std::env::var("SPARRING_SHARED") else {
        println!("skipped: SPARRING_SHARED is not set");
        return Vec::new();
    };
    let path = format!("{shared}/conformance/grpo_golden.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let all = file["cases"].as_array().unwrap();
    all.iter().filter(|case| case["family"] == family).cloned().collect()
}

fn row(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

/// [B][T], or `None` where the case has no such input.
fn table(value: &Value) -> Option<Vec<Vec<f64>>> {
    Some(value.as_array()?.iter().map(row).collect())
}

struct Case {
    id: String,
    loss: LossKind,
    objective: Objective,
    gas: f64,
    spg: f64,
    items: f64,
    max_tokens: usize,
    entropy_coef: f64,
    extreme: bool,
    logp: Vec<Vec<f64>>,
    old: Option<Vec<Vec<f64>>>,
    reference: Option<Vec<Vec<f64>>>,
    entropy: Option<Vec<Vec<f64>>>,
    /// Unmasked tokens of each row, a prefix.
    lengths: Vec<usize>,
    advantages: Vec<f64>,
    expected: Value,
}

/// The case, if the crate has what it tests.
fn read(case: &Value) -> Option<Case> {
    let (spec, inputs) = (&case["spec"], &case["inputs"]);
    let loss: LossKind = serde_json::from_value(spec["loss_type"].clone()).ok()?;
    let foreign = spec["importance_sampling_level"] != "token"
        || spec["top_entropy_quantile"] != 1.0
        || spec["use_is_ratio"] == true
        || !spec["off_policy_mask_threshold"].is_null();
    let mask = table(&inputs["mask"])?;
    let lengths: Vec<usize> = mask.iter().map(|row| row.iter().sum::<f64>() as usize).collect();
    let prefix = mask.iter().zip(&lengths).all(|(row, &n)| row[..n].iter().all(|&m| m > 0.0));
    if foreign || !prefix || !inputs["tool_mask"].is_null() {
        return None;
    }
    let number = |key: &str| spec[key].as_f64().unwrap();
    let clip = Clip { low: number("epsilon_low"), high: number("epsilon_high"), cap: spec["delta"].as_f64() };
    Some(Case {
        id: case["id"].as_str()?.to_owned(),
        loss,
        objective: Objective {
            clip,
            kl: KlEstimator::K3,
            kl_coef: number("beta"),
            kl_ratio_weighted: spec["use_bias_correction_kl"] == true,
        },
        gas: number("gradient_accumulation_steps"),
        spg: number("steps_per_generation"),
        items: number("num_items_in_batch"),
        max_tokens: number("max_completion_length") as usize,
        entropy_coef: number("entropy_coef"),
        extreme: case["tags"].as_array()?.contains(&"extreme".into()),
        logp: table(&inputs["logp"])?,
        old: table(&inputs["old_logp"]),
        reference: table(&inputs["ref_logp"]).filter(|_| number("beta") > 0.0),
        entropy: table(&inputs["entropy"]),
        lengths,
        advantages: row(&inputs["advantages"]),
        expected: case["expected"].clone(),
    })
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |top, x| x.abs().max(top))
}

fn near(id: &str, what: &str, seen: f64, expected: f64, tolerance: f64) {
    assert!((seen - expected).abs() <= tolerance, "{id}: {what} is {seen}, expected {expected}");
}

/// Pure functions, f64, relative 1e-9.
fn check_f64(case: &Case) {
    let tokens: usize = case.lengths.iter().sum();
    let totals = Totals {
        completions: case.logp.len() * case.gas as usize,
        tokens: tokens * case.gas as usize,
        tokens_per_step: case.items * case.gas / case.spg,
        max_tokens: case.max_tokens,
    };
    let expected = table(&case.expected["grad_logp"]).unwrap();
    let scale = 1e-9 * largest(&expected.concat()).max(1e-12);
    let ratios = table(&case.expected["ratio"]).unwrap();
    let kls = table(&case.expected["per_token_kl"]);
    let (mut loss, mut size) = (0.0, 0.0);
    for (i, logp) in case.logp.iter().enumerate() {
        let weight = case.loss.token_weight(case.lengths[i], &totals);
        for t in 0..case.lengths[i] {
            let at = |values: &Option<Vec<Vec<f64>>>| values.as_ref().map(|v| v[i][t]);
            let term = case.objective.token(Token {
                logp: logp[t],
                old: at(&case.old),
                reference: at(&case.reference),
                advantage: case.advantages[i],
            });
            loss += weight * term.total.value;
            size += (weight * term.total.value).abs();
            near(&case.id, "∂L/∂logp", weight * term.total.slope, expected[i][t], scale);
            near(&case.id, "ratio", term.ratio, ratios[i][t], 1e-9 * ratios[i][t]);
            if let Some(kls) = &kls {
                near(&case.id, "kl", term.kl, kls[i][t], 1e-9 * kls[i][t].abs().max(1e-3));
            }
        }
    }
    if let Some(entropy) = &case.entropy {
        let unmasked = entropy.iter().zip(&case.lengths).flat_map(|(row, &n)| &row[..n]);
        loss -= case.entropy_coef * unmasked.sum::<f64>() / tokens as f64 / case.gas;
    }
    near(&case.id, "loss", loss, case.expected["loss"].as_f64().unwrap(), 1e-9 * size.max(1e-12));
}

/// The driver, f32, relative 2e-5 (extreme ratios 1e-3), in large and in small micro-batches.
fn check_driver(case: &Case, budget: usize) {
    let width = case.logp[0].len();
    let flat = |values: &[Vec<f64>]| values.concat().iter().map(|&x| x as f32).collect::<Vec<f32>>();
    let mut tape = Tape::new(flat(&case.logp));
    tape.entropy = case.entropy.as_deref().map(flat).unwrap_or_default();
    let reference = case.reference.as_deref().map(|logp| Tape::new(flat(logp)));
    let rollouts: Vec<_> = case
        .lengths
        .iter()
        .enumerate()
        .map(|(i, &n)| {
            let ids = (0..n).map(|t| (i * width + t) as u32).collect();
            let old = case.old.as_ref().unwrap_or(&case.logp);
            rollout(ids, old[i][..n].iter().map(|&x| x as f32).collect())
        })
        .collect();
    // The case gives advantages: let them be the rewards, and the advantage the identity.
    let rewards: Vec<Option<f32>> = case.advantages.iter().map(|&a| Some(a as f32)).collect();
    let config = GrpoConfig::default()
        .with_loss(case.loss)
        .with_max_completion_tokens(Some(case.max_tokens))
        .with_clip_low(case.objective.clip.low)
        .with_clip_high(case.objective.clip.high)
        .with_ratio_cap(case.objective.clip.cap)
        .with_kl_coef(case.objective.kl_coef)
        .with_kl_ratio_weighted(case.objective.kl_ratio_weighted)
        .with_entropy_coef(case.entropy_coef)
        .with_micro_batch_tokens(budget)
        .with_old_logp(if case.old.is_some() { OldLogp::Sampler } else { OldLogp::Recompute });
    let identity = advantage_fn(|rewards: &[f32], out: &mut [f32]| out.copy_from_slice(rewards));
    let grpo = config.build().unwrap().with_advantage(identity);
    let group = RolloutGroup { rollouts: &rollouts, rewards: &rewards };
    let reference = reference.as_ref().map(|tape| tape as &dyn sparring_core::Scorer);
    let report = grpo.update(&mut tape, reference, &[group], 1.0).unwrap();

    let relative = if case.extreme { 1e-3 } else { 2e-5 };
    let expected = table(&case.expected["grad_logp"]).unwrap().concat();
    let scale = relative * largest(&expected).max(1e-12);
    for (id, &slope) in expected.iter().enumerate() {
        near(&case.id, "∂L/∂logp of the driver", tape.slopes[id], slope, scale);
    }
    if let Some(slopes) = table(&case.expected["grad_entropy"]) {
        for (id, &slope) in slopes.concat().iter().enumerate() {
            near(&case.id, "∂L/∂entropy", tape.entropy_slopes[id], slope, 1e-6 * slope.abs());
        }
    }
    let loss = case.expected["loss"].as_f64().unwrap();
    near(&case.id, "loss of the driver", report.loss, loss, relative * loss.abs().max(1.0));
    if case.advantages.iter().all(|&a| a != 0.0) && report.steps > 0 {
        let share = |key: &str| case.expected[key].as_f64().unwrap();
        near(&case.id, "clip_low", report.clip_low, share("clip_ratio/low_mean"), 1e-12);
        near(&case.id, "clip_high", report.clip_high, share("clip_ratio/high_mean"), 1e-12);
    }
    if let (Some(kl), Some(expected)) = (report.kl, case.expected["kl_mean"].as_f64()) {
        near(&case.id, "kl_mean", kl, expected, relative * expected.abs().max(1.0));
    }
}

#[test]
fn losses_of_trl() {
    let all = cases("trl_loss");
    let covered: Vec<Case> = all.iter().filter_map(read).collect();
    for case in &covered {
        check_f64(case);
        // Accumulation cases show one micro-batch of several: the driver always sees the whole.
        if case.gas.max(case.spg) <= 1.0 {
            check_driver(case, 10_000);
            check_driver(case, 13);
        }
    }
    println!("trl_loss: {} of {} cases compared", covered.len(), all.len());
    assert!(all.is_empty() || covered.len() >= 40, "only {} cases are covered", covered.len());
}

#[test]
fn advantages_of_trl() {
    let all = cases("advantage_trl");
    let mut compared = 0;
    for case in &all {
        let spec = &case["spec"];
        let kind = match spec["scale_rewards"].as_str().unwrap() {
            "group" => AdvantageKind::GroupStd,
            "none" => AdvantageKind::GroupMean,
            _ => continue,
        };
        if spec["multi_objective_aggregation"] != "sum_then_normalize" {
            continue;
        }
        compared += 1;
        let weights = row(&case["inputs"]["reward_weights"]);
        let parts = table(&case["inputs"]["rewards_per_func"]).unwrap();
        let expected = row(&case["expected"]["advantages"]);
        // The reference rounds the mean of the rewards, and divides by as little as 1e-4.
        let rounding = 1e4 * f64::EPSILON * largest(&parts.concat());
        let scale = 1e-9 * largest(&expected) + rounding;
        // A part that does not apply is skipped; a completion where none applies has no reward.
        let sum = |parts: &Vec<f64>| {
            let mut given = parts.iter().zip(&weights).filter(|(part, _)| !part.is_nan()).peekable();
            given.peek().is_some().then(|| given.map(|(part, weight)| part * weight).sum::<f64>())
        };
        let rewards: Vec<Option<f64>> = parts.iter().map(sum).collect();
        let size = spec["num_generations"].as_u64().unwrap() as usize;
        for (rewards, expected) in rewards.chunks(size).zip(expected.chunks(size)) {
            let present: Vec<f64> = rewards.iter().flatten().copied().collect();
            let mut computed = kind.of(&present).into_iter();
            for (reward, expected) in rewards.iter().zip(expected) {
                let advantage = reward.map_or(0.0, |_| computed.next().unwrap());
                near(case["id"].as_str().unwrap(), "advantage", advantage, *expected, scale);
            }
        }
    }
    println!("advantage_trl: {compared} of {} cases compared", all.len());
    assert!(all.is_empty() || compared >= 10, "only {compared} cases are covered");
}

/// verl's estimators, where its clamps of the log-ratio (±20) and of the estimate (±10) are not active.
#[test]
fn kl_of_verl() {
    let mut compared = 0;
    for case in cases("kl_estimator") {
        let kind = match case["spec"]["kind"].as_str().unwrap() {
            "k1" => KlEstimator::K1,
            "k2" | "mse" => KlEstimator::K2,
            "k3" => KlEstimator::K3,
            _ => continue,
        };
        compared += 1;
        let get = |side: &str, key: &str| table(&case[side][key]).unwrap().concat();
        let (logp, reference) = (get("inputs", "logp"), get("inputs", "ref_logp"));
        let (values, slopes) = (get("expected", "per_token_kl"), get("expected", "grad_logp"));
        for t in 0..logp.len() {
            let kl = kind.of(logp[t], reference[t]);
            if (logp[t] - reference[t]).abs() >= 20.0 || kl.value.abs() >= 10.0 {
                continue;
            }
            near("kl_estimator", "value", kl.value, values[t], 1e-9 * values[t].abs().max(1e-3));
            near("kl_estimator", "slope", kl.slope, slopes[t], 1e-9 * slopes[t].abs().max(1e-3));
        }
    }
    println!("kl_estimator: {compared} cases compared");
}
