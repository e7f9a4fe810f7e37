use serde::{Deserialize, Serialize};

/// The phases of a self-play iteration, in order, and the single phase of a plain training run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Held-out evaluation.
    Evaluate,
    /// The Generator trains against the frozen Solver.
    TrainGenerator,
    /// The frozen Generator writes candidates; they are verified, sorted and selected.
    BuildPool,
    /// The Solver trains on the pool.
    TrainSolver,
    /// A policy trains outside self-play.
    Train,
}

impl Phase {
    /// Returns the phase's name, for people and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::TrainGenerator => "train_generator",
            Self::BuildPool => "build_pool",
            Self::TrainSolver => "train_solver",
            Self::Train => "train",
        }
    }
}

/// Something that happened during a run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A phase started; it has `steps` units of work.
    PhaseStarted {
        /// Iteration, from 1 (0 is before the first).
        iteration: usize,
        /// Which phase.
        phase: Phase,
        /// Units of work: updates, candidates or tasks.
        steps: usize,
    },
    /// Some units of work within the phase are done.
    Progress {
        /// Units done so far.
        done: usize,
        /// One line of status.
        note: &'a str,
    },
    /// A phase ended.
    PhaseEnded {
        /// Iteration, from 1 (0 is before the first).
        iteration: usize,
        /// Which phase.
        phase: Phase,
        /// Wall-clock duration, in seconds.
        seconds: f64,
    },
    /// A machine-readable record, one JSON object: a line of `events.jsonl`.
    Record {
        /// The kind of record.
        kind: &'a str,
        /// Its fields, serialised as a JSON object.
        json: &'a str,
    },
}

/// Receives [`Event`]s as they happen. Every `FnMut(Event)` closure is an observer.
pub trait Observer {
    /// Handles one event.
    fn on(&mut self, event: Event<'_>);
}

impl<F: FnMut(Event<'_>)> Observer for F {
    fn on(&mut self, event: Event<'_>) {
        self(event);
    }
}
