//! Progress on standard error: a bar on a terminal, lines elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use sparring_core::{Event, Observer, Phase};
use std::io::IsTerminal;

/// Lines that a training phase prints where there is no terminal.
const LINES: usize = 20;

/// A bar over so many units of work. Threads may share it; elsewhere than on a terminal nothing is drawn.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar over `units` units of work, with a name before it.
    pub fn new(what: impl Into<String>, units: usize) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new(units as u64)
        } else {
            ProgressBar::hidden()
        };
        let template = "{prefix:32} {bar:24} {pos}/{len} {elapsed} (left {eta})  {msg}";
        // The template is a constant; indicatif's own style stands in if it were wrong.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(bar.with_style(style).with_prefix(what.into()))
    }

    /// That many more units are done.
    pub fn add(&self, units: usize, note: &str) {
        self.0.inc(units as u64);
        self.note(note);
    }

    /// So many units are done in all.
    pub fn set(&self, done: usize, note: &str) {
        self.0.set_position(done as u64);
        self.note(note);
    }

    fn note(&self, note: &str) {
        if !note.is_empty() {
            self.0.set_message(note.to_owned());
        }
    }

    /// Takes the bar away while something else is printed.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.0.suspend(print)
    }

    /// A line that stays, on a terminal or elsewhere.
    pub fn line(&self, text: &str) {
        self.suspend(|| eprintln!("{text}"));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Shows a run's progress: a bar and a closing line for each phase; where there is no terminal, a training run prints a
/// line now and then instead of the bar.
#[derive(Debug, Default)]
pub struct Progress {
    phase: Option<Running>,
    /// Whether there are no iterations: the run of a `Trainer`.
    trains: bool,
}

/// The phase that is under way.
#[derive(Debug)]
struct Running {
    bar: Bar,
    label: String,
    /// Units between two lines, where lines are printed.
    every: Option<usize>,
    steps: usize,
    note: String,
}

impl Progress {
    /// An observer; it shows nothing before the first phase.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Running {
    fn new(iteration: Option<usize>, phase: Phase, steps: usize) -> Self {
        let lines = phase == Phase::Train && !std::io::stderr().is_terminal();
        let (label, every) = (label(iteration, phase), lines.then(|| steps.div_ceil(LINES).max(1)));
        Self { bar: Bar::new(&label, steps), label, every, steps, note: String::new() }
    }

    fn progress(&mut self, done: usize, note: &str) {
        note.clone_into(&mut self.note);
        self.bar.set(done, note);
        if self.every.is_some_and(|every| done > 0 && done.is_multiple_of(every)) {
            eprintln!("{} {done}/{}  {note}", self.label, self.steps);
        }
    }
}

impl Observer for Progress {
    fn on(&mut self, event: Event<'_>) {
        match (event, &mut self.phase) {
            (Event::PhaseStarted { iteration, phase, steps }, running) => {
                self.trains |= phase == Phase::Train;
                let iteration = if self.trains { None } else { Some(iteration) };
                *running = Some(Running::new(iteration, phase, steps));
            }
            (Event::Progress { done, note }, Some(running)) => running.progress(done, note),
            (Event::PhaseEnded { seconds, .. }, running) => {
                if let Some(Running { bar, label, note, .. }) = running.take() {
                    bar.line(&format!("{label:32} {seconds:7.1} s  {note}"));
                }
            }
            _ => {}
        }
    }
}

fn label(iteration: Option<usize>, phase: Phase) -> String {
    let name = phase.as_str().replace('_', " ");
    match iteration {
        None => name,
        Some(0) => format!("before: {name}"),
        Some(iteration) => format!("iteration {iteration}: {name}"),
    }
}
