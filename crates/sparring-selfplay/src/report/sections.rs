use super::data::RunData;
use serde_json::Value;
use sparring_train::report::charts::{Series, histogram, lines};
use sparring_train::report::html::{bars, card, escape, figure, section, table};
use sparring_train::report::sections::{
    accuracy_cards, duration, figures, marks, named, policy, rewards, series,
};
use std::fmt::Write;

/// The numbers that matter most.
pub(super) fn headline(data: &RunData) -> String {
    let mut cards = accuracy_cards(&data.evaluations);
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
