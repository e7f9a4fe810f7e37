//! One self-contained HTML page about a run: no scripts, no fonts, no images from elsewhere.
//!
//! [`write_report`] makes the page of a training run. [`charts`], [`html`] and [`sections`] are what it is made of; a
//! program with another kind of run makes its own page of them.

pub mod charts;
mod data;
pub mod html;
pub mod sections;

pub use data::{EvaluationData, read_events, read_json};

use crate::store::{RunInfo, disk};
use crate::{TrainError, TrainSummary};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Writes `report.html` into the folder of a training run, from its `events.jsonl` and `summary.json`; of a run that is
/// still going, as far as it is.
///
/// # Errors
/// [`TrainError::Io`] or [`TrainError::Damaged`] names the file.
pub fn write_report(dir: impl AsRef<Path>) -> Result<PathBuf, TrainError> {
    let dir = dir.as_ref();
    let info = RunInfo::read(dir)?;
    let summary: Option<TrainSummary> = read_json(&dir.join("summary.json"))?;
    let events = read_events(dir)?;
    let mut evaluations = Vec::new();
    events.iter().for_each(|record| EvaluationData::note(&mut evaluations, record, "step"));
    let steps: Vec<Value> = events.into_iter().filter(|record| record["kind"] == "step").collect();
    let show = |task: &Value| serde_json::to_string_pretty(task).unwrap_or_default();
    let page = [
        headline(summary.as_ref(), &evaluations),
        sections::accuracy("Accuracy", &evaluations, "update"),
        training(&steps),
        sections::answers(&evaluations, &show),
        sections::config(&info.config),
    ];
    let preset = if info.preset.is_empty() { "training" } else { &info.preset };
    let title = format!("{preset}, seed {}", info.seed);
    let path = dir.join("report.html");
    disk::write_atomic(&path, html::page(&title, &page.concat()).as_bytes())?;
    Ok(path)
}

fn headline(summary: Option<&TrainSummary>, evaluations: &[EvaluationData]) -> String {
    let mut cards = sections::accuracy_cards(evaluations);
    if let Some(summary) = summary {
        if let (Some(first), Some(last)) = (summary.reward_first, summary.reward_last) {
            let value = format!("{first:.2} → {last:.2}");
            cards += &html::card(&value, "mean reward", "first and last updates");
        }
        let memory = format!("peak memory {:.0} MiB", summary.peak_rss_mib);
        cards += &html::card(&sections::duration(summary.wall_seconds), "wall clock", &memory);
    }
    let note = if summary.is_some() { "" } else { "This run is not finished." };
    html::section("Result", note, &format!("<div class=\"cards\">\n{cards}</div>\n"))
}

fn training(steps: &[Value]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let solved = [sections::series(steps, "solved", |s| s["solve_rate"].as_f64())];
    let chart = charts::lines(&solved, "update", Some((0.0, 1.0)), &[]);
    let solved = sections::named("share of the completions that solve their task", &solved, &chart);
    let body = sections::figures(&[sections::rewards(steps), solved, sections::policy(steps)]);
    html::section("Training", "", &body)
}
