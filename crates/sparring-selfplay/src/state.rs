use crate::{PoolTask, PoolYield};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sparring_core::Phase;
use sparring_train::EvaluationScore;
use std::collections::{BTreeMap, BTreeSet};

/// The next thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// From 1; 0 is the evaluation before the first.
    pub(crate) iteration: usize,
    pub(crate) phase: Phase,
    /// Updates of the phase that are done.
    pub(crate) step: usize,
}

impl Cursor {
    /// The evaluation of the untrained models.
    pub(crate) const START: Self = Self { iteration: 0, phase: Phase::Evaluate, step: 0 };

    /// The phase after this one.
    pub(crate) fn next(self) -> Self {
        let (iteration, phase) = match self.phase {
            Phase::TrainGenerator => (self.iteration, Phase::BuildPool),
            Phase::BuildPool => (self.iteration, Phase::TrainSolver),
            Phase::TrainSolver => (self.iteration, Phase::Evaluate),
            _ => (self.iteration + 1, Phase::TrainGenerator),
        };
        Self { iteration, phase, step: 0 }
    }
}

/// The state of a run beside the models, as checkpoints hold it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: serde::de::DeserializeOwned"))]
pub(crate) struct State<T> {
    pub(crate) cursor: Cursor,
    /// The pool, in training order.
    pub(crate) pool: Vec<PoolTask<T>>,
    /// Proposed tasks of earlier pools, for replay.
    pub(crate) history: Vec<PoolTask<T>>,
    /// Signatures of every task that was in a pool.
    pub(crate) seen: BTreeSet<String>,
    /// Number of the next own task.
    #[serde(default)]
    pub(crate) own_next: u64,
    pub(crate) ledger: Ledger,
}

impl<T> State<T> {
    pub(crate) fn new() -> Self {
        Self {
            cursor: Cursor::START,
            pool: Vec::new(),
            history: Vec::new(),
            seen: BTreeSet::new(),
            own_next: 0,
            ledger: Ledger::default(),
        }
    }
}

/// The data of the summary.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    pub(crate) base: Vec<EvaluationScore>,
    /// Scores of each benchmark: of the base, then of each iteration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) benchmarks: BTreeMap<String, Vec<Value>>,
    pub(crate) iterations: Vec<IterationRow>,
    /// Seconds by phase.
    pub(crate) seconds: BTreeMap<String, f64>,
    /// Seconds of the current phase so far, earlier sessions included.
    pub(crate) phase_seconds: f64,
    pub(crate) wall_seconds: f64,
}

impl Ledger {
    /// The row of `iteration`, from 1; added where it is missing.
    pub(crate) fn row(&mut self, iteration: usize) -> &mut IterationRow {
        let wanted = iteration.max(1);
        while self.iterations.len() < wanted {
            let iteration = self.iterations.len() + 1;
            self.iterations.push(IterationRow { iteration, ..IterationRow::default() });
        }
        &mut self.iterations[wanted - 1]
    }
}

/// One iteration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IterationRow {
    /// From 1.
    pub iteration: usize,
    /// The Generator's updates.
    pub generator: GeneratorCurve,
    /// The pool.
    pub pool: PoolYield,
    /// The Solver's updates.
    pub solver: SolverCurve,
    /// The evaluations after the iteration.
    pub evaluations: Vec<EvaluationScore>,
}

/// The Generator's training, one entry an update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GeneratorCurve {
    /// Mean reward.
    pub reward: Vec<f32>,
    /// Share of the proposals that could be read as a task, in [0, 1].
    pub valid_rate: Vec<f32>,
    /// Mean solve rate of the probed proposals, in [0, 1]; `None` where none was probed.
    pub solve_rate: Vec<Option<f32>>,
    /// Share of all proposals whose solve rate lies in `pool.keep`, in [0, 1].
    pub in_band: Vec<f32>,
}

/// The Solver's training, one entry an update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SolverCurve {
    /// Mean reward.
    pub reward: Vec<f32>,
    /// Share of the answers that solve their task, in [0, 1].
    pub solve_rate: Vec<f32>,
}
