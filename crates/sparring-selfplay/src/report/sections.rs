use super::charts::{Series, colour, histogram, lines};
use super::data::{ExamData, RunData};
use super::html::{bars, card, escape, figure, section, table};
use serde_json::Value;
use std::fmt::Write;

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The numbers that matter most.
pub(super) fn headline(data: &RunData) -> String {
    let mut cards = String::new();
    for evaluation in &data.evaluations {
        if let (Some(first), Some(last)) = (evaluation.scores.first(), evaluation.scores.last()) {
            let value = format!("{} → {}", percent(first.1), percent(last.1));
            let detail = format!("standard errors {} and {}", percent(first.2), percent(last.2));
            cards += &card(&value, &format!("{} accuracy", evaluation.name), &detail);
        }
    }
    if let Some(summary) = &data.summary {
        if let Some(gain) = summary.relative_gain {
            cards += &card(&format!("{:+.0} %", 100.0 * gain), "relative gain", "over the untrained Solver");
        }
        let g = &summary.generator;
        if let (Some(first), Some(last)) = (g.valid_rate_first, g.valid_rate_last) {
            let value = format!("{:.0} % → {:.0} %", 100.0 * first, 100.0 * last);
            cards += &card(&value, "valid proposals", "first and last updates of the Generator");
        }
        let memory = format!("peak memory {:.0} MiB", summary.peak_rss_mib);
        cards += &card(&duration(summary.wall_seconds), "wall clock", &memory);
    }
    let note = if data.summary.is_some() { "" } else { "This run is not finished." };
    section("Result", note, &format!("<div class=\"cards\">\n{cards}</div>\n"))
}

fn duration(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.1} s") } else { format!("{:.1} min", seconds / 60.0) }
}

/// Accuracy over the iterations.
pub(super) fn accuracy(data: &RunData) -> String {
    let series = |evaluation: &ExamData| Series {
        name: evaluation.name.clone(),
        points: evaluation.scores.iter().map(|&(i, a, se)| (i as f64, 100.0 * a, 100.0 * se)).collect(),
    };
    let series: Vec<Series> = data.evaluations.iter().map(series).collect();
    let chart = lines(&series, "iteration", Some((0.0, 100.0)), &[]);
    if chart.is_empty() {
        return String::new();
    }
    let mut rows = Vec::new();
    for evaluation in &data.evaluations {
        let mut row = vec![evaluation.name.clone()];
        row.extend(evaluation.scores.iter().map(|s| format!("{:.1} ± {:.1}", 100.0 * s.1, 100.0 * s.2)));
        rows.push(row);
    }
    let count = data.evaluations.iter().map(|e| e.scores.len()).max().unwrap_or(0);
    let heads: Vec<String> =
        (0..count).map(|i| if i == 0 { "base".to_owned() } else { format!("iteration {i}") }).collect();
    let head: Vec<&str> = std::iter::once("evaluation, %").chain(heads.iter().map(String::as_str)).collect();
    let body = figures(&[named("accuracy, %", &series, &chart)]) + &table(&head, &rows);
    section("The Solver's accuracy", "Error bars are one standard error.", &body)
}

/// The Generator's training.
pub(super) fn generator(data: &RunData) -> String {
    let steps = &data.generator;
    if steps.is_empty() {
        return String::new();
    }
    let rates = [("valid", "valid"), ("solve_rate", "solve rate"), ("in_band", "in the wanted band")];
    let rates: Vec<Series> =
        rates.into_iter().map(|(field, name)| series(steps, name, |s| s[field].as_f64())).collect();
    let rate_chart = lines(&rates, "update", Some((0.0, 1.0)), &marks(steps));
    let body =
        figures(&[rewards(steps), named("share of the proposals", &rates, &rate_chart), policy(steps)]);
    section("The Generator learns to invent", "Vertical lines part the iterations.", &body)
}

/// The Solver's training.
pub(super) fn solver(data: &RunData) -> String {
    let steps = &data.solver;
    if steps.is_empty() {
        return String::new();
    }
    let solved = vec![
        series(steps, "solved while training", |s| s["solve_rate"].as_f64()),
        series(steps, "solved when verified", |s| s["pool_solve_rate"].as_f64()),
    ];
    let chart = lines(&solved, "update", Some((0.0, 1.0)), &marks(steps));
    let body = figures(&[rewards(steps), named("share of the answers", &solved, &chart), policy(steps)]);
    section("The Solver learns from the pool", "Vertical lines part the iterations.", &body)
}

