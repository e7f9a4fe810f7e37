use super::data::{EvaluationData, Records};
use super::{html, sections};
use crate::TrainError;
use crate::store::{RunInfo, disk};
use serde_json::Value;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// What a run folder holds, as far as the run has come.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunData {
    /// The run folder.
    pub dir: PathBuf,
    /// Seed, preset and settings.
    pub info: RunInfo,
    /// `events.jsonl`.
    pub records: Records,
}

/// How tasks are shown, as text.
pub type Render<'a> = dyn Fn(&Value) -> String + 'a;

/// The contents of the page of one kind of run.
pub trait Layout {
    /// Title of the page of a run without a preset.
    const TITLE: &'static str;
    /// Field of the evaluations' records that says where in the run they were: `iteration`, say.
    const PLACE: &'static str;

    /// The sections, as HTML. Tasks are shown by `render`.
    ///
    /// # Errors
    /// [`TrainError`] names the file of the run folder that could not be read.
    fn sections(
        run: &RunData,
        evaluations: &[EvaluationData],
        render: &Render<'_>,
    ) -> Result<Vec<String>, TrainError>;
}

/// The report of a run: the sections of its [`Layout`], and sections of your own.
///
/// [`Report`](crate::Report) is the report of a training run; [`Trainer::with_recorder`](crate::Trainer::with_recorder)
/// has an example.
pub struct Page<'a, L> {
    run: RunData,
    render: Box<Render<'a>>,
    own: String,
    layout: PhantomData<fn() -> L>,
}

impl<L> fmt::Debug for Page<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("dir", &self.run.dir).finish_non_exhaustive()
    }
}

impl<'a, L: Layout> Page<'a, L> {
    /// Reads a run folder. Tasks are shown as indented JSON.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] where `dir` holds no run; [`TrainError::Io`] or [`TrainError::Damaged`] names the file.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, TrainError> {
        let dir = dir.as_ref().to_owned();
        let run = RunData { info: RunInfo::read(&dir)?, records: Records::read(&dir)?, dir };
        let render = Box::new(|task: &Value| serde_json::to_string_pretty(task).unwrap_or_default());
        Ok(Self { run, render, own: String::new(), layout: PhantomData })
    }

    /// Shows tasks as the plain text that `render` makes of their JSON.
    #[must_use]
    pub fn with_render(mut self, render: impl Fn(&Value) -> String + 'a) -> Self {
        self.render = Box::new(render);
        self
    }

    /// Adds a section below the others. `body` makes its HTML of the run's records: [`html`] has tables and figures,
    /// [`charts`](super::charts) lines and histograms. An empty body is left out.
    #[must_use]
    pub fn with_section(mut self, heading: &str, body: impl FnOnce(&Records) -> String) -> Self {
        self.own += &html::section(heading, "", &body(&self.run.records));
        self
    }

    /// Writes `report.html` into the run folder, and returns its path.
    ///
    /// # Errors
    /// [`TrainError::Io`] or [`TrainError::Damaged`] names the file.
    pub fn write(&self) -> Result<PathBuf, TrainError> {
        let RunData { dir, info, records } = &self.run;
        let evaluations = EvaluationData::collect(records, L::PLACE);
        let mut body = L::sections(&self.run, &evaluations, &*self.render)?.concat();
        body += &self.own;
        body += &sections::config(&info.config);
        let name = if info.preset.is_empty() { L::TITLE } else { &info.preset };
        let path = dir.join("report.html");
        let page = html::page(&format!("{name}, seed {}", info.seed), &body);
        disk::write_atomic(&path, page.as_bytes())?;
        Ok(path)
    }
}
