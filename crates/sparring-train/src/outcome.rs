use crate::report::Records;
use crate::report::text::{Field, learning, percent};
use crate::{TrainError, TrainSummary};
use std::fmt;
use std::path::Path;

/// Fields of a record beside its reward components.
const FIELDS: [Field; 2] = [Field::number("reward", "reward"), Field::share("solve_rate", "solved")];

/// A finished run as a table for people, by its `Display`: accuracies, rewards by component, time and memory.
#[derive(Debug)]
pub struct Outcome<'a> {
    summary: &'a TrainSummary,
    records: Records,
}

impl<'a> Outcome<'a> {
    /// The outcome of the run in the folder `dir`.
    ///
    /// # Errors
    /// [`TrainError::Io`] if `events.jsonl` cannot be read.
    pub fn new(summary: &'a TrainSummary, dir: impl AsRef<Path>) -> Result<Self, TrainError> {
        Ok(Self { summary, records: Records::read(dir.as_ref())? })
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = self.summary;
        if let (Some(before), Some(after)) = (summary.evaluations.first(), summary.evaluations.last()) {
            writeln!(out, "\n{:32} {:>14}  {:>14}", "Accuracy, %", "before", "after")?;
            for before in &before.scores {
                let name = format!("{} ({} tasks)", before.name, before.tasks);
                let after = after.scores.iter().find(|after| after.name == before.name).map(percent);
                writeln!(out, "  {name:30} {:>14}  {:>14}", percent(before), after.unwrap_or_default())?;
            }
        }
        learning(out, "Training", "step", &FIELDS, &self.records)?;
        writeln!(out, "\n{:32} {:>14.1}", "Seconds", summary.wall_seconds)?;
        // Known on Linux only.
        if summary.peak_rss_mib > 0.0 {
            writeln!(out, "{:32} {:>14.0}", "Peak memory, MiB", summary.peak_rss_mib)?;
        }
        Ok(())
    }
}
