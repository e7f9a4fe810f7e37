//! Rows that the tables of several kinds of run have in common.

use super::Records;
use crate::EvaluationScore;
use crate::summary::WINDOW;
use serde_json::Value;
use std::fmt;

/// An accuracy with its standard error, in %.
pub fn percent(score: &EvaluationScore) -> String {
    format!("{:.1} ± {:.1}", 100.0 * score.accuracy, 100.0 * score.standard_error)
}

/// A field of the records of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in the record.
    pub name: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// Whether it is a share, shown in %.
    pub share: bool,
}

impl Field {
    /// A number.
    pub const fn number(name: &'static str, label: &'static str) -> Self {
        Self { name, label, share: false }
    }

    /// A share in [0, 1].
    pub const fn share(name: &'static str, label: &'static str) -> Self {
        Self { name, label, share: true }
    }
}

/// Writes `fields` and the components of the reward of the records `kind`, averaged over the first and the last
/// updates. Writes nothing where there are no such records.
///
/// # Errors
/// What the formatter reports.
pub fn learning(
    out: &mut fmt::Formatter<'_>,
    title: &str,
    kind: &str,
    fields: &[Field],
    records: &Records,
) -> fmt::Result {
    let steps: Vec<&Value> = records.of(kind).collect();
    let Some(newest) = steps.last() else { return Ok(()) };
    let title = format!("{title}, {} updates", steps.len());
    let (first, last) = (format!("first {WINDOW}"), format!("last {WINDOW}"));
    writeln!(out, "\n{title:32} {first:>14}  {last:>14}")?;
    for field in fields {
        row(out, field.label, field.share, &steps, |step| step[field.name].as_f64())?;
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
    out: &mut fmt::Formatter<'_>,
    name: &str,
    share: bool,
    steps: &[&Value],
    field: impl Fn(&Value) -> Option<f64>,
) -> fmt::Result {
    let values: Vec<f64> = steps.iter().filter_map(|step| field(step)).collect();
    let window = WINDOW.min(values.len());
    let show = |part: &[f64]| match (part, share) {
        ([], _) => "-".to_owned(),
        (part, true) => format!("{:.1} %", 100.0 * mean(part)),
        (part, false) => format!("{:.3}", mean(part)),
    };
    let (first, last) = (show(&values[..window]), show(&values[values.len() - window..]));
    writeln!(out, "  {name:30} {first:>14}  {last:>14}")
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
