//! A run's outcome as a table for people.

use serde_json::Value;
use sparring::core::BoxError;
use sparring::selfplay::{IterationRow, Summary};
use sparring::train::EvaluationScore;
use std::fmt::Write;
use std::path::Path;

/// Updates over which a first and a last value are averaged.
const WINDOW: usize = 5;

/// The outcome of the run in `dir`: evaluations, rewards by component, pools, times.
pub(crate) fn render(summary: &Summary, dir: &Path) -> Result<String, BoxError> {
    let path = dir.join("events.jsonl");
    let events = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut out = String::new();
    evaluations(&mut out, summary)?;
    learning(&mut out, "Generator", "generator_step", &GENERATOR, &events)?;
    learning(&mut out, "Solver", "solver_step", &SOLVER, &events)?;
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

fn percent(score: &EvaluationScore) -> String {
    format!("{:.1} ± {:.1}", 100.0 * score.accuracy, 100.0 * score.standard_error)
}

/// Fields of a record beside its reward components: name in the record, name for people, whether a share.
const GENERATOR: [(&str, &str, bool); 4] = [
    ("reward", "reward", false),
    ("valid", "valid proposals", true),
    ("solve_rate", "solved by the Solver", true),
    ("in_band", "solve rate in the kept band", true),
];
const SOLVER: [(&str, &str, bool); 2] = [("reward", "reward", false), ("solve_rate", "solved", true)];

fn learning(
    out: &mut String,
    title: &str,
    kind: &str,
    fields: &[(&str, &str, bool)],
    events: &str,
) -> Result<(), BoxError> {
    let steps: Vec<Value> = events
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|event: &Value| event["kind"] == kind)
        .collect();
    let Some(newest) = steps.last() else { return Ok(()) };
    let title = format!("{title}, {} updates", steps.len());
    let (first, last) = (format!("first {WINDOW}"), format!("last {WINDOW}"));
    writeln!(out, "\n{title:32} {first:>14}  {last:>14}")?;
    for (field, name, share) in fields {
        row(out, name, *share, &steps, |step| step[*field].as_f64())?;
    }
    let components = newest["components"].as_object().into_iter().flatten();
    for (component, _) in components {
        let name = format!("reward for {component}");
        row(out, &name, false, &steps, |step| step["components"][component].as_f64())?;
    }
    Ok(())
}

/// A value at the first and the last updates that have it.
fn row(
    out: &mut String,
    name: &str,
    share: bool,
    steps: &[Value],
    field: impl Fn(&Value) -> Option<f64>,
) -> Result<(), BoxError> {
    let values: Vec<f64> = steps.iter().filter_map(field).collect();
    let window = WINDOW.min(values.len());
    let show = |part: &[f64]| match (part, share) {
        ([], _) => "-".to_owned(),
        (part, true) => format!("{:.1} %", 100.0 * mean(part)),
        (part, false) => format!("{:.3}", mean(part)),
    };
    let (first, last) = (show(&values[..window]), show(&values[values.len() - window..]));
    writeln!(out, "  {name:30} {first:>14}  {last:>14}")?;
    Ok(())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

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
