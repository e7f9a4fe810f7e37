//! The outcome as a table for people.

use crate::study::tool_zero::summary::{OverSeeds, Summary};
use sparring::core::BoxError;
use std::fmt::Write;

/// One row an arm.
pub(crate) fn render(summary: &Summary) -> Result<String, BoxError> {
    let mut out = String::new();
    let evaluations = if summary.validation { "validation tasks" } else { "test tasks" };
    writeln!(
        out,
        "\nAccuracy in %, greedy, {} {evaluations} each; mean ± standard error over {} seed(s)\n",
        summary.evaluation_tasks, summary.seeds
    )?;
    writeln!(
        out,
        "{:26} {:>12} {:>12} {:>14} {:>14}",
        "", "intra", "cross", "cross / SFT", "/ SFT, then RL"
    )?;
    let base = &summary.base;
    let (intra, cross) = (&base.accuracy.intra, &base.accuracy.cross);
    writeln!(out, "{:26} {:>12.1} {:>12.1}", "base", 100.0 * intra.accuracy, 100.0 * cross.accuracy)?;
    for row in &summary.arms {
        writeln!(
            out,
            "{:26} {:>12} {:>12} {:>14} {:>14}",
            row.arm.label(),
            share(&row.intra),
            share(&row.cross),
            relative(row.cross_over_sft.as_ref()),
            relative(row.cross_over_sft_then_rl.as_ref()),
        )?;
    }
    writeln!(
        out,
        "\nBase, {} tries at temperature 1: pass@1 and pass@{} intra {:.0} and {:.0}, cross {:.0} and {:.0}; training \
         tasks {:.0} and {:.0}, masked {:.0} and {:.0}",
        base.intra.samples,
        base.intra.samples,
        100.0 * base.intra.mean,
        100.0 * base.intra.any,
        100.0 * base.cross.mean,
        100.0 * base.cross.any,
        100.0 * base.training.mean,
        100.0 * base.training.any,
        100.0 * base.masked.mean,
        100.0 * base.masked.any,
    )?;
    Ok(out)
}

/// `61.3 ± 0.9`.
pub(crate) fn share(mean: &OverSeeds) -> String {
    with_error(100.0 * mean.mean, mean.standard_error, false)
}

/// `+12.3 ± 1.5`, in per cent.
pub(crate) fn relative(mean: Option<&OverSeeds>) -> String {
    mean.map_or_else(|| "-".to_owned(), |mean| with_error(100.0 * mean.mean, mean.standard_error, true))
}

fn with_error(value: f64, error: Option<f64>, sign: bool) -> String {
    let value = if sign { format!("{value:+.1}") } else { format!("{value:.1}") };
    error.map_or_else(|| value.clone(), |error| format!("{value} ± {:.1}", 100.0 * error))
}
