use crate::state::{IterationRow, Ledger};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sparring_train::EvaluationScore;
use sparring_train::store::RunInfo;
use sparring_train::summary::{WINDOW, by_name, first_and_last, peak_rss_mib, relative_gain};
use std::collections::BTreeMap;

/// The outcome of a run: `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// Root seed.
    pub seed: u64,
    /// Name of the preset; empty where none.
    pub preset: String,
    /// Before the first iteration: `<evaluation>_accuracy` and `<evaluation>_standard_error` for each evaluation.
    pub base: Map<String, Value>,
    /// The same after the last iteration.
    #[serde(rename = "final")]
    pub last: Map<String, Value>,
    /// (final − base) / base accuracy of the evaluation `heldout`, or of the first where there is none of that name;
    /// `None` where the base accuracy is 0.
    pub relative_gain: Option<f64>,
    /// The benchmarks, by name: see [`Benchmark::summary`](sparring_train::Benchmark::summary).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub evaluations: BTreeMap<String, Value>,
    /// The Generator's progress.
    pub generator: GeneratorSummary,
    /// Scores of every evaluation before the first iteration.
    pub base_evaluations: Vec<EvaluationScore>,
    /// Every iteration: curves, pool and evaluations.
    pub iterations: Vec<IterationRow>,
    /// Seconds of wall clock by phase.
    pub phase_seconds: BTreeMap<String, f64>,
    /// Seconds of wall clock of all sessions together.
    pub wall_seconds: f64,
    /// Peak resident memory of this process in MiB; 0 where it is unknown.
    pub peak_rss_mib: f64,
}

/// The Generator's progress: means over the first and the last five updates of the run. Without updates (a
/// frozen Generator), over the candidates of the first and of the last pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GeneratorSummary {
    /// Share of proposals that could be read as a task, over the first updates.
    pub valid_rate_first: Option<f32>,
    /// The same over the last updates.
    pub valid_rate_last: Option<f32>,
    /// Mean solve rate of the probed proposals, over the first updates.
    pub solve_rate_first: Option<f32>,
    /// The same over the last updates.
    pub solve_rate_last: Option<f32>,
    /// Share of the proposals with a solve rate in `pool.keep`, over the first updates.
    pub in_band_first: Option<f32>,
    /// The same over the last updates.
    pub in_band_last: Option<f32>,
}

impl Summary {
    pub(crate) fn new(info: &RunInfo, ledger: &Ledger) -> Self {
        let last = ledger.iterations.last().map_or(&ledger.base, |row| &row.evaluations);
        let last = if last.is_empty() { &ledger.base } else { last };
        Self {
            seed: info.seed,
            preset: info.preset.clone(),
            base: by_name(&ledger.base),
            last: by_name(last),
            relative_gain: relative_gain(&ledger.base, last),
            evaluations: BTreeMap::new(),
            generator: GeneratorSummary::new(&ledger.iterations),
            base_evaluations: ledger.base.clone(),
            iterations: ledger.iterations.clone(),
            phase_seconds: ledger.seconds.clone(),
            wall_seconds: ledger.wall_seconds,
            peak_rss_mib: peak_rss_mib(),
        }
    }

    /// The same with everything that depends on the machine's speed and memory set to 0: equal for an
    /// interrupted and an uninterrupted run.
    #[must_use]
    pub fn without_times(mut self) -> Self {
        self.phase_seconds.values_mut().for_each(|seconds| *seconds = 0.0);
        self.wall_seconds = 0.0;
        self.peak_rss_mib = 0.0;
        self
    }
}

impl GeneratorSummary {
    fn new(rows: &[IterationRow]) -> Self {
        let collect = |f: fn(&IterationRow) -> Vec<f32>| rows.iter().flat_map(f).collect::<Vec<f32>>();
        let mut valid = collect(|r| r.generator.valid_rate.clone());
        let mut solve = collect(|r| r.generator.solve_rate.iter().copied().flatten().collect());
        let mut band = collect(|r| r.generator.in_band.clone());
        let mut window = WINDOW;
        if valid.is_empty() {
            window = 1;
            let pools = || rows.iter().map(|r| &r.pool).filter(|p| p.candidates > 0);
            valid = pools().map(|p| p.readable as f32 / p.candidates as f32).collect();
            solve = pools().filter(|p| p.distinct > 0).map(|p| p.solve_rate).collect();
            band = pools().map(|p| p.in_band as f32 / p.candidates as f32).collect();
        }
        let (valid_rate_first, valid_rate_last) = first_and_last(&valid, window);
        let (solve_rate_first, solve_rate_last) = first_and_last(&solve, window);
        let (in_band_first, in_band_last) = first_and_last(&band, window);
        Self {
            valid_rate_first,
            valid_rate_last,
            solve_rate_first,
            solve_rate_last,
            in_band_first,
            in_band_last,
        }
    }
}
