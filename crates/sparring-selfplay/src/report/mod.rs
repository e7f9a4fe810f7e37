//! The page of a self-play run, made of [`sparring_train::report`].

mod data;
mod sections;

use crate::SelfPlayError;
use data::PlayData;
use sparring_train::TrainError;
use sparring_train::report::{EvaluationData, Layout, Page, Render, RunData, sections as common};
use std::path::{Path, PathBuf};

/// The report of a self-play run: [`Page`] has its options.
pub type Report<'a> = Page<'a, SelfPlayLayout>;

/// Writes `report.html` into the folder of a self-play run, finished or not: [`Report`] without options.
///
/// # Errors
/// As [`Page::open`] and [`Page::write`].
pub fn write_report(dir: impl AsRef<Path>) -> Result<PathBuf, SelfPlayError> {
    Ok(Report::open(dir)?.write()?)
}

/// The sections of a self-play run.
#[derive(Debug)]
pub struct SelfPlayLayout;

impl Layout for SelfPlayLayout {
    const TITLE: &'static str = "self-play";
    const PLACE: &'static str = "iteration";

    fn sections(
        run: &RunData,
        evaluations: &[EvaluationData],
        render: &Render<'_>,
    ) -> Result<Vec<String>, TrainError> {
        let data = PlayData::read(run)?;
        Ok(vec![
            sections::headline(&data, evaluations),
            common::accuracy("The Solver's accuracy", evaluations, Self::PLACE),
            sections::generator(&data),
            sections::solver(&data),
            sections::pool(&data),
            common::answers(evaluations, render),
            sections::tasks(&data, render),
            sections::times(&data),
        ])
    }
}
