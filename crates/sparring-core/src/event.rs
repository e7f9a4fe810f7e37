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

/// A phase that a run has still to go through, and the work of one of its units: what a run announces at its start, so
/// that observers can tell the time left.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stage {
    /// Iteration, from 1 (0 is before the first).
    pub iteration: usize,
    /// Which phase.
    pub phase: Phase,
    /// Units of work when it ends, as [`Event::Progress`] counts them.
    pub steps: usize,
    /// Units that are done when it begins: above 0 for the rest of a phase.
    pub done: usize,
    /// What one unit takes.
    pub work: Work,
}

impl Stage {
    /// A whole phase.
    pub fn new(iteration: usize, phase: Phase, steps: usize, work: Work) -> Self {
        Self { iteration, phase, steps, done: 0, work }
    }

    /// Sets the units that are done when it begins.
    #[must_use]
    pub fn after(mut self, done: usize) -> Self {
        self.done = done;
        self
    }
}

/// An amount of sampling and learning; at most, where it is not known before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Work {
    /// Prompts that are computed for sampling.
    pub prompts: f64,
    /// Completions that are sampled.
    pub completions: f64,
    /// Tokens that are sampled.
    pub tokens: f64,
    /// Prompts that go through the learner.
    pub learned_prompts: f64,
    /// Tokens that are learned from.
    pub learned_tokens: f64,
}

impl Work {
    /// Sampling `n` completions of up to `tokens` tokens for each of `prompts` prompts.
    pub fn sampling(prompts: usize, n: usize, tokens: usize) -> Self {
        let (prompts, completions) = (prompts as f64, (prompts * n) as f64);
        Self { prompts, completions, tokens: completions * tokens as f64, ..Self::default() }
    }

    /// Learning from one completion of up to `tokens` tokens for each of `prompts` prompts.
    pub fn learning(prompts: usize, tokens: usize) -> Self {
        let learned_prompts = prompts as f64;
        Self { learned_prompts, learned_tokens: learned_prompts * tokens as f64, ..Self::default() }
    }

    /// The same, and learning from all of it in `epochs` passes.
    #[must_use]
    pub fn and_learning(mut self, epochs: usize) -> Self {
        self.learned_prompts = self.prompts * epochs as f64;
        self.learned_tokens = self.tokens * epochs as f64;
        self
    }

    /// Both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            prompts: self.prompts + other.prompts,
            completions: self.completions + other.completions,
            tokens: self.tokens + other.tokens,
            learned_prompts: self.learned_prompts + other.learned_prompts,
            learned_tokens: self.learned_tokens + other.learned_tokens,
        }
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, n: f64) -> Self {
        Self {
            prompts: self.prompts * n,
            completions: self.completions * n,
            tokens: self.tokens * n,
            learned_prompts: self.learned_prompts * n,
            learned_tokens: self.learned_tokens * n,
        }
    }
}

/// Something that happened during a run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The run starts or continues; these phases are still to come, in this order.
    Planned {
        /// The phases.
        stages: &'a [Stage],
    },
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
