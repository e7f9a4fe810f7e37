//! The losses of verl, OpenRLHF, prime-rl and LUFFY: their settings as ours, and what they divide by.
use super::losses::{LossCase, Row, rows};
use super::read::{needed, number, row, text};
use serde_json::Value;
use sparring::core::BoxError;
use sparring::grpo::importance::{ImportanceCorrection, ImportanceLevel, Outside};
use sparring::grpo::loss::Objective;
use sparring::grpo::normaliser::Totals;
use sparring::grpo::select::high_covariance;
use sparring::grpo::surrogate::{Clip, Divergence, Surrogate};
use sparring::grpo::{Aggregation, RatioLevel};

/// verl, OpenRLHF, prime-rl and LUFFY.
pub(super) fn read(case: &Value) -> Result<LossCase, BoxError> {
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
                symmetric: false,
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
        Surrogate::TrustRegion { divergence, low, high, max_ratio, symmetric: false }
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
