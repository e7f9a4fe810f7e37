use crate::{PoolTask, PoolYield, Summary};
use serde::Deserialize;
use serde_json::Value;
use sparring_train::TrainError;
use sparring_train::report::{RunData, read_json};
use sparring_train::store::disk;

/// Tasks of each iteration's pool that the report shows.
const SHOWN: usize = 6;

/// What a self-play run adds to [`RunData`].
#[derive(Debug)]
pub(super) struct PlayData<'r> {
    pub(super) summary: Option<Summary>,
    pub(super) generator: Vec<&'r Value>,
    pub(super) solver: Vec<&'r Value>,
    pub(super) pools: Vec<Pool>,
    pub(super) timings: Vec<Timing>,
    /// By iteration: some tasks of its pool, evenly spaced from easy to hard.
    pub(super) tasks: Vec<(usize, Vec<PoolTask<Value>>)>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pool {
    pub(super) iteration: usize,
    #[serde(flatten)]
    pub(super) pool_yield: PoolYield,
}

#[derive(Debug, Deserialize)]
pub(super) struct Timing {
    pub(super) iteration: usize,
    pub(super) phase: String,
    pub(super) seconds: f64,
}

impl<'r> PlayData<'r> {
    pub(super) fn read(run: &'r RunData) -> Result<Self, TrainError> {
        let records = &run.records;
        let mut data = Self {
            summary: read_json(&run.dir.join("summary.json"))?,
            generator: records.of("generator_step").collect(),
            solver: records.of("solver_step").collect(),
            pools: records.of("pool").filter_map(|record| Pool::deserialize(record).ok()).collect(),
            timings: records.of("timing").filter_map(|record| Timing::deserialize(record).ok()).collect(),
            tasks: Vec::new(),
        };
        for i in 1.. {
            let path = run.dir.join(format!("tasks/iteration-{i}.jsonl"));
            if !path.exists() {
                break;
            }
            data.tasks.push((i, some_tasks(&disk::read(&path)?)));
        }
        Ok(data)
    }
}

/// A few tasks, evenly spaced over the file.
fn some_tasks(text: &[u8]) -> Vec<PoolTask<Value>> {
    let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect();
    let n = lines.len().min(SHOWN);
    let places = (0..n).map(|k| if n > 1 { k * (lines.len() - 1) / (n - 1) } else { 0 });
    places.filter_map(|i| serde_json::from_slice(lines[i]).ok()).collect()
}
