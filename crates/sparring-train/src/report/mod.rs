//! One self-contained HTML page about a run: no scripts, no fonts, no images from elsewhere.
//!
//! [`Report`] is the page of a training run, with sections of your own. [`Page`] makes the page of any kind of run from
//! its [`Layout`]; [`charts`], [`html`] and [`sections`] are its parts; [`text`] has those of a table
//! for a terminal.

pub mod charts;
mod data;
pub mod html;
mod page;
pub mod sections;
pub mod text;

pub use data::{EvaluationData, Records, read_json};
pub use page::{Layout, Page, Render, RunData};

use crate::{TrainError, TrainSummary};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The report of a training run.
pub type Report<'a> = Page<'a, TrainingLayout>;

/// Writes `report.html` into the folder of a training run, finished or not: [`Report`] without options.
///
/// # Errors
/// As [`Page::open`] and [`Page::write`].
pub fn write_report(dir: impl AsRef<Path>) -> Result<PathBuf, TrainError> {
    Report::open(dir)?.write()
}

/// The sections of a training run.
#[derive(Debug)]
pub struct TrainingLayout;

impl Layout for TrainingLayout {
    const TITLE: &'static str = "training";
    const PLACE: &'static str = "step";

    fn sections(
        run: &RunData,
        evaluations: &[EvaluationData],
        render: &Render<'_>,
    ) -> Result<Vec<String>, TrainError> {
        let summary: Option<TrainSummary> = read_json(&run.dir.join("summary.json"))?;
        let mut cards = sections::accuracy_cards(evaluations);
        if let Some(summary) = &summary {
            if let (Some(first), Some(last)) = (summary.reward_first, summary.reward_last) {
                let value = format!("{first:.2} → {last:.2}");
                cards += &html::card(&value, "mean reward", "first and last updates");
            }
            cards += &sections::time_card(summary.wall_seconds, summary.peak_rss_mib);
        }
        let steps: Vec<&Value> = run.records.of("step").collect();
        Ok(vec![
            sections::result(&cards, summary.is_some()),
            sections::accuracy("Accuracy", evaluations, "update"),
            training(&steps),
            sections::answers(evaluations, render),
        ])
    }
}

fn training(steps: &[&Value]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let solved = [sections::series(steps, "solved", |s| s["solve_rate"].as_f64())];
    let chart = charts::lines(&solved, "update", Some((0.0, 1.0)), &[]);
    let solved = sections::named("share of the completions that solve their task", &solved, &chart);
    let body = sections::figures(&[sections::rewards(steps), solved, sections::policy(steps)]);
    html::section("Training", "", &(body + &sections::drift(steps)))
}
