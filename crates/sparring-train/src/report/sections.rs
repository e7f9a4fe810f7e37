//! The sections that reports of all kinds of run have in common.

use super::EvaluationData;
use super::charts::{Series, colour, lines};
use super::html::{card, escape, figure, section, table};
use serde_json::Value;
use std::fmt::Write;

/// `21.7 %` of 0.217.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A card for each evaluation: its first and its last accuracy.
pub fn accuracy_cards(evaluations: &[EvaluationData]) -> String {
    let mut cards = String::new();
    for evaluation in evaluations {
        if let (Some(first), Some(last)) = (evaluation.scores.first(), evaluation.scores.last()) {
            let value = format!("{} → {}", percent(first.1), percent(last.1));
            let detail = format!("standard errors {} and {}", percent(first.2), percent(last.2));
            cards += &card(&value, &format!("{} accuracy", evaluation.name), &detail);
        }
    }
    cards
}

/// The section of the cards.
pub fn result(cards: &str, finished: bool) -> String {
    let note = if finished { "" } else { "This run is not finished." };
    section("Result", note, &format!("<div class=\"cards\">\n{cards}</div>\n"))
}

/// A card of a run's time and peak memory.
pub fn time_card(seconds: f64, peak_rss_mib: f64) -> String {
    card(&duration(seconds), "wall clock", &format!("peak memory {peak_rss_mib:.0} MiB"))
}

/// `12.3 s` or `4.5 min`.
pub fn duration(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.1} s") } else { format!("{:.1} min", seconds / 60.0) }
}

/// Accuracy over the run; `x` is the unit of its axis: `iteration`, say.
pub fn accuracy(heading: &str, evaluations: &[EvaluationData], x: &str) -> String {
    let series = |evaluation: &EvaluationData| Series {
        name: evaluation.name.clone(),
        points: evaluation.scores.iter().map(|&(i, a, se)| (i as f64, 100.0 * a, 100.0 * se)).collect(),
    };
    let series: Vec<Series> = evaluations.iter().map(series).collect();
    let chart = lines(&series, x, Some((0.0, 100.0)), &[]);
    if chart.is_empty() {
        return String::new();
    }
    let mut rows = Vec::new();
    for evaluation in evaluations {
        let mut row = vec![evaluation.name.clone()];
        row.extend(evaluation.scores.iter().map(|s| format!("{:.1} ± {:.1}", 100.0 * s.1, 100.0 * s.2)));
        rows.push(row);
    }
    let longest = evaluations.iter().max_by_key(|e| e.scores.len()).map_or(&[][..], |e| &e.scores);
    let heads: Vec<String> = longest
        .iter()
        .map(|score| if score.0 == 0 { "base".to_owned() } else { format!("{x} {}", score.0) })
        .collect();
    let head: Vec<&str> = std::iter::once("evaluation, %").chain(heads.iter().map(String::as_str)).collect();
    let body = figures(&[named("accuracy, %", &series, &chart)]) + &table(&head, &rows);
    section(heading, "Error bars are one standard error.", &body)
}

/// Mean reward and its components, update by update: of records with `reward` and `components`.
pub fn rewards(steps: &[&Value]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for name in steps.iter().filter_map(|s| s["components"].as_object()).flat_map(|c| c.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut all = vec![series(steps, "total", |s| s["reward"].as_f64())];
    if names.len() == 1 {
        // One component is the reward itself.
        names.clear();
    }
    all.extend(names.iter().map(|name| series(steps, name, |s| s["components"][name.as_str()].as_f64())));
    named("mean reward, and its components", &all, &lines(&all, "update", None, &marks(steps)))
}

/// Gradient norm, KL, entropy and drift of the updates: of records with `update`.
pub fn policy(steps: &[&Value]) -> String {
    let fields = [
        ("grad_norm", "gradient norm"),
        ("kl", "KL, nats"),
        ("entropy", "entropy, nats"),
        ("drift_mean", "sampler drift, nats"),
    ];
    let all: Vec<Series> = fields
        .into_iter()
        .map(|(field, name)| series(steps, name, |s| s["update"][field].as_f64()))
        .filter(|s| !s.points.is_empty())
        .collect();
    named("the update", &all, &lines(&all, "update", None, &marks(steps)))
}

/// A warning where the sampler drifted from the learner: of records with `update`.
pub fn drift(steps: &[&Value]) -> String {
    let drifted = || steps.iter().filter(|s| s["update"]["drifted"] == true);
    let worst = drifted().filter_map(|s| s["update"]["drift_mean"].as_f64()).fold(0.0, f64::max);
    match drifted().count() {
        0 => String::new(),
        n => format!(
            "<p class=\"bad\">In {n} of {} updates, the sampler drifted from the learner by more than \
             grpo.drift_threshold; at most by {worst:.3} nats a token.</p>\n",
            steps.len()
        ),
    }
}

/// Values over all updates of the run.
pub fn series(steps: &[&Value], name: &str, value: impl Fn(&Value) -> Option<f64>) -> Series {
    let points = steps.iter().enumerate().filter_map(|(i, s)| Some((i as f64, value(s)?, 0.0)));
    Series { name: name.to_owned(), points: points.collect() }
}

/// Where the iteration changes.
pub fn marks(steps: &[&Value]) -> Vec<f64> {
    let changes = steps.windows(2).enumerate().filter(|(_, w)| w[0]["iteration"] != w[1]["iteration"]);
    changes.map(|(i, _)| i as f64 + 0.5).collect()
}

/// A figure with a legend of these series; nothing where the chart is empty.
pub fn named(caption: &str, series: &[Series], svg: &str) -> String {
    if svg.is_empty() {
        return String::new();
    }
    let legend: Vec<(&str, &str)> =
        series.iter().enumerate().map(|(i, s)| (colour(i), s.name.as_str())).collect();
    figure(caption, &legend, svg)
}

/// Figures side by side.
pub fn figures(all: &[String]) -> String {
    format!("<div class=\"figures\">\n{}</div>\n", all.concat())
}

/// Evaluation tasks with the model's answers before and after.
pub fn answers(evaluations: &[EvaluationData], show: &dyn Fn(&Value) -> String) -> String {
    let mut body = String::new();
    for evaluation in evaluations.iter().filter(|e| e.scores.len() > 1) {
        for (i, answers) in &evaluation.answers {
            let (Some(task), Some(first), Some(last)) =
                (evaluation.tasks.get(*i), answers.first(), answers.last())
            else {
                continue;
            };
            let side = |label: &str, (_, answer, solved): &(usize, String, bool)| {
                let (class, word) = if *solved { ("good", "solved") } else { ("bad", "not solved") };
                format!("<div>{label}: <b class=\"{class}\">{word}</b><pre>{}</pre></div>", escape(answer))
            };
            let verdict = |solved: bool| if solved { "✓" } else { "✗" };
            let _ = write!(
                body,
                "<details><summary>{}, task {}: {} → {}</summary>\n<pre>{}</pre>\n<div class=\"two\">{}{}</div>\n\
                 </details>\n",
                escape(&evaluation.name),
                i + 1,
                verdict(first.2),
                verdict(last.2),
                escape(&show(task)),
                side("before", first),
                side("after", last),
            );
        }
    }
    section("Held-out tasks, before and after", "The first tasks of each evaluation, not a selection.", &body)
}

/// The settings.
pub fn config(text: &str) -> String {
    let body = format!("<details><summary>config.toml</summary><pre>{}</pre></details>\n", escape(text));
    section("Settings", "", &body)
}
