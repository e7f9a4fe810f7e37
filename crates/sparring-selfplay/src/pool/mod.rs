//! The task pool: candidates are read, deduplicated, verified, sorted by difficulty, and selected.

mod build;
mod config;
mod likelihood;
mod order;
mod select;

pub use config::{Agreement, Keep, Mix, PoolConfig};
pub use order::{order_tasks, training_slots};
pub use select::{apportion, equal_quotas, select_balanced};

pub(crate) use build::{BuildPool, INVALID_PROMPT, build_pool};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How hard a task is for the Solver that verified it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// Solve rate from `mix.easy_from`.
    Easy,
    /// Solve rate between the two.
    Medium,
    /// Solve rate below `mix.hard_below`.
    Hard,
}

impl Bucket {
    /// Every bucket, from easy to hard.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Medium, Self::Hard];

    /// The bucket of a solve rate.
    pub fn of(rate: f32, mix: &Mix) -> Self {
        if rate >= mix.easy_from {
            Self::Easy
        } else if rate < mix.hard_below {
            Self::Hard
        } else {
            Self::Medium
        }
    }

    /// `easy`, `medium` or `hard`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }
}

/// Where a task of the pool comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// The Generator proposed it in this iteration.
    Proposed,
    /// It follows from a proposed task ([`Game::derive`](sparring_core::Game::derive)).
    Derived,
    /// It was proposed for an earlier iteration's pool.
    Replayed,
    /// It comes from a source of your own ([`SelfPlay::with_tasks`](crate::SelfPlay::with_tasks)).
    Own,
}

impl Origin {
    /// `proposed`, `derived`, `replayed` or `own`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Derived => "derived",
            Self::Replayed => "replayed",
            Self::Own => "own",
        }
    }
}

/// A task of the pool with its statistics: one line of `tasks/iteration-N.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoolTask<T> {
    /// Iteration that made it, from 1.
    pub iteration: usize,
    /// Where it comes from.
    pub origin: Origin,
    /// Share of the verifying samples that solved it, in [0, 1]: pass@1 estimated from N samples.
    pub solve_rate: f32,
    /// Share of the verifying samples that agree ([`Agreement`]), in [0, 1].
    pub agreement: f32,
    /// Its difficulty.
    pub bucket: Bucket,
    /// Its stratum ([`Game::stratum`](sparring_core::Game::stratum)).
    pub stratum: String,
    /// Its number among the candidates; of an own task, its number in its source.
    pub candidate: usize,
    /// The task.
    pub task: T,
}

/// The number of candidates after each stage of the pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PoolYield {
    /// Proposals that the Generator wrote.
    pub candidates: usize,
    /// Those that could be read as a task.
    pub readable: usize,
    /// Those that equal no other candidate, and no task of an earlier pool.
    pub distinct: usize,
    /// Those with an agreement of at least `pool.min_agreement`.
    pub verified: usize,
    /// Those whose solve rate lies in `pool.keep`.
    pub in_band: usize,
    /// New tasks that were selected.
    pub proposed: usize,
    /// Derived tasks that were added.
    pub derived: usize,
    /// Tasks proposed for earlier iterations that were added.
    pub replayed: usize,
    /// Tasks from a source of your own that were added.
    pub own: usize,
    /// The size of the pool.
    pub selected: usize,
    /// Rejected proposals by rule; own tasks with an invalid prompt too.
    pub rejected: BTreeMap<String, usize>,
    /// Mean solve rate of the candidates that were attempted: the distinct ones that are likely enough.
    pub solve_rate: f32,
    /// The pool by difficulty.
    pub buckets: BTreeMap<String, usize>,
    /// The pool by stratum.
    pub strata: BTreeMap<String, usize>,
    /// The attempted candidates by number of verifying samples that solved them: the difficulty histogram.
    pub histogram: Vec<usize>,
}
