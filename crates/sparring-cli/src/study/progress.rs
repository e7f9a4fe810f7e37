//! One bar over all runs.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// Shows progress on standard error: a bar on a terminal, a line a run elsewhere. Threads share it.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(what: &'static str, steps: usize) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new(steps as u64)
        } else {
            ProgressBar::hidden()
        };
        let template = "{prefix:8} {bar:24} {pos}/{len} {elapsed} (left {eta})  {msg}";
        // The template is a constant; indicatif's own style stands in if it were wrong.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: bar.with_style(style).with_prefix(what) }
    }

    pub(crate) fn add(&self, steps: usize, note: &str) {
        self.bar.inc(steps as u64);
        if !note.is_empty() {
            self.bar.set_message(note.to_owned());
        }
    }

    /// A line that stays.
    pub(crate) fn line(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
