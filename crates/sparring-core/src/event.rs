use serde::{Deserialize, Serialize};

/// The phases of an iteration of self-play, in order, and the one of a plain training run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Held-out evaluation.
    Evaluate,
    /// The Generator learns against the frozen Solver.
    TrainGenerator,
    /// The frozen Generator writes candidates; the pool verifies, sorts and selects.
    BuildPool,
    /// The Solver learns on the pool.
    TrainSolver,
    /// A policy learns outside self-play.
    Train,
}

impl Phase {
    /// A name for people and files.
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

/// Something that happened in a run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A phase begins; it has `steps` units of work.
    PhaseStarted {
        /// Iteration, from 1 (0 is before the first).
        iteration: usize,
        /// Which phase.
        phase: Phase,
        /// Units of work: updates, candidates or tasks.
        steps: usize,
    },
    /// Units of work done within the phase.
    Progress {
        /// Units done so far.
        done: usize,
        /// One line that says how it goes.
        note: &'a str,
    },
    /// A phase ended.
    PhaseEnded {
        /// Iteration, from 1 (0 is before the first).
        iteration: usize,
        /// Which phase.
        phase: Phase,
        /// How long it took, in seconds of wall clock.
        seconds: f64,
    },
    /// A record for machines, as one JSON object: what `events.jsonl` holds.
    Record {
        /// The kind of record.
        kind: &'a str,
        /// Its fields, serialised as a JSON object.
        json: &'a str,
    },
}

/// Is told of [`Event`]s as they happen. Closures `FnMut(Event)` are observers.
pub trait Observer {
    /// Takes note of one event.
    fn on(&mut self, event: Event<'_>);
}

impl<F: FnMut(Event<'_>)> Observer for F {
    fn on(&mut self, event: Event<'_>) {
        self(event);
    }
}
