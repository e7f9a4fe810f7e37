use crate::{PoolTask, PoolYield, SelfPlayError, Summary};
use serde::Deserialize;
use serde_json::Value;
use sparring_train::report::{EvaluationData, read_events, read_json};
use sparring_train::store::{RunInfo, disk};
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
    pub(super) evaluations: Vec<EvaluationData>,
    /// By iteration.
    pub(super) pools: Vec<(usize, PoolYield)>,
    /// Iteration, phase, seconds.
    pub(super) timings: Vec<(usize, String, f64)>,
    /// By iteration: some tasks of its pool, evenly spaced from easy to hard.
    pub(super) tasks: Vec<(usize, Vec<PoolTask<Value>>)>,
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
        data.summary = read_json(&dir.join("summary.json"))?;
        read_events(dir)?.into_iter().for_each(|value| data.note(value));
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
        EvaluationData::note(&mut self.evaluations, &value, "iteration");
        match value["kind"].as_str() {
            Some("generator_step") => self.generator.push(value),
            Some("solver_step") => self.solver.push(value),
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
