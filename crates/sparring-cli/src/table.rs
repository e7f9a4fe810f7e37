//! Rows that the tables of several commands have in common.

use serde_json::Value;
use sparring::core::BoxError;
use sparring::train::EvaluationScore;
use sparring::train::report::Records;
use std::fmt::Write;

/// Updates over which a first and a last value are averaged.
const WINDOW: usize = 5;

/// An accuracy with its standard error, in %.
pub(crate) fn percent(score: &EvaluationScore) -> String {
    format!("{:.1} ± {:.1}", 100.0 * score.accuracy, 100.0 * score.standard_error)
}

/// Rewards and other fields of the records of one kind, at the first and the last updates.
pub(crate) fn learning(
    out: &mut String,
    title: &str,
    kind: &str,
    fields: &[(&str, &str, bool)],
    records: &Records,
) -> Result<(), BoxError> {
    let steps: Vec<&Value> = records.of(kind).collect();
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
    steps: &[&Value],
    field: impl Fn(&Value) -> Option<f64>,
) -> Result<(), BoxError> {
    let values: Vec<f64> = steps.iter().filter_map(|step| field(step)).collect();
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
