//! KL estimators, importance weights, length limits, the head of the model.
use super::read::{flags, needed, number, row, text};
use super::score::{Scores, Width};
use serde_json::Value;
use sparring::core::BoxError;
use sparring::grpo::{
    AdvantageKind, ImportanceCorrection, ImportanceLevel, KlEstimator, Outside, SoftOverlong,
};
use sparring_testkit::lm_head::LmHead;

pub(super) fn kl(case: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    let (spec, inputs, expected) = (&case["spec"], &case["inputs"], &case["expected"]);
    let kind = match text(spec, "kind") {
        "k1" | "kl" => KlEstimator::K1,
        "k2" | "mse" => KlEstimator::K2,
        "k3" | "low_var_kl" => KlEstimator::K3,
        "abs" => KlEstimator::Abs,
        "k1+" => KlEstimator::K1WithGradientOfK2,
        "k3+" | "low_var_kl+" => KlEstimator::K3WithGradientOfK2,
        other => return Err(format!("unknown estimator {other:?}").into()),
    };
    let (logp, reference) = (needed(inputs, "logp")?.concat(), needed(inputs, "ref_logp")?.concat());
    // NeMo-RL multiplies by a ratio that is 1 and has a gradient, and bounds them all; verl bounds k3.
    let by_ratio = case["family"] == "kl_estimator_score_fn";
    let bounded = by_ratio || matches!(kind, KlEstimator::K3 | KlEstimator::K3WithGradientOfK2);
    let estimate = |(&logp, &reference): (&f64, &f64)| {
        let kl = if bounded { kind.bounded(logp, reference) } else { kind.of(logp, reference) };
        let moves = by_ratio && kl == kind.of(logp, reference);
        (kl.value, kl.gradient + if moves { kl.value } else { 0.0 })
    };
    let (values, gradients): (Vec<f64>, Vec<f64>) = logp.iter().zip(&reference).map(estimate).unzip();
    scores.see("kl", Width::F64, &values, &needed(expected, "per_token_kl")?.concat());
    scores.see("gradient", Width::F64, &gradients, &needed(expected, "grad_logp")?.concat());
    Ok(())
}

pub(super) fn importance(case: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    let (spec, inputs, expected) = (&case["spec"], &case["inputs"], &case["expected"]);
    let (level, outside) = match text(spec, "mode") {
        "token_truncate" => (ImportanceLevel::Token, Outside::Truncate),
        "token_mask" => (ImportanceLevel::Token, Outside::Mask),
        "sequence_truncate" => (ImportanceLevel::Sequence, Outside::Truncate),
        "sequence_mask" => (ImportanceLevel::Sequence, Outside::Mask),
        other => return Err(format!("unknown mode {other:?}").into()),
    };
    let correction = ImportanceCorrection::new(level, outside)
        .with_min(spec["clip_min"].as_f64())
        .with_max(spec["clip_max"].as_f64());
    let (old, sampler) = (needed(inputs, "old_logp")?, needed(inputs, "sampling_logp")?);
    let counts = flags(&needed(inputs, "mask")?);
    let golden = needed(expected, "is_ratio")?;
    for (i, golden) in golden.iter().enumerate() {
        let ours = correction.weights(&old[i], &sampler[i], |t| counts[i][t]);
        // A weight of the sequence is recorded once.
        scores.see("importance", Width::F64, &ours[..golden.len()], golden);
    }
    Ok(())
}

pub(super) fn overlong(case: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    let spec = &case["spec"];
    let soft = SoftOverlong::new(
        number(spec, "max_completion_len")? as usize,
        number(spec, "soft_punish_cache")? as usize,
    );
    let lengths = row(&case["inputs"], "lengths")?;
    let ours: Vec<f64> = lengths.iter().map(|&length| soft.of(length as usize)).collect();
    scores.see("overlong", Width::F64, &ours, &row(&case["expected"], "rewards")?);
    Ok(())
}

/// Truncated completions lose their tokens, and keep their part in the group's statistics.
pub(super) fn filter(case: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    let (inputs, expected) = (&case["inputs"], &case["expected"]);
    let ended: Vec<bool> = inputs["ended_with_eos"]
        .as_array()
        .ok_or("ended_with_eos should be a list")?
        .iter()
        .map(|flag| flag == true)
        .collect();
    let mut mask = needed(inputs, "mask")?;
    mask.iter_mut().zip(&ended).filter(|(_, ended)| !**ended).for_each(|(row, _)| row.fill(0.0));
    scores.see("mask", Width::F64, &mask.concat(), &needed(expected, "mask")?.concat());
    let tokens = mask.concat().iter().sum();
    scores.see("tokens", Width::F64, &[tokens], &[number(expected, "num_items_in_batch")?]);
    let size = number(&case["spec"], "num_generations")? as usize;
    let rewards = row(inputs, "rewards")?;
    let ours: Vec<f64> = rewards.chunks(size).flat_map(|group| AdvantageKind::GroupStd.of(group)).collect();
    scores.see("advantage", Width::F64, &ours, &row(expected, "advantages")?);
    Ok(())
}

pub(super) fn lm_head(case: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    let (inputs, expected) = (&case["inputs"], &case["expected"]);
    let (hidden, weight) = (needed(inputs, "hidden")?, needed(inputs, "weight")?);
    let head = LmHead { weight: &weight, temperature: number(&case["spec"], "temperature")? };
    let (targets, by_logp) = (row(inputs, "targets")?, row(inputs, "grad_logp")?);
    let by_entropy = row(inputs, "grad_entropy")?;
    let (mut logp, mut entropy, mut by_hidden) = (Vec::new(), Vec::new(), Vec::new());
    let mut by_weight = vec![0.0; weight.len() * hidden[0].len()];
    for (i, h) in hidden.iter().enumerate() {
        let target = targets[i] as usize;
        let at = head.forward(h);
        let gradient = head.backward(&at, target, by_logp[i], by_entropy[i]);
        logp.push(at.log_probs[target]);
        entropy.push(at.entropy);
        by_hidden.extend(gradient.hidden);
        for (row, dz) in by_weight.chunks_mut(h.len()).zip(gradient.logits) {
            row.iter_mut().zip(h).for_each(|(slot, h)| *slot += dz * h);
        }
    }
    scores.see("head logp", Width::F64, &logp, &row(expected, "logp")?);
    scores.see("head entropy", Width::F64, &entropy, &row(expected, "entropy")?);
    scores.see("head gradient", Width::F64, &by_hidden, &needed(expected, "grad_hidden")?.concat());
    scores.see("head gradient", Width::F64, &by_weight, &needed(expected, "grad_weight")?.concat());
    Ok(())
}
