//! Losses: each library's settings as ours, and its normaliser.
use super::driver;
use super::read::{Table, flags, needed, number, row, table, text};
use super::score::{Scores, Width};
use crate::rows::BoxError;
use serde_json::Value;
use sparring::grpo::importance::{ImportanceCorrection, ImportanceLevel, Outside};
use sparring::grpo::loss::{Objective, Sequence, SequenceLoss};
use sparring::grpo::normaliser::Totals;
use sparring::grpo::select::{high_covariance, high_entropy, keeps_sequence};
use sparring::grpo::surrogate::{Clip, Divergence, Surrogate};
use sparring::grpo::{Aggregation, KlEstimator, LossKind, RatioLevel};

/// A case in our terms.
#[derive(Debug, Clone)]
pub(super) struct LossCase {
    pub(super) objective: Objective,
    /// The loss by name, where it is one of TRL's with nothing that the driver lacks.
    pub(super) kind: Option<LossKind>,
    pub(super) aggregation: Aggregation,
    pub(super) totals: Totals,
    /// What the peer's normaliser has beside ours.
    pub(super) factor: Vec<f64>,
    pub(super) rows: Vec<Row>,
    /// Coefficient over the tokens that carry an entropy bonus.
    pub(super) entropy_weight: f64,
    pub(super) entropy_coef: f64,
    /// Whether one micro-batch of several is shown.
    pub(super) partial: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) logp: Vec<f64>,
    pub(super) old: Option<Vec<f64>>,
    pub(super) reference: Option<Vec<f64>>,
    pub(super) counts: Vec<bool>,
    pub(super) selected: Option<Vec<bool>>,
    pub(super) penalised: Option<Vec<bool>>,
    pub(super) importance: Option<Vec<f64>>,
    pub(super) expert_prefix: usize,
    pub(super) advantage: f64,
    pub(super) entropy: Option<Vec<f64>>,
}

impl Row {
    fn live(&self) -> usize {
        self.counts.iter().filter(|c| **c).count()
    }

    fn sequence(&self) -> Sequence<'_> {
        Sequence {
            logp: &self.logp,
            old: self.old.as_deref(),
            reference: self.reference.as_deref(),
            counts: Some(&self.counts),
            selected: self.selected.as_deref(),
            penalised: self.penalised.as_deref(),
            importance: self.importance.as_deref(),
            expert_prefix: self.expert_prefix,
            advantage: self.advantage,
        }
    }
}

pub(super) fn compare(case: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    let read = match case["family"].as_str() {
        Some("trl_loss") => trl(case)?,
        _ => peer(case)?,
    };
    evaluate(&read, Width::F64, case, scores)?;
    let narrow = |x: &f64| f64::from(*x as f32);
    let mut rounded = read.clone();
    for row in &mut rounded.rows {
        row.logp = row.logp.iter().map(narrow).collect();
        for part in [&mut row.old, &mut row.reference] {
            *part = part.as_ref().map(|values| values.iter().map(narrow).collect());
        }
        row.advantage = narrow(&row.advantage);
    }
    evaluate(&rounded, Width::F32, case, scores)?;
    driver::compare(&read, case, scores)
}

/// Loss, gradients and statistics through the pure functions.
fn evaluate(case: &LossCase, width: Width, golden: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    let expected = &golden["expected"];
    let (mut loss, mut size) = (0.0, 0.0);
    let (mut slopes, mut ratios, mut kls) = (Vec::new(), Vec::new(), Vec::new());
    let (mut entropy_slopes, mut chosen) = (Vec::new(), Vec::new());
    for (row, factor) in case.rows.iter().zip(&case.factor) {
        let weight = factor * case.aggregation.token_weight(row.live(), &case.totals);
        let SequenceLoss { value, slopes: own, ratios: r, kl } = case.objective.sequence(&row.sequence());
        loss += weight * value;
        size += (weight * value).abs();
        slopes.extend(own.iter().map(|slope| weight * slope));
        ratios.push(r);
        kls.push(kl);
        let selected = row.selected.as_ref().unwrap_or(&row.counts);
        for (t, h) in row.entropy.iter().flatten().enumerate() {
            let carries = row.counts[t] && selected[t];
            chosen.push(if carries { 1.0 } else { 0.0 });
            loss -= if carries { case.entropy_weight * h } else { 0.0 };
            entropy_slopes.push(if carries { -case.entropy_weight } else { 0.0 });
        }
    }
    let total = number(expected, "loss")?;
    scores.see_scaled("loss", width, &[loss], &[total], size.max(total.abs()));
    scores.see("gradient", width, &slopes, &needed(expected, "grad_logp")?.concat());
    if let Some(golden) = table(expected, "grad_entropy") {
        scores.see("entropy gradient", width, &entropy_slopes, &golden.concat());
    }
    if let Some(golden) = table(expected, "entropy_mask") {
        let golden = golden.concat();
        scores.see("entropy mask", width, &chosen, &golden);
    }
    statistics(case, width, &ratios, &kls, expected, scores);
    Ok(())
}

