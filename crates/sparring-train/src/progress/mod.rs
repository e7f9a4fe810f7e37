//! Progress on standard error: a bar on a terminal, lines elsewhere; and lines in a file.

mod bar;
mod lines;

pub use bar::Bar;

use crate::{Estimate, Forecast, Meter, Reading, show_time};
use indicatif::ProgressBar;
use lines::{Lines, Sink, Status};
use serde::Deserialize;
use sparring_core::{Event, Observer, Phase};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

/// Shows a run's progress: a bar for each phase on a terminal, and a closing line. Elsewhere, and in a file
/// ([`Progress::with_log`]), there is a line when a phase ends, when the run's time was estimated, and in between at
/// least every 30 seconds and at most every 10: phase, units done, the newest update, tokens a second, the time elapsed
/// and the time left of the whole run.
#[derive(Debug, Default)]
pub struct Progress {
    log: Option<PathBuf>,
    meter: Meter,
    bar: Option<ProgressBar>,
    /// From the first event on.
    lines: Option<Lines<Run>>,
}

/// What is shown.
#[derive(Debug)]
struct Run {
    began: Instant,
    forecast: Forecast,
    meter: Meter,
    phase: Option<Running>,
    /// Whether there are no iterations: the run of a `Trainer`.
    trains: bool,
}

/// The phase that is under way.
#[derive(Debug)]
struct Running {
    label: String,
    done: usize,
    steps: usize,
    note: String,
    /// What was sampled before it.
    before: Reading,
}

/// What is shown of the record `resumed`.
#[derive(Deserialize)]
struct Resumed {
    checkpoint: Option<u64>,
    damaged: Vec<String>,
}

/// What is shown of the record `settings_changed`.
#[derive(Deserialize)]
struct SettingsChanged {
    changes: Vec<Changed>,
}

#[derive(Deserialize)]
struct Changed {
    field: String,
    before: Option<String>,
    now: Option<String>,
}

impl Progress {
    /// An observer; it shows nothing before the first event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the lines to this file too, with the time in front; its folder must exist when the run starts.
    #[must_use]
    pub fn with_log(mut self, file: impl Into<PathBuf>) -> Self {
        self.log = Some(file.into());
        self
    }

    /// Shows tokens a second, of what this meter counts: the run's.
    #[must_use]
    pub fn with_meter(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
    }

    fn lines(&mut self) -> &Lines<Run> {
        let Self { log, meter, lines, .. } = self;
        lines.get_or_insert_with(|| {
            let (began, forecast, meter) = (Instant::now(), Forecast::default(), meter.clone());
            let run = Run { began, forecast, meter, phase: None, trains: false };
            Lines::start(run, Sink::new(!std::io::stderr().is_terminal(), log.take()))
        })
    }

    /// A line that stays: on a terminal, above the bar.
    fn say(&mut self, change: impl FnOnce(&mut Run) -> String) {
        let bar = self.bar.clone();
        self.lines().say(|run| {
            let line = change(run);
            if std::io::stderr().is_terminal() {
                match &bar {
                    Some(bar) => bar.suspend(|| eprintln!("{line}")),
                    None => eprintln!("{line}"),
                }
            }
            line
        });
    }

    /// A run that goes back to an older checkpoint says so.
    fn resumed(&mut self, json: &str) {
        let Ok(resumed) = serde_json::from_str::<Resumed>(json) else { return };
        for damage in &resumed.damaged {
            let from = resumed.checkpoint.map_or_else(String::new, |serial| format!(" {serial}"));
            self.say(|_| {
                format!(
                    "warning: the run continues from the older checkpoint{from}, because a newer one cannot be used: \
                     {damage}"
                )
            });
        }
    }

    fn changed(&mut self, json: &str) {
        let Ok(SettingsChanged { changes }) = serde_json::from_str(json) else { return };
        for Changed { field, before, now } in changes {
            let show = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
            self.say(|_| format!("setting changed: {field} = {} (was {})", show(now), show(before)));
        }
    }

    fn start(&mut self, iteration: usize, phase: Phase, steps: usize) {
        let mut label = String::new();
        self.lines().change(|run| {
            run.trains |= phase == Phase::Train;
            label = name(if run.trains { None } else { Some(iteration) }, phase);
            let (label, note, before) = (label.clone(), String::new(), run.meter.read());
            run.phase = Some(Running { label, done: 0, steps, note, before });
        });
        self.bar = Some(bar::draw(&label, steps));
    }

    fn progress(&mut self, done: usize, note: &str) {
        let mut left = None;
        self.lines().change(|run| {
            if let Some(phase) = &mut run.phase {
                phase.done = done;
                note.clone_into(&mut phase.note);
            }
            left = run.forecast.left();
        });
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            let left = left.map(|left| format!("  (left of the run: {})", show_time(left)));
            bar.set_message(format!("{note}{}", left.unwrap_or_default()));
        }
    }

    fn end(&mut self, seconds: f64) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.say(|run| {
            let left = run.left();
            let ended = run.phase.take();
            let (label, note) = ended.map(|phase| (phase.label, phase.note)).unwrap_or_default();
            format!("{label:32} {seconds:7.1} s  {note}{left}")
        });
    }
}

