//! One self-contained HTML page about a run, made of [`sparring_train::report`].

mod data;
mod sections;

use crate::SelfPlayError;
use data::RunData;
use serde_json::Value;
use sparring_train::report::{html, sections as common};
use sparring_train::store::disk;
use std::fmt;
use std::path::{Path, PathBuf};

type Render<'a> = Box<dyn Fn(&Value) -> String + 'a>;

/// Writes `report.html` into a run directory, from its `events.jsonl` and `summary.json`; of a run that is
/// still going, as far as it is.
///
/// # Errors
/// [`SelfPlayError::Train`] names the file.
pub fn write_report(dir: impl AsRef<Path>) -> Result<PathBuf, SelfPlayError> {
    Report::new().write(dir)
}

/// How a report is written: [`write_report`] with choices.
#[derive(Default)]
pub struct Report<'a> {
    render: Option<Render<'a>>,
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("render", &self.render.is_some()).finish()
    }
}

impl<'a> Report<'a> {
    /// A report that shows tasks as indented JSON.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows tasks as the plain text that `render` makes of their JSON.
    #[must_use]
    pub fn with_render(mut self, render: impl Fn(&Value) -> String + 'a) -> Self {
        self.render = Some(Box::new(render));
        self
    }

    /// Writes `report.html` into the run directory `dir`, and returns its path.
    ///
    /// # Errors
    /// As [`write_report`].
    pub fn write(&self, dir: impl AsRef<Path>) -> Result<PathBuf, SelfPlayError> {
        let data = RunData::read(dir.as_ref())?;
        let path = dir.as_ref().join("report.html");
        disk::write_atomic(&path, self.page(&data).as_bytes())?;
        Ok(path)
    }

    fn page(&self, data: &RunData) -> String {
        let sections = [
            sections::headline(data),
            common::accuracy("The Solver's accuracy", &data.evaluations, "iteration"),
            sections::generator(data),
            sections::solver(data),
            sections::pool(data),
            common::answers(&data.evaluations, &|task| self.show(task)),
            sections::tasks(data, &|task| self.show(task)),
            sections::times(data),
            common::config(&data.info.config),
        ];
        html::page(&data.title(), &sections.concat())
    }

    fn show(&self, task: &Value) -> String {
        match &self.render {
            Some(render) => render(task),
            None => serde_json::to_string_pretty(task).unwrap_or_default(),
        }
    }
}
