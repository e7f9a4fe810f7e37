//! A run's outcome as a table for people.

use crate::table::{learning, percent};
use sparring::core::BoxError;
use sparring::train::TrainSummary;
use sparring::train::report::Records;
use std::fmt::Write;
use std::path::Path;

/// Fields of a record beside its reward components: name in the record, name for people, whether a share.
const FIELDS: [(&str, &str, bool); 2] = [("reward", "reward", false), ("solve_rate", "solved", true)];

/// The outcome of the run in `dir`: accuracies, rewards by component, time and memory.
pub(crate) fn render(summary: &TrainSummary, dir: &Path) -> Result<String, BoxError> {
    let mut out = String::new();
    if let (Some(before), Some(after)) = (summary.evaluations.first(), summary.evaluations.last()) {
        writeln!(out, "\n{:32} {:>14}  {:>14}", "Accuracy, greedy, %", "before", "after")?;
        for (before, after) in before.scores.iter().zip(&after.scores) {
            let name = format!("{} ({} tasks)", before.name, before.tasks);
            writeln!(out, "  {name:30} {:>14}  {:>14}", percent(before), percent(after))?;
        }
    }
    learning(&mut out, "Training", "step", &FIELDS, &Records::read(dir)?)?;
    writeln!(out, "\n{:32} {:>14.1}", "Seconds", summary.wall_seconds)?;
    // Only Linux tells.
    if summary.peak_rss_mib > 0.0 {
        writeln!(out, "{:32} {:>14.0}", "Peak memory, MiB", summary.peak_rss_mib)?;
    }
    Ok(out)
}
