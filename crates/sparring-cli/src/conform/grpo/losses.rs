//! Losses, their gradients and statistics.
use super::read::{Table, flags, needed, number, row, table};
use super::score::{Scores, Width};
use super::{driver, peers, trl};
use serde_json::Value;
use sparring::core::BoxError;
use sparring::grpo::loss::{Objective, Sequence, SequenceLoss};
use sparring::grpo::normaliser::Totals;
use sparring::grpo::{Aggregation, LossKind, RatioLevel};

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
    pub(super) fn live(&self) -> usize {
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
        Some("trl_loss") => trl::read(case)?,
        _ => peers::read(case)?,
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
    let (mut gradients, mut ratios, mut kls) = (Vec::new(), Vec::new(), Vec::new());
    let (mut entropy_gradients, mut chosen) = (Vec::new(), Vec::new());
    for (row, factor) in case.rows.iter().zip(&case.factor) {
        let weight = factor * case.aggregation.token_weight(row.live(), &case.totals);
        let SequenceLoss { value, gradients: own, ratios: r, kl } = case.objective.sequence(&row.sequence());
        loss += weight * value;
        size += (weight * value).abs();
        gradients.extend(own.iter().map(|gradient| weight * gradient));
        ratios.push(r);
        kls.push(kl);
        let selected = row.selected.as_ref().unwrap_or(&row.counts);
        for (t, h) in row.entropy.iter().flatten().enumerate() {
            let carries = row.counts[t] && selected[t];
            chosen.push(if carries { 1.0 } else { 0.0 });
            loss -= if carries { case.entropy_weight * h } else { 0.0 };
            entropy_gradients.push(if carries { -case.entropy_weight } else { 0.0 });
        }
    }
    let total = number(expected, "loss")?;
    scores.see_scaled("loss", width, &[loss], &[total], size.max(total.abs()));
    scores.see("gradient", width, &gradients, &needed(expected, "grad_logp")?.concat());
    if let Some(golden) = table(expected, "grad_entropy") {
        scores.see("entropy gradient", width, &entropy_gradients, &golden.concat());
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

pub(super) fn rows(inputs: &Value, with_reference: bool) -> Result<Vec<Row>, BoxError> {
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
