//! TRL's losses: its settings as ours.
use super::losses::{LossCase, Row, rows};
use super::read::{number, table};
use serde_json::Value;
use sparring::core::BoxError;
use sparring::grpo::loss::Objective;
use sparring::grpo::normaliser::Totals;
use sparring::grpo::select::{high_entropy, keeps_sequence};
use sparring::grpo::surrogate::{Clip, Surrogate};
use sparring::grpo::{KlConfig, LossKind, RatioLevel};

/// TRL: `loss_type` and its many switches.
pub(super) fn read(case: &Value) -> Result<LossCase, BoxError> {
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
            // TRL's GMPO trainer knows no correction of the estimate.
            kl: KlConfig::new(get("beta")?)
                .with_ratio_weighted(spec["use_bias_correction_kl"] == true && kind != LossKind::Gmpo),
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
