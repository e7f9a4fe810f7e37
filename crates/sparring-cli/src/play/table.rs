//! A run's outcome as a table for people.

use crate::table::{learning, percent};
use sparring::core::BoxError;
use sparring::selfplay::{IterationRow, Summary};
use sparring::train::report::Records;
use std::fmt::Write;
use std::path::Path;

/// The outcome of the run in `dir`: evaluations, rewards by component, pools, times.
pub(crate) fn render(summary: &Summary, dir: &Path) -> Result<String, BoxError> {
    let records = Records::read(dir)?;
    let mut out = String::new();
    evaluations(&mut out, summary)?;
    learning(&mut out, "Generator", "generator_step", &GENERATOR, &records)?;
    learning(&mut out, "Solver", "solver_step", &SOLVER, &records)?;
    pools(&mut out, &summary.iterations)?;
    times(&mut out, summary)?;
    Ok(out)
}

fn evaluations(out: &mut String, summary: &Summary) -> Result<(), BoxError> {
    let last = summary.iterations.last().map_or(&summary.base_evaluations, |row| &row.evaluations);
    writeln!(out, "\n{:32} {:>14}  {:>14}", "Solver's accuracy, %", "before", "after")?;
    for before in &summary.base_evaluations {
        let after = last.iter().find(|score| score.name == before.name);
        let after = after.map_or_else(|| "-".to_owned(), percent);
        writeln!(out, "  {:30} {:>14}  {after:>14}", evaluation_name(&before.name), percent(before))?;
    }
    if let Some(gain) = summary.relative_gain {
        writeln!(out, "  relative gain, held-out tools, greedy: {:+.0} %", 100.0 * gain)?;
    }
    Ok(())
}

fn evaluation_name(name: &str) -> String {
    let (set, how) = match name.strip_suffix("_t1") {
        Some(set) => (set, "temperature 1"),
        None => (name, "greedy"),
    };
    let set = match set {
        "heldout" => "held-out tools",
        "familiar" => "familiar tools",
        "no_call" => "no tool serves",
        other => other,
    };
    format!("{set}, {how}")
}

/// Fields of a record beside its reward components: name in the record, name for people, whether a share.
const GENERATOR: [(&str, &str, bool); 4] = [
    ("reward", "reward", false),
    ("valid", "valid proposals", true),
    ("solve_rate", "solved by the Solver", true),
    ("in_band", "solve rate in the kept band", true),
];
const SOLVER: [(&str, &str, bool); 2] = [("reward", "reward", false), ("solve_rate", "solved", true)];

fn pools(out: &mut String, rows: &[IterationRow]) -> Result<(), BoxError> {
    let columns = |value: &dyn Fn(&IterationRow) -> usize| {
        rows.iter().map(|row| format!("{:>8}", value(row))).collect::<Vec<_>>().join(" ")
    };
    writeln!(out, "\n{:32} {}", "Pool, by iteration", columns(&|row| row.iteration))?;
    let line = |out: &mut String, name: &str, value: &dyn Fn(&IterationRow) -> usize| {
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
    Ok(())
}

fn times(out: &mut String, summary: &Summary) -> Result<(), BoxError> {
    writeln!(out, "\nSeconds")?;
    for (phase, seconds) in &summary.phase_seconds {
        writeln!(out, "  {:30} {seconds:>14.1}", phase.replace('_', " "))?;
    }
    writeln!(out, "  {:30} {:>14.1}", "all", summary.wall_seconds)?;
    // Only Linux tells.
    if summary.peak_rss_mib > 0.0 {
        writeln!(out, "  {:30} {:>14.0}", "peak memory, MiB", summary.peak_rss_mib)?;
    }
    Ok(())
}