/// Ratios, divergences and clip fractions of the tokens that count.
fn statistics(
    case: &LossCase,
    width: Width,
    ratios: &Table,
    kls: &Table,
    expected: &Value,
    scores: &mut Scores,
) {
    let live: Vec<(usize, usize)> = (0..case.rows.len())
        .flat_map(|i| (0..case.rows[i].logp.len()).map(move |t| (i, t)))
        .filter(|&(i, t)| case.rows[i].counts[t])
        .collect();
    let of = |table: &Table| -> Vec<f64> {
        // A ratio of the sequence is recorded once.
        live.iter().map(|&(i, t)| if table[i].len() == 1 { table[i][0] } else { table[i][t] }).collect()
    };
    let ours = of(ratios);
    if let Some(golden) = table(expected, "ratio") {
        scores.see("ratio", width, &ours, &of(&golden));
    }
    if let Some(golden) = table(expected, "per_token_kl") {
        scores.see("kl", width, &of(kls), &of(&golden));
    }
    let n = live.len().max(1) as f64;
    if let Some(golden) = expected["kl_mean"].as_f64() {
        scores.see("mean kl", width, &[of(kls).iter().sum::<f64>() / n], &[golden]);
    }
    let (low, high) = clipped(case, ratios, &live);
    for (name, ours, golden) in [
        ("clip fraction low", low, "clip_ratio/low_mean"),
        ("clip fraction high", high, "clip_ratio/high_mean"),
    ] {
        if let Some(golden) = expected[golden].as_f64() {
            scores.see_scaled(name, width, &[ours], &[golden], 1.0);
        }
    }
}

/// Shares of the tokens that are clipped; of the sequences, where the ratio is theirs.
fn clipped(case: &LossCase, ratios: &Table, live: &[(usize, usize)]) -> (f64, f64) {
    let first = |i: usize| (i, case.rows[i].counts.iter().position(|c| *c).unwrap_or(0));
    let places = match case.objective.level {
        RatioLevel::Token => live.to_vec(),
        _ => (0..case.rows.len()).map(first).collect(),
    };
    let clip = case.objective.clip;
    let share = |is: &dyn Fn(f64, f64) -> bool| {
        let clipped = places.iter().filter(|&&(i, t)| is(ratios[i][t], case.rows[i].advantage)).count();
        clipped as f64 / places.len().max(1) as f64
    };
    (share(&|r, a| r < 1.0 - clip.low && a < 0.0), share(&|r, a| r > 1.0 + clip.high && a > 0.0))
}