/// Reward by component.
fn rewards(steps: &[Value]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for name in steps.iter().filter_map(|s| s["components"].as_object()).flat_map(|c| c.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut all = vec![series(steps, "total", |s| s["reward"].as_f64())];
    if names.len() == 1 {
        // The one part is the whole.
        names.clear();
    }
    all.extend(names.iter().map(|name| series(steps, name, |s| s["components"][name.as_str()].as_f64())));
    named("mean reward, and its parts", &all, &lines(&all, "update", None, &marks(steps)))
}

/// What the updates did to the model.
fn policy(steps: &[Value]) -> String {
    let fields = [("grad_norm", "gradient norm"), ("kl", "KL, nats"), ("entropy", "entropy, nats")];
    let all: Vec<Series> = fields
        .into_iter()
        .map(|(field, name)| series(steps, name, |s| s["update"][field].as_f64()))
        .filter(|s| !s.points.is_empty())
        .collect();
    named("the update", &all, &lines(&all, "update", None, &marks(steps)))
}

/// Values over all updates of the run.
fn series(steps: &[Value], name: &str, value: impl Fn(&Value) -> Option<f64>) -> Series {
    let points = steps.iter().enumerate().filter_map(|(i, s)| Some((i as f64, value(s)?, 0.0)));
    Series { name: name.to_owned(), points: points.collect() }
}

/// Where the iteration changes.
fn marks(steps: &[Value]) -> Vec<f64> {
    let changes = steps.windows(2).enumerate().filter(|(_, w)| w[0]["iteration"] != w[1]["iteration"]);
    changes.map(|(i, _)| i as f64 + 0.5).collect()
}

fn named(caption: &str, series: &[Series], svg: &str) -> String {
    if svg.is_empty() {
        return String::new();
    }
    let legend: Vec<(&str, &str)> =
        series.iter().enumerate().map(|(i, s)| (colour(i), s.name.as_str())).collect();
    figure(caption, &legend, svg)
}

fn figures(all: &[String]) -> String {
    format!("<div class=\"figures\">\n{}</div>\n", all.concat())
}

/// The pool: what each stage let through, why proposals were rejected, how hard they are.
pub(super) fn pool(data: &RunData) -> String {
    let mut body = String::new();
    for (iteration, p) in &data.pools {
        let _ = writeln!(body, "<h3>Iteration {iteration}</h3>");
        body += &bars(&[
            ("candidates", p.candidates),
            ("readable", p.readable),
            ("distinct", p.distinct),
            ("verified", p.verified),
            ("in the band", p.in_band),
            ("selected", p.selected),
        ]);
        let list = |counts: &std::collections::BTreeMap<String, usize>| {
            let parts: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
            parts.join(" · ")
        };
        let lines = [
            ("Selected", format!("{} new · {} derived · {} replayed", p.proposed, p.derived, p.replayed)),
            ("Difficulty", list(&p.buckets)),
            ("Strata", list(&p.strata)),
            ("Rejected", list(&p.rejected)),
        ];
        for (label, text) in lines.iter().filter(|(_, text)| !text.is_empty()) {
            let _ = writeln!(body, "<p class=\"soft\"><b>{label}:</b> {}</p>", escape(text));
        }
        let chart = histogram(&p.histogram, "verifying samples that solved it");
        if !chart.is_empty() {
            body += &figures(&[figure("difficulty of the distinct candidates", &[], &chart)]);
        }
    }
    section("The task pool", "From the Generator's candidates to the tasks the Solver trains on.", &body)
}

/// Evaluation tasks with the Solver's answers before and after.
pub(super) fn answers(data: &RunData, show: &dyn Fn(&Value) -> String) -> String {
    let mut body = String::new();
    for evaluation in data.evaluations.iter().filter(|e| e.scores.len() > 1) {
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

/// Some tasks that the Generator invented.
pub(super) fn tasks(data: &RunData, show: &dyn Fn(&Value) -> String) -> String {
    let mut body = String::new();
    for (iteration, tasks) in &data.tasks {
        for t in tasks {
            let _ = write!(
                body,
                "<details><summary>iteration {iteration}, {}{}, solve rate {:.2}</summary>\n<pre>{}</pre></details>\n",
                t.bucket.as_str(),
                if t.stratum.is_empty() { String::new() } else { format!(", {}", escape(&t.stratum)) },
                t.solve_rate,
                escape(&show(&t.task)),
            );
        }
    }
    section("Tasks that the Generator invented", "Evenly spaced over each pool, from easy to hard.", &body)
}

/// Seconds of each phase.
pub(super) fn times(data: &RunData) -> String {
    let row = |(iteration, phase, seconds): &(usize, String, f64)| {
        vec![iteration.to_string(), phase.replace('_', " "), format!("{seconds:.1}")]
    };
    let rows: Vec<Vec<String>> = data.timings.iter().map(row).collect();
    section("Time", "", &table(&["iteration", "phase", "seconds"], &rows))
}

/// The settings.
pub(super) fn config(data: &RunData) -> String {
    let body = format!(
        "<details><summary>config.toml</summary><pre>{}</pre></details>\n",
        escape(&data.info.config)
    );
    section("Settings", "", &body)
}