impl Observer for Progress {
    fn on(&mut self, event: Event<'_>) {
        if !matches!(event, Event::Record { .. }) {
            self.lines().quietly(|run| run.forecast.on(&event));
        }
        match event {
            Event::PhaseStarted { iteration, phase, steps } => self.start(iteration, phase, steps),
            Event::Progress { done, note } => self.progress(done, note),
            Event::PhaseEnded { seconds, .. } => self.end(seconds),
            Event::Record { kind: "resumed", json } => self.resumed(json),
            Event::Record { kind: "settings_changed", json } => self.changed(json),
            Event::Record { kind: "estimate", json } => {
                if let Ok(estimate) = serde_json::from_str::<Estimate>(json) {
                    let whose = if estimate.measured { "corrected: the rest of the run" } else { "the run" };
                    self.say(|run| {
                        run.forecast.set_speed(estimate.speed);
                        format!("estimate: {whose} takes {estimate}")
                    });
                }
            }
            _ => {}
        }
    }
}

impl Run {
    /// `, elapsed 3 min 5 s, left about 35 min 0 s`.
    fn left(&self) -> String {
        let left = self.forecast.left().map(|left| format!(", left about {}", show_time(left)));
        format!(", elapsed {}{}", show_time(self.began.elapsed()), left.unwrap_or_default())
    }
}

impl Status for Run {
    fn line(&self) -> Option<String> {
        let Some(Running { label, done, steps, note, before }) = &self.phase else {
            // A checkpoint is written, say.
            return Some(format!("between two phases{}", self.left()));
        };
        let now = self.meter.read();
        let mut line = format!("{label} {done}/{steps}");
        if !note.is_empty() {
            line = format!("{line}  {note}");
        }
        if let Some(speed) = now.speed_since(before) {
            let completions = now.completions - before.completions;
            line = format!("{line}, {completions} completions at {speed:.0} tokens/s");
        }
        Some(line + &self.left())
    }
}

fn name(iteration: Option<usize>, phase: Phase) -> String {
    let name = phase.as_str().replace('_', " ");
    match iteration {
        None => name,
        Some(0) => format!("before: {name}"),
        Some(iteration) => format!("iteration {iteration}: {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring_core::{Stage, Work};

    #[test]
    fn older_checkpoints_and_changed_settings_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("run.log");
        let mut progress = Progress::new().with_log(&log);
        let resumed =
            r#"{"kind": "resumed", "step": 4, "checkpoint": 2, "damaged": ["a/000003/x: damaged"]}"#;
        progress.on(Event::Record { kind: "resumed", json: resumed });
        let whole = r#"{"kind": "resumed", "step": 4, "checkpoint": 2, "damaged": []}"#;
        progress.on(Event::Record { kind: "resumed", json: whole });
        let changed = r#"{"kind": "settings_changed", "changes": [
            {"file": "config.toml", "field": "lr", "before": "0.1", "now": "0.2"}]}"#;
        progress.on(Event::Record { kind: "settings_changed", json: changed });
        drop(progress);
        let text = std::fs::read_to_string(&log).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.contains("older checkpoint 2, because a newer one cannot be used: a/000003/x"),
            "{text}"
        );
        assert!(text.contains("setting changed: lr = 0.2 (was 0.1)"), "{text}");
    }

    #[test]
    fn a_run_is_told_in_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("run.log");
        let mut progress = Progress::new().with_log(&log);
        let stage = |iteration| Stage::new(iteration, Phase::Evaluate, 4, Work::sampling(1, 1, 10));
        progress.on(Event::Planned { stages: &[stage(0), stage(1)] });
        let estimate = r#"{"kind": "estimate", "seconds_from": 130.0, "seconds_to": 250.0, "left": {"prompts": 8.0,
            "completions": 8.0, "tokens": 80.0, "learned_prompts": 0.0, "learned_tokens": 0.0}, "memory": null,
            "speed": {"prompt": 0.0, "token": 2.0, "learned_prompt": 0.0, "learned_token": 2.0, "length": null},
            "measured": false}"#;
        progress.on(Event::Record { kind: "estimate", json: estimate });
        let left = progress.lines().quietly(|run| run.forecast.left());
        assert_eq!(left, Some(std::time::Duration::from_secs(160)));
        progress.on(Event::PhaseStarted { iteration: 0, phase: Phase::Evaluate, steps: 4 });
        for done in 0..=4 {
            progress.on(Event::Progress { done, note: "heldout" });
        }
        let status = progress.lines().quietly(|run| run.line()).unwrap();
        assert_eq!(status, "before: evaluate 4/4  heldout, elapsed 0 s, left about 0 s");
        progress.on(Event::PhaseEnded { iteration: 0, phase: Phase::Evaluate, seconds: 1.5 });
        drop(progress);
        let text = std::fs::read_to_string(&log).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(
            lines[0].starts_with("estimate: the run takes about 2 to 5 minutes: at most 8 comp"),
            "{text}"
        );
        assert!(lines[1].starts_with("before: evaluate ") && lines[1].contains("1.5 s  heldout, elapsed"));
    }
}