/// TRL: `loss_type` and its many switches.
fn trl(case: &Value) -> Result<LossCase, BoxError> {
    let (spec, inputs) = (&case["spec"], &case["inputs"]);
    let get = |name: &str| number(spec, name);
    let kind: LossKind = serde_json::from_value(spec["loss_type"].clone())?;
    let (gas, spg) = (get("gradient_accumulation_steps")?, get("steps_per_generation")?);
    let sequence_level = spec["importance_sampling_level"] == "sequence";
    let mut rows = rows(inputs, get("beta")? > 0.0)?;
    let share = get("top_entropy_quantile")?;
    select(&mut rows, share, spec["off_policy_mask_threshold"].as_f64(), inputs)?;
    let tokens: usize = rows.iter().map(Row::live).sum();
    let carrying = |row: &Row| {
        let selected = row.selected.as_ref().unwrap_or(&row.counts);
        row.counts.iter().zip(selected).filter(|(a, b)| **a && **b).count()
    };
    let bonus: usize = rows.iter().map(carrying).sum();
    let surrogate = match kind.surrogate() {
        Surrogate::Cispo { .. } => Surrogate::Cispo { min: 0.0, max: get("epsilon_high")? },
        Surrogate::Sapo { .. } => {
            Surrogate::Sapo { positive: get("sapo_temperature_pos")?, negative: get("sapo_temperature_neg")? }
        }
        Surrogate::Vespo { .. } => Surrogate::Vespo {
            positive: (get("vespo_k_pos")?, get("vespo_lambda_pos")?),
            negative: (get("vespo_k_neg")?, get("vespo_lambda_neg")?),
        },
        other => other,
    };
    let entropy_coef = get("entropy_coef")?;
    Ok(LossCase {
        objective: Objective {
            surrogate,
            clip: Clip {
                low: get("epsilon_low")?,
                high: get("epsilon_high")?,
                cap: spec["delta"].as_f64(),
                dual: None,
            },
            level: if sequence_level { RatioLevel::Sequence } else { RatioLevel::Token },
            kl: KlEstimator::K3,
            kl_coef: get("beta")?,
            // TRL's GMPO trainer knows no correction of the estimate.
            kl_ratio_weighted: spec["use_bias_correction_kl"] == true && kind != LossKind::Gmpo,
            ..Objective::default()
        },
        kind: Some(kind),
        aggregation: kind.aggregation(),
        totals: Totals {
            completions: rows.len() * gas as usize,
            tokens: tokens.max(1) * gas as usize,
            tokens_per_step: spec["num_items_in_batch"].as_f64().unwrap_or(tokens as f64).max(1.0) * gas
                / spg,
            max_tokens: get("max_completion_length")? as usize,
        },
        factor: vec![1.0; rows.len()],
        rows,
        entropy_weight: entropy_coef / bonus.max(1) as f64 / gas,
        entropy_coef,
        partial: gas.max(spg) > 1.0,
    })
}

fn rows(inputs: &Value, with_reference: bool) -> Result<Vec<Row>, BoxError> {
    let logp = needed(inputs, "logp")?;
    let mut mask = needed(inputs, "mask")?;
    if let Some(tools) = table(inputs, "tool_mask") {
        for (row, tools) in mask.iter_mut().zip(tools) {
            row.iter_mut().zip(tools).for_each(|(m, tool)| *m *= tool);
        }
    }
    let (counts, advantages) = (flags(&mask), row(inputs, "advantages")?);
    let old = table(inputs, "old_logp").or_else(|| table(inputs, "inference_logp"));
    let reference = table(inputs, "ref_logp").filter(|_| with_reference);
    let importance = table(inputs, "is_ratio").or_else(|| table(inputs, "rollout_is_weights"));
    let (entropy, expert) = (table(inputs, "entropy"), table(inputs, "off_policy_prefix_mask"));
    let at = |part: &Option<Table>, i: usize| part.as_ref().map(|part| part[i].clone());
    let make = |(i, logp): (usize, Vec<f64>)| {
        let spread =
            |weights: Vec<f64>| if weights.len() == 1 { vec![weights[0]; logp.len()] } else { weights };
        Row {
            old: at(&old, i),
            reference: at(&reference, i),
            counts: counts[i].clone(),
            importance: at(&importance, i).map(spread),
            expert_prefix: at(&expert, i).map_or(0, |mask| mask.iter().filter(|m| **m > 0.0).count()),
            advantage: advantages[i],
            entropy: at(&entropy, i),
            logp,
            ..Row::default()
        }
    };
    Ok(logp.into_iter().enumerate().map(make).collect())
}

