use super::lines::{Lines, Sink, Status};
use crate::show_time;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// A bar over so many units of work on a terminal, lines now and then elsewhere. Threads may share it.
#[derive(Debug)]
pub struct Bar {
    drawn: ProgressBar,
    /// Where there is no terminal.
    lines: Option<Lines<Units>>,
}

/// The units that are done.
struct Units {
    what: String,
    done: usize,
    of: usize,
    note: String,
    began: Instant,
}

impl Status for Units {
    fn line(&self) -> Option<String> {
        let Self { what, done, of, note, began } = self;
        let elapsed = began.elapsed();
        let left = (1..*of).contains(done).then(|| elapsed.mul_f64((of - done) as f64 / *done as f64));
        let left = left.map(|left| format!(", left about {}", show_time(left))).unwrap_or_default();
        let note = if note.is_empty() { String::new() } else { format!("  {note}") };
        Some(format!("{what} {done}/{of}{note}, elapsed {}{left}", show_time(elapsed)))
    }
}

impl Bar {
    /// A bar over `units` units of work, with a name before it.
    pub fn new(what: impl Into<String>, units: usize) -> Self {
        let what = what.into();
        let drawn = draw(&what, units);
        let lines = drawn.is_hidden().then(|| {
            let status = Units { what, done: 0, of: units, note: String::new(), began: Instant::now() };
            Lines::start(status, Sink::new(true, None))
        });
        Self { drawn, lines }
    }

    /// That many more units are done.
    pub fn add(&self, units: usize, note: &str) {
        self.drawn.inc(units as u64);
        self.note(note, |status| status.done += units);
    }

    /// So many units are done in all.
    pub fn set(&self, done: usize, note: &str) {
        self.drawn.set_position(done as u64);
        self.note(note, |status| status.done = done);
    }

    fn note(&self, note: &str, change: impl FnOnce(&mut Units)) {
        if !note.is_empty() {
            self.drawn.set_message(note.to_owned());
        }
        if let Some(lines) = &self.lines {
            lines.change(|status| {
                change(status);
                note.clone_into(&mut status.note);
            });
        }
    }

    /// Takes the bar away while something else is printed.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.drawn.suspend(print)
    }

    /// A line that stays, on a terminal or elsewhere.
    pub fn line(&self, text: &str) {
        match &self.lines {
            Some(lines) => lines.say(|_| text.to_owned()),
            None => self.suspend(|| eprintln!("{text}")),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.drawn.finish_and_clear();
    }
}

/// A bar on the terminal; one that is not drawn where there is none.
pub(super) fn draw(what: &str, units: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "{prefix:32} {bar:24} {pos}/{len} {elapsed} (left {eta})  {msg}";
    // The template is a constant; indicatif's own style stands in if it were wrong.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(units as u64).with_style(style).with_prefix(what.to_owned())
}
