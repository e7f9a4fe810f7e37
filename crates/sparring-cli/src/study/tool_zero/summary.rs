//! Means over the seeds, and the files for machines.

use crate::study::tool_zero::job::{self, BaseResult, RunResult};
use crate::study::tool_zero::settings::Settings;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sparring::core::BoxError;
use sparring::recipes::tool_zero::Arm;
use sparring::train::store::disk::write_atomic;

/// A mean over seeds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OverSeeds {
    pub(crate) mean: f64,
    /// Standard error of the mean over the seeds; absent with one seed.
    pub(crate) standard_error: Option<f64>,
    /// By seed.
    pub(crate) values: Vec<f64>,
}

impl OverSeeds {
    pub(crate) fn of(values: Vec<f64>) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n.max(1.0);
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let standard_error = (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt());
        Self { mean, standard_error, values }
    }
}

/// One arm.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ArmSummary {
    pub(crate) arm: Arm,
    /// Accuracy on each evaluation, in [0, 1].
    pub(crate) intra: OverSeeds,
    pub(crate) cross: OverSeeds,
    /// Relative to SFT and to SFT, then RL, seed by seed: 0.07 is 7 % above; absent where that arm did not run.
    pub(crate) intra_over_sft: Option<OverSeeds>,
    pub(crate) intra_over_sft_then_rl: Option<OverSeeds>,
    pub(crate) cross_over_sft: Option<OverSeeds>,
    pub(crate) cross_over_sft_then_rl: Option<OverSeeds>,
    pub(crate) seconds: f64,
}

/// What `summary.json` holds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Summary {
    pub(crate) preset: String,
    pub(crate) seeds: u64,
    pub(crate) updates: usize,
    pub(crate) evaluation_tasks: usize,
    pub(crate) validation: bool,
    pub(crate) base: BaseResult,
    pub(crate) arms: Vec<ArmSummary>,
}

/// Sums the runs up, and writes `summary.json` and `events.jsonl`.
pub(crate) fn write(settings: &Settings, base: BaseResult, runs: &[RunResult]) -> Result<Summary, BoxError> {
    let summary = Summary {
        preset: settings.preset.clone(),
        seeds: settings.seeds,
        updates: settings.config.tool_zero.updates,
        evaluation_tasks: settings.config.tasks.evaluation,
        validation: settings.config.tasks.validation,
        base,
        arms: settings.arms.iter().map(|&arm| summarise(arm, runs)).collect(),
    };
    job::write(&settings.dir.join("summary.json"), &summary)?;
    write_atomic(&settings.dir.join("events.jsonl"), events(runs)?.as_bytes())?;
    Ok(summary)
}

/// An accuracy of a run.
type Pick = fn(&RunResult) -> f64;

const INTRA: Pick = |run| run.accuracy.intra.accuracy;
const CROSS: Pick = |run| run.accuracy.cross.accuracy;

fn summarise(arm: Arm, runs: &[RunResult]) -> ArmSummary {
    let of = |arm: Arm, pick: Pick| runs.iter().filter(|run| run.arm == arm).map(pick).collect::<Vec<f64>>();
    let over = |other: Arm, pick: Pick| {
        let ratios = of(arm, pick).into_iter().zip(of(other, pick));
        // Nothing is so many per cent above 0.
        let ratios: Vec<f64> = ratios.filter(|(_, b)| *b > 0.0).map(|(a, b)| a / b - 1.0).collect();
        (!ratios.is_empty()).then(|| OverSeeds::of(ratios))
    };
    ArmSummary {
        arm,
        intra: OverSeeds::of(of(arm, INTRA)),
        cross: OverSeeds::of(of(arm, CROSS)),
        intra_over_sft: over(Arm::Sft, INTRA),
        intra_over_sft_then_rl: over(Arm::SftThenRl, INTRA),
        cross_over_sft: over(Arm::Sft, CROSS),
        cross_over_sft_then_rl: over(Arm::SftThenRl, CROSS),
        seconds: of(arm, |run| run.seconds).iter().sum(),
    }
}

/// A record an update and an evaluation, run by run.
fn events(runs: &[RunResult]) -> Result<String, BoxError> {
    let mut text = String::new();
    for run in runs {
        let mut line = |kind: &str, fields: Value| {
            let mut object = Map::new();
            object.insert("kind".to_owned(), kind.into());
            object.insert("arm".to_owned(), json!(run.arm));
            object.insert("seed".to_owned(), run.seed.into());
            if let Value::Object(fields) = fields {
                object.extend(fields);
            }
            text.push_str(&Value::Object(object).to_string());
            text.push('\n');
        };
        for record in &run.records {
            line("step", serde_json::to_value(record)?);
        }
        for score in [&run.accuracy.intra, &run.accuracy.cross] {
            line("evaluation", serde_json::to_value(score)?);
        }
    }
    Ok(text)
}
