use crate::store::disk;
use crate::{PoolTask, PoolYield, RunInfo, SelfPlayError, Summary};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Tasks of each iteration's pool that the report shows.
const SHOWN: usize = 6;

/// What a run directory holds, as far as the run has come.
#[derive(Debug)]
pub(super) struct RunData {
    pub(super) info: RunInfo,
    pub(super) summary: Option<Summary>,
    pub(super) generator: Vec<Value>,
    pub(super) solver: Vec<Value>,
    pub(super) evaluations: Vec<ExamData>,
    /// By iteration.
    pub(super) pools: Vec<(usize, PoolYield)>,
    /// Iteration, phase, seconds.
    pub(super) timings: Vec<(usize, String, f64)>,
    /// By iteration: some tasks of its pool, evenly spaced from easy to hard.
    pub(super) tasks: Vec<(usize, Vec<PoolTask<Value>>)>,
}

/// One evaluation over the iterations.
#[derive(Debug, Default)]
pub(super) struct ExamData {
    pub(super) name: String,
    pub(super) tasks: Vec<Value>,
    /// Iteration, accuracy, standard error.
    pub(super) scores: Vec<(usize, f64, f64)>,
    /// Task to its answers, by iteration: (answer, solved).
    pub(super) answers: BTreeMap<usize, Vec<(usize, String, bool)>>,
}

#[derive(Deserialize)]
struct ExamLine {
    iteration: usize,
    name: String,
    accuracy: f64,
    standard_error: f64,
    shown: Vec<crate::ShownAnswer>,
}

#[derive(Deserialize)]
struct PoolLine {
    iteration: usize,
    #[serde(flatten)]
    funnel: PoolYield,
}

impl RunData {
    pub(super) fn read(dir: &Path) -> Result<Self, SelfPlayError> {
        let mut data = Self {
            info: RunInfo::read(dir)?,
            summary: None,
            generator: Vec::new(),
            solver: Vec::new(),
            evaluations: Vec::new(),
            pools: Vec::new(),
            timings: Vec::new(),
            tasks: Vec::new(),
        };
        let path = dir.join("summary.json");
        if path.exists() {
            let read = serde_json::from_slice(&disk::read(&path)?);
            data.summary = Some(read.map_err(|e| SelfPlayError::damaged(&path, e.to_string()))?);
        }
        let text = disk::read(&dir.join("events.jsonl"))?;
        for line in text.split(|b| *b == b'\n') {
            // A line that is still being written is not JSON yet.
            if let Ok(value) = serde_json::from_slice::<Value>(line) {
                data.note(value);
            }
        }
        for i in 1.. {
            let path = dir.join(format!("tasks/iteration-{i}.jsonl"));
            if !path.exists() {
                break;
            }
            data.tasks.push((i, some_tasks(&disk::read(&path)?)));
        }
        Ok(data)
    }

    fn note(&mut self, value: Value) {
        match value["kind"].as_str() {
            Some("generator_step") => self.generator.push(value),
            Some("solver_step") => self.solver.push(value),
            Some("evaluation_tasks") => {
                let name = value["evaluation"].as_str().unwrap_or_default().to_owned();
                let tasks = value["tasks"].as_array().cloned().unwrap_or_default();
                self.evaluation(&name).tasks = tasks;
            }
            Some("evaluation") => {
                if let Ok(line) = serde_json::from_value::<ExamLine>(value) {
                    let evaluation = self.evaluation(&line.name);
                    evaluation.scores.push((line.iteration, line.accuracy, line.standard_error));
                    for a in line.shown {
                        evaluation.answers.entry(a.task).or_default().push((
                            line.iteration,
                            a.answer,
                            a.solved,
                        ));
                    }
                }
            }
            Some("pool") => {
                if let Ok(line) = serde_json::from_value::<PoolLine>(value) {
                    self.pools.push((line.iteration, line.funnel));
                }
            }
            Some("timing") => self.timings.push((
                value["iteration"].as_u64().unwrap_or(0) as usize,
                value["phase"].as_str().unwrap_or_default().to_owned(),
                value["seconds"].as_f64().unwrap_or(0.0),
            )),
            _ => {}
        }
    }

    fn evaluation(&mut self, name: &str) -> &mut ExamData {
        let place = self.evaluations.iter().position(|e| e.name == name).unwrap_or(self.evaluations.len());
        if place == self.evaluations.len() {
            self.evaluations.push(ExamData { name: name.to_owned(), ..ExamData::default() });
        }
        &mut self.evaluations[place]
    }

    pub(super) fn title(&self) -> String {
        let preset = if self.info.preset.is_empty() { "self-play" } else { &self.info.preset };
        format!("{preset}, seed {}", self.info.seed)
    }
}

/// A few tasks, evenly spaced over the file.
fn some_tasks(text: &[u8]) -> Vec<PoolTask<Value>> {
    let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect();
    let n = lines.len().min(SHOWN);
    let places = (0..n).map(|k| if n > 1 { k * (lines.len() - 1) / (n - 1) } else { 0 });
    places.filter_map(|i| serde_json::from_slice(lines[i]).ok()).collect()
}
