//! Advantages.
use super::read::{flags, needed, number, row, table, text};
use super::score::{Scores, Width};
use serde_json::Value;
use sparring::core::BoxError;
use sparring::grpo::AdvantageKind;
use sparring::grpo::advantage::{Baselines, Estimator, GroupRewards, WeightedPart};

fn given(x: f64) -> Option<f64> {
    (!x.is_nan()).then_some(x)
}

/// TRL: weighted sums of several reward functions, scaled by group, batch or not at all.
pub(super) fn trl(case: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    let (spec, inputs, expected) = (&case["spec"], &case["inputs"], &case["expected"]);
    let size = number(spec, "num_generations")? as usize;
    let per_function = needed(inputs, "rewards_per_func")?;
    let weights = row(inputs, "reward_weights")?;
    let kind = match (text(spec, "multi_objective_aggregation"), text(spec, "scale_rewards")) {
        ("normalize_then_sum", _) => AdvantageKind::NormalizeThenSum,
        (_, "group") => AdvantageKind::GroupStd,
        (_, "batch") => AdvantageKind::BatchStd,
        _ => AdvantageKind::GroupMean,
    };
    // A part that does not apply is skipped; a completion where none applies has no reward.
    let sum = |parts: &Vec<f64>| {
        let applies = parts.iter().zip(&weights).filter(|(part, _)| !part.is_nan());
        applies.map(|(part, weight)| part * weight).fold(None, |sum, x| Some(sum.unwrap_or(0.0) + x))
    };
    let rewards: Vec<Option<f64>> = per_function.iter().map(sum).collect();
    let parts: Vec<Vec<Vec<Option<f64>>>> = per_function
        .chunks(size)
        .map(|rows| (0..weights.len()).map(|k| rows.iter().map(|row| given(row[k])).collect()).collect())
        .collect();
    let weighted: Vec<Vec<WeightedPart<'_>>> = parts
        .iter()
        .map(|group| {
            group.iter().zip(&weights).map(|(scores, &weight)| WeightedPart { weight, scores }).collect()
        })
        .collect();
    let lengths = vec![1; size];
    let groups: Vec<GroupRewards<'_>> = rewards
        .chunks(size)
        .zip(&weighted)
        .map(|(rewards, parts)| GroupRewards { rewards, lengths: &lengths, key: "", parts })
        .collect();
    let estimator = Estimator::new(kind).with_epsilon(number(spec, "eps")?);
    let ours = estimator.batch(&groups, &mut Baselines::default()).concat();
    let golden = row(expected, "advantages")?;
    let largest = |values: &[f64]| {
        values.iter().fold(0.0, |top: f64, x| if x.is_nan() { top } else { top.max(x.abs()) })
    };
    // The reference rounds the mean of the rewards, and divides by as little as ε.
    let rounding = f64::EPSILON * largest(&per_function.concat()) / (1e-9 * estimator.epsilon);
    scores.see_scaled("advantage", Width::F64, &ours, &golden, largest(&golden) + rounding);
    Ok(())
}

/// verl, NeMo-RL and prime-rl: one reward a completion.
pub(super) fn others(case: &Value, scores: &mut Scores) -> Result<(), BoxError> {
    let (spec, inputs, expected) = (&case["spec"], &case["inputs"], &case["expected"]);
    let size = number(spec, "group_size")? as usize;
    let rewards: Vec<Option<f64>> = row(inputs, "rewards")?.into_iter().map(given).collect();
    let counts = table(inputs, "mask").map(|mask| flags(&mask));
    let lengths: Vec<usize> = match &counts {
        Some(counts) => counts.iter().map(|row| row.iter().filter(|c| **c).count()).collect(),
        None => vec![1; rewards.len()],
    };
    let kind = match text(spec, "estimator") {
        "grpo" | "group_norm" => AdvantageKind::GroupStd,
        "grpo_nostd" | "grpo_no_std" | "dr_grpo" | "reinforce_baseline" => AdvantageKind::GroupMean,
        "grpo_passk" => AdvantageKind::PassAtK,
        "rloo" => AdvantageKind::LeaveOneOut,
        "opo" => AdvantageKind::LengthWeighted,
        "gpg" => AdvantageKind::Gpg,
        "reinforce_plus_plus" => AdvantageKind::ReinforcePlusPlus,
        "reinforce_plus_plus_baseline" => AdvantageKind::ReinforcePlusPlusBaseline,
        "max_rl" => AdvantageKind::MaxRl,
        "" if spec["leave_one_out_baseline"] == true => AdvantageKind::LeaveOneOutStd,
        "" if spec["leave_one_out_baseline"] == false => AdvantageKind::GroupStd,
        other => return Err(format!("unknown estimator {other:?}").into()),
    };
    let groups: Vec<GroupRewards<'_>> = rewards
        .chunks(size)
        .zip(lengths.chunks(size))
        .map(|(rewards, lengths)| GroupRewards { rewards, lengths, key: "", parts: &[] })
        .collect();
    let estimator = Estimator::new(kind).with_epsilon(spec["eps"].as_f64().unwrap_or(1e-6));
    let ours = estimator.batch(&groups, &mut Baselines::default()).concat();
    match (table(expected, "advantages"), counts) {
        // The same number for every token that counts.
        (Some(golden), Some(counts)) => {
            let spread = ours
                .iter()
                .zip(&counts)
                .flat_map(|(a, counts)| counts.iter().map(move |&c| if c { *a } else { 0.0 }));
            scores.see("advantage", Width::F64, &spread.collect::<Vec<_>>(), &golden.concat());
        }
        _ => scores.see("advantage", Width::F64, &ours, &row(expected, "advantages")?),
    }
    Ok(())
}