/// Which tokens carry the policy term.
fn select(rows: &mut [Row], share: f64, threshold: Option<f64>, inputs: &Value) -> Result<(), BoxError> {
    if share < 1.0 {
        let entropy: Vec<f64> = rows.iter().flat_map(|row| row.entropy.clone().unwrap_or_default()).collect();
        let counts: Vec<bool> = rows.iter().flat_map(|row| row.counts.clone()).collect();
        let mut chosen = high_entropy(&entropy, &counts, share).into_iter();
        for row in rows.iter_mut() {
            row.selected = Some(chosen.by_ref().take(row.logp.len()).collect());
        }
    }
    if let Some(threshold) = threshold {
        let sampler = table(inputs, "sampling_logp").or_else(|| table(inputs, "old_logp"));
        let sampler = sampler.ok_or("a masked sequence needs the sampler's log-probabilities")?;
        for (row, sampler) in rows.iter_mut().zip(sampler) {
            let keeps = keeps_sequence(row.advantage, &sampler, &row.logp, &row.counts, threshold);
            let before = row.selected.take().unwrap_or_else(|| row.counts.clone());
            row.selected = Some(before.into_iter().map(|s| s && keeps).collect());
        }
    }
    Ok(())
}

/// verl, OpenRLHF, prime-rl and LUFFY.
fn peer(case: &Value) -> Result<LossCase, BoxError> {
    let (spec, inputs) = (&case["spec"], &case["inputs"]);
    let or = |name: &str, other: f64| spec[name].as_f64().unwrap_or(other);
    let mut rows = rows(inputs, false)?;
    let mut objective = Objective::default();
    let low = or("clip_ratio_low", or("clip_eps_low", or("cliprange", 0.2)));
    let high = or("clip_ratio_high", or("clip_eps_high", or("cliprange", 0.2)));
    objective.clip = Clip { low, high, cap: None, dual: None };
    let mut average = match text(spec, "loss_agg_mode") {
        "seq-mean-token-mean" => Average::RowMeans,
        "seq-mean-token-sum" => Average::RowSums(1.0),
        "seq-mean-token-sum-norm" => {
            Average::RowSums(or("loss_scale_factor", rows.first().map_or(1, |row| row.logp.len()) as f64))
        }
        _ if spec["token_level_loss"] == false => Average::RowMeans,
        _ => Average::Tokens(spec["normalizer"].as_f64()),
    };
    match (case["family"].as_str(), text(spec, "loss_mode")) {
        (Some("verl_loss"), mode) => {
            objective.surrogate = verl(mode, spec, low, high)?;
            if mode == "vanilla" {
                objective.clip.dual = Some(or("clip_ratio_c", 3.0));
            }
            if mode == "gspo" {
                objective.level = RatioLevel::SequenceToken;
            }
            if matches!(mode, "gspo" | "sapo" | "geo_mean") {
                average = Average::RowMeans;
            }
            if let Surrogate::KlCov { share, .. } = objective.surrogate {
                penalise(&mut rows, share);
            }
        }
        (Some("openrlhf_loss"), _) => {
            objective.clip.dual = spec["dual_clip"].as_f64();
            if text(spec, "policy_loss_type") == "gspo" {
                objective.level = RatioLevel::SequenceToken;
            }
            correct(&mut rows, spec, inputs)?;
        }
        (Some("prime_loss"), _) => {
            let bounds = (or("dppo_mask_low", 0.2), or("dppo_mask_high", 0.2));
            objective.surrogate = Surrogate::TrustRegion {
                divergence: Divergence::Tv,
                low: bounds.0,
                high: bounds.1,
                max_ratio: None,
            };
            objective.log_ratio_coef = or("kl_tau", 0.0);
            for row in &mut rows {
                row.advantage *= or("adv_tau", 1.0);
            }
        }
        _ => {
            objective.expert_gamma = spec["gamma"].as_f64();
            if spec["remove_clip"] == true {
                objective.clip = Clip { low: 1.0, high: f64::MAX, cap: None, dual: None };
            }
        }
    }
    Ok(averaged(objective, rows, average))
}

