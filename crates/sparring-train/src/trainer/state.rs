use crate::EvaluationScore;
use crate::store::RunInfo;
use crate::summary::{WINDOW, by_name, first_and_last, peak_rss_mib, relative_gain};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sparring_grpo::UpdateReport;
use sparring_grpo::advantage::Baselines;

/// The state of a run beside the model, as checkpoints hold it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// Updates that are done.
    pub(super) step: usize,
    /// Tasks that were drawn.
    pub(super) tasks: u64,
    /// Whether the source is exhausted.
    pub(super) exhausted: bool,
    /// Moving averages of the keyed advantages.
    pub(super) baselines: Baselines,
    /// Mean reward of each update.
    pub(super) reward: Vec<f32>,
    /// Solve rate of each update.
    pub(super) solve_rate: Vec<Option<f32>>,
    pub(super) evaluations: Vec<EvaluationRow>,
    pub(super) wall_seconds: f64,
}

/// The evaluations at one point of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvaluationRow {
    /// Updates that were done.
    pub step: usize,
    /// One score an evaluation.
    pub scores: Vec<EvaluationScore>,
}

/// The record `step` of `events.jsonl`: one update.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StepRecord {
    /// The update, from 0.
    pub step: usize,
    /// Learning rate.
    pub lr: f64,
    /// Mean reward of everything that was drawn, also of groups that dynamic sampling replaced.
    pub reward: f32,
    /// Mean of each component of the reward.
    pub components: Map<String, Value>,
    /// Share of the completions that solve their task, or mean of the solve rates of what they propose; `None` if
    /// neither is measured.
    pub solve_rate: Option<f32>,
    /// Groups that were drawn.
    pub drawn: usize,
    /// Rounds of sampling.
    pub rounds: usize,
    /// Report of the update; of no groups where every one had zero advantage.
    pub update: UpdateReport,
}

/// The outcome of a training run: `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrainSummary {
    /// Root seed.
    pub seed: u64,
    /// Name of the preset; empty where none.
    pub preset: String,
    /// Updates that were done: fewer than were asked for where the task source was exhausted.
    pub steps: usize,
    /// Before the first update: `<evaluation>_accuracy` and `<evaluation>_standard_error` for each evaluation.
    pub base: Map<String, Value>,
    /// The same after the last update.
    #[serde(rename = "final")]
    pub last: Map<String, Value>,
    /// (final − base) / base accuracy of the evaluation `heldout`, or of the first where there is none of that name;
    /// `None` where the base accuracy is 0.
    pub relative_gain: Option<f64>,
    /// Mean reward over the first five updates.
    pub reward_first: Option<f32>,
    /// Mean reward over the last five updates.
    pub reward_last: Option<f32>,
    /// Mean reward of each update.
    pub reward: Vec<f32>,
    /// Share of the completions that solve their task, of each update; `None` as in [`StepRecord`].
    pub solve_rate: Vec<Option<f32>>,
    /// Every evaluation.
    pub evaluations: Vec<EvaluationRow>,
    /// Seconds of wall clock, interruptions left out.
    pub wall_seconds: f64,
    /// Peak resident memory of this process in MiB; 0 where it is unknown.
    pub peak_rss_mib: f64,
}

impl TrainSummary {
    pub(super) fn new(info: &RunInfo, state: &State) -> Self {
        let scores = |row: Option<&EvaluationRow>| row.map(|row| row.scores.clone()).unwrap_or_default();
        let (base, last) = (scores(state.evaluations.first()), scores(state.evaluations.last()));
        let (reward_first, reward_last) = first_and_last(&state.reward, WINDOW);
        Self {
            seed: info.seed,
            preset: info.preset.clone(),
            steps: state.step,
            base: by_name(&base),
            last: by_name(&last),
            relative_gain: relative_gain(&base, &last),
            reward_first,
            reward_last,
            reward: state.reward.clone(),
            solve_rate: state.solve_rate.clone(),
            evaluations: state.evaluations.clone(),
            wall_seconds: state.wall_seconds,
            peak_rss_mib: peak_rss_mib(),
        }
    }

    /// The same with everything that depends on the machine's speed and memory set to 0: equal for an
    /// interrupted and an uninterrupted run.
    #[must_use]
    pub fn without_times(mut self) -> Self {
        self.wall_seconds = 0.0;
        self.peak_rss_mib = 0.0;
        self
    }
}
