use crate::{Split, TaskShape, World};
use rand::Rng;
use sparring_core::Seed;
use sparring_tools::ToolTask;

/// The seed of the test sets. Their tasks do not depend on a run's seed.
const TEST_SEED: Seed = Seed::new(0xE4A3);
/// Share of two-call tasks among tasks with calls, as in Tool-R0's specifications.
const TWO_CALL_SHARE: f64 = 0.18;

/// Number of offered tools per task.
const TOOLS: usize = 4;

/// A fixed test set, written by the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TestSet {
    /// 600 tasks with held-out tools and one or two calls.
    HeldOut,
    /// 300 tasks with training tools and requests drawn for this set alone.
    Familiar,
    /// 300 tasks whose request no offered tool serves; the requested tools are held-out ones.
    NoCall,
}

impl TestSet {
    /// Every set.
    pub const ALL: [Self; 3] = [Self::HeldOut, Self::Familiar, Self::NoCall];

    /// `heldout`, `familiar` or `no_call`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeldOut => "heldout",
            Self::Familiar => "familiar",
            Self::NoCall => "no_call",
        }
    }

    /// Number of tasks.
    pub const fn size(self) -> usize {
        match self {
            Self::HeldOut => 600,
            Self::Familiar | Self::NoCall => 300,
        }
    }

    /// The tasks, the same on every machine.
    pub fn tasks(self, world: &World) -> Vec<ToolTask> {
        let seed = TEST_SEED.child(self.name());
        let split = if self == Self::Familiar { Split::Training } else { Split::HeldOut };
        (0..self.size() as u64)
            .map(|i| {
                let mut rng = seed.index(i).child("shape").rng();
                let calls = match self {
                    Self::NoCall => 0,
                    _ if rng.random_bool(TWO_CALL_SHARE) => 2,
                    _ => 1,
                };
                world.task(split, TaskShape::new(TOOLS, calls), seed.index(i))
            })
            .collect()
    }
}