/// verl's policy losses by their names.
fn verl(mode: &str, spec: &Value, low: f64, high: f64) -> Result<Surrogate, BoxError> {
    let trust = |divergence| {
        let max_ratio = spec["clip_ratio_c"].as_f64();
        Surrogate::TrustRegion { divergence, low, high, max_ratio }
    };
    Ok(match mode {
        "vanilla" | "gspo" => Surrogate::Clipped,
        "sapo" => Surrogate::Sapo { positive: number(spec, "tau_pos")?, negative: number(spec, "tau_neg")? },
        "gpg" => Surrogate::Reinforce,
        "cispo" => Surrogate::Cispo { min: 1.0 - low, max: 1.0 + high },
        "geo_mean" => Surrogate::GeometricMean { epsilon: 1e-8 },
        "dppo_tv" => trust(Divergence::Tv),
        "dppo_kl" => trust(Divergence::Kl),
        "kl_cov" => {
            Surrogate::KlCov { share: number(spec, "kl_cov_ratio")?, coef: number(spec, "ppo_kl_coef")? }
        }
        other => return Err(format!("unknown loss_mode {other:?}").into()),
    })
}

/// The tokens of KL-Cov, over the whole batch.
fn penalise(rows: &mut [Row], share: f64) {
    let flat = |f: &dyn Fn(&Row) -> Vec<f64>| rows.iter().flat_map(f).collect::<Vec<_>>();
    let (advantages, logp) =
        (flat(&|row| vec![row.advantage; row.logp.len()]), flat(&|row| row.logp.clone()));
    let counts: Vec<bool> = rows.iter().flat_map(|row| row.counts.clone()).collect();
    let mut chosen = high_covariance(&advantages, &logp, &counts, share).into_iter();
    for row in rows {
        row.penalised = Some(chosen.by_ref().take(row.logp.len()).collect());
    }
}

/// OpenRLHF's weights.
fn correct(rows: &mut [Row], spec: &Value, inputs: &Value) -> Result<(), BoxError> {
    let (level, outside) = match text(spec, "vllm_is_correction_type") {
        "" => return Ok(()),
        "tis" => (ImportanceLevel::Token, Outside::Truncate),
        "icepop" => (ImportanceLevel::Token, Outside::Mask),
        "seq-mask-tis" => (ImportanceLevel::TokenBySequence, Outside::Mask),
        other => return Err(format!("unknown correction {other:?}").into()),
    };
    let bounds = row(spec, "vllm_is_truncated_threshold")?;
    let correction =
        ImportanceCorrection::new(level, outside).with_min(Some(bounds[0])).with_max(Some(bounds[1]));
    for (row, sampler) in rows.iter_mut().zip(needed(inputs, "sampling_logp")?) {
        let old = row.old.as_deref().ok_or("importance weights need old_logp")?;
        row.importance = Some(correction.weights(old, &sampler, |t| row.counts[t]));
    }
    Ok(())
}

/// What a peer divides by.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Average {
    /// The number of tokens, or a constant.
    Tokens(Option<f64>),
    /// Means of rows, over the rows that are not empty; their lengths are enlarged by 1e-8.
    RowMeans,
    /// Sums of rows over a constant, over the rows that are not empty.
    RowSums(f64),
}

fn averaged(objective: Objective, rows: Vec<Row>, average: Average) -> LossCase {
    let tokens: usize = rows.iter().map(Row::live).sum();
    let factor = |row: &Row| match average {
        Average::Tokens(_) => 1.0,
        Average::RowMeans => row.live() as f64 / (row.live() as f64 + 1e-8),
        Average::RowSums(constant) => 1.0 / constant,
    };
    let constant = if let Average::Tokens(constant) = average { constant } else { None };
    LossCase {
        objective,
        kind: None,
        aggregation: match average {
            Average::Tokens(_) => Aggregation::BatchTokenMean,
            Average::RowMeans => Aggregation::CompletionMean,
            Average::RowSums(_) => Aggregation::CompletionSum,
        },
        totals: Totals {
            completions: rows.iter().filter(|row| row.live() > 0).count(),
            tokens,
            tokens_per_step: constant.unwrap_or(tokens as f64),
            max_tokens: 1,
        },
        factor: rows.iter().map(factor).collect(),
        rows,
        entropy_weight: 0.0,
        entropy_coef: 0.0,
        partial: false,
    }
}
