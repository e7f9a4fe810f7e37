//! `report.html`: the table and the curves, in one file.

use crate::study::tool_zero::job::RunResult;
use crate::study::tool_zero::settings::Settings;
use crate::study::tool_zero::summary::{ArmSummary, Summary};
use crate::study::tool_zero::table::{relative, share};
use sparring::core::BoxError;
use sparring::recipes::tool_zero::{Arm, StepRecord};
use sparring::train::report::charts::{Series, colour, lines};
use sparring::train::report::html;
use sparring::train::store::disk::write_atomic;
use std::path::PathBuf;

/// A number of an update, where it has one.
type Pick<'a> = dyn Fn(&StepRecord) -> Option<f64> + 'a;

/// Writes the page and returns its path.
pub(crate) fn write(settings: &Settings, summary: &Summary, runs: &[RunResult]) -> Result<PathBuf, BoxError> {
    let sections = [
        headline(summary),
        results(summary),
        curves(settings, runs),
        parts(settings, runs),
        html::section("Settings", "", &preformatted(&toml::to_string_pretty(&settings.config)?)),
    ];
    let title = format!("Tool-Zero on the miniature, {} seed(s)", summary.seeds);
    let path = settings.dir.join("report.html");
    write_atomic(&path, html::page(&title, &sections.concat()).as_bytes())?;
    Ok(path)
}

fn preformatted(text: &str) -> String {
    format!("<details><summary>config.toml</summary><pre>{}</pre></details>\n", html::escape(text))
}

fn headline(summary: &Summary) -> String {
    let card = |row: &ArmSummary| {
        let value = format!("{} %", share(&row.cross));
        html::card(&value, &format!("{}, cross", row.arm.label()), &format!("intra {} %", share(&row.intra)))
    };
    let cards: String = summary.arms.iter().map(card).collect();
    let note =
        "Greedy accuracy on the family that was not trained on; ± is one standard error over the seeds.";
    html::section("Result", note, &format!("<div class=\"cards\">\n{cards}</div>\n"))
}

fn results(summary: &Summary) -> String {
    let head = [
        "arm",
        "intra, %",
        "cross, %",
        "intra / SFT, %",
        "cross / SFT, %",
        "intra / SFT, then RL, %",
        "cross / SFT, then RL, %",
    ];
    let base = &summary.base.accuracy;
    let percent = |share: f64| format!("{:.1}", 100.0 * share);
    let mut rows = vec![vec!["base".to_owned(), percent(base.intra.accuracy), percent(base.cross.accuracy)]];
    for row in &summary.arms {
        rows.push(vec![
            row.arm.label().to_owned(),
            share(&row.intra),
            share(&row.cross),
            relative(row.intra_over_sft.as_ref()),
            relative(row.cross_over_sft.as_ref()),
            relative(row.intra_over_sft_then_rl.as_ref()),
            relative(row.cross_over_sft_then_rl.as_ref()),
        ]);
    }
    let b = &summary.base;
    let tries = [
        ("intra", b.intra),
        ("cross", b.cross),
        ("training tasks", b.training),
        ("with masked names", b.masked),
    ];
    let tries: Vec<Vec<String>> =
        tries.into_iter().map(|(name, c)| vec![name.to_owned(), percent(c.mean), percent(c.any)]).collect();
    let pass = format!("pass@{}, %", b.intra.samples);
    let body = html::table(&head, &rows)
        + "<h3>The base in several tries, temperature 1</h3>\n"
        + &html::table(&["tasks", "pass@1, %", &pass], &tries);
    html::section("Accuracy", "Relative columns are means of the seeds' own ratios.", &body)
}

/// One line an arm: the mean over its seeds.
fn series(settings: &Settings, runs: &[RunResult], pick: &Pick<'_>) -> Vec<Series> {
    let arms = settings.arms.iter().map(|&arm| arm_series(arm, runs, pick));
    arms.collect()
}

fn arm_series(arm: Arm, runs: &[RunResult], pick: &Pick<'_>) -> Series {
    let mine: Vec<&RunResult> = runs.iter().filter(|run| run.arm == arm).collect();
    let steps = mine.iter().map(|run| run.records.len()).max().unwrap_or(0);
    let point = |step: usize| {
        let values: Vec<f64> = mine.iter().filter_map(|run| pick(run.records.get(step)?)).collect();
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        (!values.is_empty()).then_some((step as f64, mean, 0.0))
    };
    Series { name: arm.label().to_owned(), points: (0..steps).filter_map(point).collect() }
}

/// A figure with one line an arm; the colours are the arms' in every figure.
fn figure(caption: &str, series: &[Series]) -> String {
    let chart = lines(series, "update", None, &[]);
    if chart.is_empty() {
        return String::new();
    }
    let legend: Vec<(&str, &str)> = series
        .iter()
        .enumerate()
        .filter(|(_, s)| !s.points.is_empty())
        .map(|(i, s)| (colour(i), s.name.as_str()))
        .collect();
    html::figure(caption, &legend, &chart)
}

fn figures(figures: &[String]) -> String {
    format!("<div class=\"figures\">\n{}</div>\n", figures.concat())
}

fn curves(settings: &Settings, runs: &[RunResult]) -> String {
    let all = |pick: &Pick<'_>| series(settings, runs, pick);
    let body = figures(&[
        figure("answers that solve their task, share", &all(&|r| r.solved)),
        figure("σ, the weight of the strict reward", &all(&|r| r.sigma)),
        figure("mean reward of the arm", &all(&|r| r.reward)),
        figure("supervised loss, nats a token", &all(&|r| r.sigma.is_none().then_some(r.loss))),
        figure("length of an answer, tokens", &all(&|r| r.length)),
        figure("length of a thought, characters", &all(&|r| r.thought)),
        figure("groups without a signal, share", &all(&|r| r.zero_advantage_groups)),
        figure("gradient norm", &all(&|r| Some(r.grad_norm))),
    ]);
    let note = "Means over the seeds; thick lines are running means of five updates. Arms that mask names are measured \
                on tasks of which some are masked.";
    html::section("Training", note, &body)
}

/// Each component unweighted, for every arm; and what the moving reward makes of them.
fn parts(settings: &Settings, runs: &[RunResult]) -> String {
    let mut names: Vec<&String> =
        runs.iter().flat_map(|r| &r.records).flat_map(|r| r.measured.keys()).collect();
    names.sort();
    names.dedup();
    let each = names.iter().map(|name| {
        figure(&format!("{name}, unweighted"), &series(settings, runs, &|r| r.measured.get(*name).copied()))
    });
    let mut drawn: Vec<String> = each.collect();
    for &arm in settings.arms.iter().filter(|arm| arm.progresses()) {
        let parts: Vec<Series> = names
            .iter()
            .map(|name| Series {
                name: (*name).clone(),
                ..arm_series(arm, runs, &|r| r.components.get(*name).copied())
            })
            .collect();
        drawn.push(figure(&format!("{}: components as weighted", arm.label()), &parts));
    }
    let note = "Every component is measured in every arm, also where the arm's reward does not have it.";
    html::section("Components of the reward", note, &figures(&drawn))
}
