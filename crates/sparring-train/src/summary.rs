//! What the summaries of runs have in common.

use crate::EvaluationScore;
use serde_json::{Map, Value};
use sparring_grpo::UpdateReport;

/// Updates over which a first and a last value are averaged: a single update is noisy.
pub const WINDOW: usize = 5;

/// The mean; `None` without values.
pub fn mean(values: &[f32]) -> Option<f32> {
    (!values.is_empty())
        .then(|| (values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64) as f32)
}

/// Means of the first and of the last `window` values: a single update is noisy.
pub fn first_and_last(values: &[f32], window: usize) -> (Option<f32>, Option<f32>) {
    let n = values.len();
    (mean(&values[..n.min(window)]), mean(&values[n.saturating_sub(window)..]))
}

/// `<evaluation>_accuracy` and `<evaluation>_standard_error` of each evaluation.
pub fn by_name(scores: &[EvaluationScore]) -> Map<String, Value> {
    let mut map = Map::new();
    for score in scores {
        map.insert(format!("{}_accuracy", score.name), Value::from(score.accuracy));
        map.insert(format!("{}_standard_error", score.name), Value::from(score.standard_error));
    }
    map
}

/// (after − before) / before accuracy of the evaluation `heldout`, or of the first where there is none of that name;
/// `None` where the accuracy before is 0.
pub fn relative_gain(before: &[EvaluationScore], after: &[EvaluationScore]) -> Option<f64> {
    let before = before.iter().find(|s| s.name == "heldout").or_else(|| before.first())?;
    let after = after.iter().find(|s| s.name == before.name)?;
    (before.accuracy > 0.0).then(|| (after.accuracy - before.accuracy) / before.accuracy)
}

/// Peak resident memory of this process in MiB, on Linux; 0 elsewhere.
pub fn peak_rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok()).map_or(0.0, |kib| kib / 1024.0)
}

/// A warning for progress notes: the sampler has drifted from the learner ([`UpdateReport::drifted`]), or the learner's
/// training pass differs from its scoring ([`UpdateReport::scoring_differs`]).
#[derive(Debug, Default)]
pub struct DriftNote {
    shown: bool,
}

impl DriftNote {
    /// The warning, at the first update with one; else nothing.
    ///
    /// ```
    /// use sparring_grpo::UpdateReport;
    /// let mut update = UpdateReport::default();
    /// (update.drifted, update.drift_mean) = (true, Some(0.25));
    /// let mut note = sparring_train::summary::DriftNote::default();
    /// assert_eq!(note.of(&update), ", WARNING: the sampler drifted by 0.250 nats a token");
    /// assert_eq!(note.of(&update), "");
    /// ```
    pub fn of(&mut self, update: &UpdateReport) -> String {
        if self.shown || !(update.drifted || update.scoring_differs) {
            return String::new();
        }
        self.shown = true;
        if update.scoring_differs {
            let mean = update.scoring_gap_mean.unwrap_or_default();
            return format!(
                ", WARNING: the model scores and trains {mean:.3} nats a token apart: is there dropout?"
            );
        }
        let mean = update.drift_mean.unwrap_or_default();
        format!(", WARNING: the sampler drifted by {mean:.3} nats a token")
    }
}
