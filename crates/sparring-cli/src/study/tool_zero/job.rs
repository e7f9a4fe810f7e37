//! What is kept of one arm with one seed, and of the base.

use serde::{Deserialize, Serialize};
use sparring::core::BoxError;
use sparring::recipes::tool_zero::{Arm, Coverage, StepRecord};
use sparring::train::EvaluationScore;
use sparring::train::store::disk::write_atomic;
use std::path::Path;

/// Accuracy on both evaluations.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Accuracy {
    /// On the family that was trained on, tools held out.
    pub(crate) intra: EvaluationScore,
    /// On the other family.
    pub(crate) cross: EvaluationScore,
}

/// One arm with one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunResult {
    pub(crate) arm: Arm,
    pub(crate) seed: u64,
    pub(crate) accuracy: Accuracy,
    /// What happened at every update.
    pub(crate) records: Vec<StepRecord>,
    pub(crate) seconds: f64,
}

/// The base before any training.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BaseResult {
    pub(crate) accuracy: Accuracy,
    /// Several tries at temperature 1 on the first tasks of each evaluation.
    pub(crate) intra: Coverage,
    pub(crate) cross: Coverage,
    /// On training tasks as they are, and with masked names.
    pub(crate) training: Coverage,
    pub(crate) masked: Coverage,
    pub(crate) seconds: f64,
}

/// Writes a result, whole or not at all.
pub(crate) fn write<T: Serialize>(path: &Path, result: &T) -> Result<(), BoxError> {
    let mut text = serde_json::to_vec_pretty(result)?;
    text.push(b'\n');
    Ok(write_atomic(path, &text)?)
}
