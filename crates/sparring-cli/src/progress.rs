//! A bar for each phase.

use indicatif::{ProgressBar, ProgressStyle};
use sparring::core::{Event, Observer, Phase};
use std::io::IsTerminal;

/// Shows a run's progress on standard error: bars on a terminal, a line a phase elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    terminal: bool,
    note: String,
}

impl Progress {
    /// Nothing is shown before the first phase.
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden(), terminal: std::io::stderr().is_terminal(), note: String::new() }
    }

    fn start(&mut self, iteration: usize, phase: Phase, steps: usize) {
        self.note.clear();
        if !self.terminal {
            return;
        }
        let template = "{prefix:32} {bar:24} {pos}/{len} {elapsed} (left {eta})  {msg}";
        // The template is a constant; indicatif's own style stands in if it were wrong.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar = ProgressBar::new(steps as u64).with_style(style).with_prefix(label(iteration, phase));
    }

    fn end(&mut self, iteration: usize, phase: Phase, seconds: f64) {
        self.bar.finish_and_clear();
        let label = label(iteration, phase);
        eprintln!("{label:32} {seconds:7.1} s  {}", self.note);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Progress {
    fn on(&mut self, event: Event<'_>) {
        match event {
            Event::PhaseStarted { iteration, phase, steps } => self.start(iteration, phase, steps),
            Event::Progress { done, note } => {
                note.clone_into(&mut self.note);
                self.bar.set_position(done as u64);
                self.bar.set_message(note.to_owned());
            }
            Event::PhaseEnded { iteration, phase, seconds } => self.end(iteration, phase, seconds),
            _ => {}
        }
    }
}

fn label(iteration: usize, phase: Phase) -> String {
    let phase = phase.as_str().replace('_', " ");
    match iteration {
        0 => format!("before: {phase}"),
        _ => format!("iteration {iteration}: {phase}"),
    }
}
