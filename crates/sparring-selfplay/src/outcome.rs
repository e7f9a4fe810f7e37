use crate::{IterationRow, SelfPlayError, Summary};
use sparring_train::report::Records;
use sparring_train::report::text::{Field, learning, percent};
use std::fmt;
use std::path::Path;

/// A finished run as a table for people, by its `Display`: evaluations, rewards by component, pools, times.
#[derive(Debug)]
pub struct Outcome<'a> {
    summary: &'a Summary,
    records: Records,
}

impl<'a> Outcome<'a> {
    /// The outcome of the run in the folder `dir`.
    ///
    /// # Errors
    /// [`TrainError::Io`](sparring_train::TrainError::Io) if `events.jsonl` cannot be read.
    pub fn new(summary: &'a Summary, dir: impl AsRef<Path>) -> Result<Self, SelfPlayError> {
        Ok(Self { summary, records: Records::read(dir.as_ref())? })
    }
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        evaluations(out, self.summary)?;
        learning(out, "Generator", "generator_step", &GENERATOR, &self.records)?;
        learning(out, "Solver", "solver_step", &SOLVER, &self.records)?;
        pools(out, &self.summary.iterations)?;
        times(out, self.summary)
    }
}

fn evaluations(out: &mut fmt::Formatter<'_>, summary: &Summary) -> fmt::Result {
    let last = summary.iterations.last().map_or(&summary.base_evaluations, |row| &row.evaluations);
    writeln!(out, "\n{:32} {:>14}  {:>14}", "Solver's accuracy, %", "before", "after")?;
    for before in &summary.base_evaluations {
        let after = last.iter().find(|score| score.name == before.name);
        let after = after.map_or_else(|| "-".to_owned(), percent);
        writeln!(out, "  {:30} {:>14}  {after:>14}", before.name, percent(before))?;
    }
    for (name, scores) in &summary.evaluations {
        // Benchmarks that have accuracies show them.
        for (field, what) in [("accuracy", ""), ("no_call_accuracy", ", no call")] {
            let share =
                |state: &str| scores[state][field].as_f64().map(|share| format!("{:.1}", 100.0 * share));
            if let Some((before, after)) = share("base").zip(share("final")) {
                let name = format!("{name}{what}");
                writeln!(out, "  {name:30} {before:>14}  {after:>14}")?;
            }
        }
    }
    let scores = &summary.base_evaluations;
    let of = scores.iter().find(|score| score.name == "heldout").or_else(|| scores.first());
    if let (Some(of), Some(gain)) = (of, summary.relative_gain) {
        writeln!(out, "  relative gain on {}: {:+.0} %", of.name, 100.0 * gain)?;
    }
    Ok(())
}

/// Fields of a record beside its reward components.
const GENERATOR: [Field; 4] = [
    Field::number("reward", "reward"),
    Field::share("valid", "valid proposals"),
    Field::share("solve_rate", "solved by the Solver"),
    Field::share("in_band", "solve rate in the kept band"),
];
const SOLVER: [Field; 2] = [Field::number("reward", "reward"), Field::share("solve_rate", "solved")];

fn pools(out: &mut fmt::Formatter<'_>, rows: &[IterationRow]) -> fmt::Result {
    let columns = |value: &dyn Fn(&IterationRow) -> usize| {
        rows.iter().map(|row| format!("{:>8}", value(row))).collect::<Vec<_>>().join(" ")
    };
    writeln!(out, "\n{:32} {}", "Pool, by iteration", columns(&|row| row.iteration))?;
    let line = |out: &mut fmt::Formatter<'_>, name: &str, value: &dyn Fn(&IterationRow) -> usize| {
        writeln!(out, "  {name:30} {}", columns(value))
    };
    line(out, "candidates", &|row| row.pool.candidates)?;
    line(out, "readable", &|row| row.pool.readable)?;
    line(out, "distinct", &|row| row.pool.distinct)?;
    line(out, "verified", &|row| row.pool.verified)?;
    line(out, "solve rate in the kept band", &|row| row.pool.in_band)?;
    line(out, "tasks trained on", &|row| row.pool.selected)?;
    line(out, "  proposed now", &|row| row.pool.proposed)?;
    line(out, "  derived from verified ones", &|row| row.pool.derived)?;
    line(out, "  replayed from earlier pools", &|row| row.pool.replayed)?;
    if rows.iter().any(|row| row.pool.own > 0) {
        line(out, "  your own", &|row| row.pool.own)?;
    }
    Ok(())
}

fn times(out: &mut fmt::Formatter<'_>, summary: &Summary) -> fmt::Result {
    writeln!(out, "\nSeconds")?;
    for (phase, seconds) in &summary.phase_seconds {
        writeln!(out, "  {:30} {seconds:>14.1}", phase.replace('_', " "))?;
    }
    writeln!(out, "  {:30} {:>14.1}", "all", summary.wall_seconds)?;
    // Known on Linux only.
    if summary.peak_rss_mib > 0.0 {
        writeln!(out, "  {:30} {:>14.0}", "peak memory, MiB", summary.peak_rss_mib)?;
    }
    Ok(())
}
