use super::data::{PlayData, Pool, Timing};
use crate::PoolYield;
use sparring_train::report::charts::{Series, histogram, lines};
use sparring_train::report::html::{bars, card, escape, figure, section, table};
use sparring_train::report::sections::{
    accuracy_cards, drift, figures, marks, named, policy, result, rewards, series, time_card,
};
use sparring_train::report::{EvaluationData, Render};
use std::fmt::Write;

/// Note on the charts of updates.
const ITERATIONS: &str = "Vertical lines separate the iterations.";

/// The main results.
pub(super) fn headline(data: &PlayData<'_>, evaluations: &[EvaluationData]) -> String {
    let mut cards = accuracy_cards(evaluations);
    if let Some(summary) = &data.summary {
        if let Some(gain) = summary.relative_gain {
            cards += &card(&format!("{:+.0} %", 100.0 * gain), "relative gain", "over the untrained Solver");
        }
        let g = &summary.generator;
        if let (Some(first), Some(last)) = (g.valid_rate_first, g.valid_rate_last) {
            let value = format!("{:.0} % → {:.0} %", 100.0 * first, 100.0 * last);
            cards += &card(&value, "valid proposals", "first and last updates of the Generator");
        }
        cards += &time_card(summary.wall_seconds, summary.peak_rss_mib);
    }
    result(&cards, data.summary.is_some())
}

/// The Generator's training.
pub(super) fn generator(data: &PlayData<'_>) -> String {
    let steps = &data.generator;
    if steps.is_empty() {
        return String::new();
    }
    let rates = [("valid", "valid"), ("solve_rate", "solve rate"), ("in_band", "in the kept band")];
    let rates: Vec<Series> =
        rates.into_iter().map(|(field, name)| series(steps, name, |s| s[field].as_f64())).collect();
    let rate_chart = lines(&rates, "update", Some((0.0, 1.0)), &marks(steps));
    let body =
        figures(&[rewards(steps), named("share of the proposals", &rates, &rate_chart), policy(steps)]);
    section("The Generator's training", ITERATIONS, &(body + &drift(steps)))
}

/// The Solver's training.
pub(super) fn solver(data: &PlayData<'_>) -> String {
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
    section("The Solver's training", ITERATIONS, &(body + &drift(steps)))
}

/// The pools: the candidates after each stage, the reasons for rejection, the difficulty.
pub(super) fn pool(data: &PlayData<'_>) -> String {
    let mut body = String::new();
    for Pool { iteration, pool_yield: p } in &data.pools {
        let _ = writeln!(body, "<h3>Iteration {iteration}</h3>");
        body += &bars(&[
            ("candidates", p.candidates),
            ("readable", p.readable),
            ("distinct", p.distinct),
            ("verified", p.verified),
            ("in the kept band", p.in_band),
            ("selected", p.selected),
        ]);
        let list = |counts: &std::collections::BTreeMap<String, usize>| {
            let parts: Vec<String> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
            parts.join(" · ")
        };
        let lines = [
            ("Selected", origins(p)),
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
    section("The task pool", "From the Generator's candidates to the tasks that the Solver trains on.", &body)
}

/// `70 new · 20 derived · 10 replayed`, and own tasks where there are any.
fn origins(p: &PoolYield) -> String {
    let own = if p.own > 0 { format!(" · {} own", p.own) } else { String::new() };
    format!("{} new · {} derived · {} replayed{own}", p.proposed, p.derived, p.replayed)
}

/// Some tasks of each pool.
pub(super) fn tasks(data: &PlayData<'_>, render: &Render<'_>) -> String {
    let mut body = String::new();
    for (iteration, tasks) in &data.tasks {
        for t in tasks {
            let _ = write!(
                body,
                "<details><summary>iteration {iteration}, {}, {}{}, solve rate {:.2}</summary>\n\
                 <pre>{}</pre></details>\n",
                t.origin.as_str(),
                t.bucket.as_str(),
                if t.stratum.is_empty() { String::new() } else { format!(", {}", escape(&t.stratum)) },
                t.solve_rate,
                escape(&render(&t.task)),
            );
        }
    }
    section("Tasks of the pool", "Evenly spaced over each pool, from easy to hard.", &body)
}

/// Seconds by phase.
pub(super) fn times(data: &PlayData<'_>) -> String {
    let row = |Timing { iteration, phase, seconds }: &Timing| {
        vec![iteration.to_string(), phase.replace('_', " "), format!("{seconds:.1}")]
    };
    let rows: Vec<Vec<String>> = data.timings.iter().map(row).collect();
    section("Time", "", &table(&["iteration", "phase", "seconds"], &rows))
}
