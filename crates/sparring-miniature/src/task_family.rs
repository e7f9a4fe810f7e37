use crate::request::Phrasing;
use crate::task::Scope;
use crate::{Action, TaskShape, World};
use rand::Rng;
use sparring_core::Seed;
use sparring_tools::ToolTask;

/// The seed of the families. Their tasks do not depend on a run's seed.
const FAMILY_SEED: Seed = Seed::new(0x00FA_3117);
/// Share of tasks whose request no offered tool serves.
const NO_CALL_SHARE: f64 = 0.1;
/// Share of tasks with two calls.
const TWO_CALL_SHARE: f64 = 0.25;
/// Number of offered tools per task.
const TOOLS: usize = 4;

/// Two sets of tasks with different tools and wording, as two published data sets would have. Train on one, then test
/// on its held-out tasks and on the other's.
///
/// | family | domains | wording |
/// |---|---|---|
/// | [`Errands`](Self::Errands) | travel, food, work, home | as in every document of the base |
/// | [`Leisure`](Self::Leisure) | fun, health, news, shop | other phrasings; half of the requests name the details first |
///
/// A tenth of the tasks need no call, a quarter two, the rest one. Four tools are offered.
///
/// ```
/// use sparring_miniature::{TaskFamily, Part, World};
/// let tasks = TaskFamily::Errands.tasks(&World::new(), Part::Test, 3);
/// assert_eq!(tasks.len(), 3);
/// assert!(tasks.iter().all(|task| task.tools.len() == 4));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskFamily {
    /// Travel, food, work and home.
    Errands,
    /// Fun, health, news and shopping.
    Leisure,
}

/// The purpose of a part of a family's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Training: training tools.
    Train,
    /// Choosing settings: training tools, other requests and tool lists.
    Validation,
    /// Reporting: the family's held-out tools, which no document showed in use, with any others of the family as
    /// distractors.
    Test,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl TaskFamily {
    /// Both families.
    pub const ALL: [Self; 2] = [Self::Errands, Self::Leisure];

    /// `errands` or `leisure`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Errands => "errands",
            Self::Leisure => "leisure",
        }
    }

    /// The other family.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Errands => Self::Leisure,
            Self::Leisure => Self::Errands,
        }
    }

    /// The domains of its tools.
    pub const fn domains(self) -> [&'static str; 4] {
        match self {
            Self::Errands => ["travel", "food", "work", "home"],
            Self::Leisure => ["fun", "health", "news", "shop"],
        }
    }

    /// The first `n` tasks of a part, the same on every machine.
    pub fn tasks(self, world: &World, part: Part, n: usize) -> Vec<ToolTask> {
        let seed = FAMILY_SEED.child(self.name()).child(part.name());
        let mine = |action: &&Action| self.domains().contains(&action.domain());
        let training: Vec<&Action> = world.training().iter().filter(mine).collect();
        let held_out: Vec<&Action> = world.held_out().iter().filter(mine).collect();
        let all: Vec<&Action> = training.iter().chain(&held_out).copied().collect();
        let (subjects, others) = if part == Part::Test { (&held_out, &all) } else { (&training, &training) };
        let phrasing = if self == Self::Errands { Phrasing::Usual } else { Phrasing::Other };
        let scope = Scope { subjects, others, phrasing };
        (0..n as u64).map(|i| scope.pose(shape(seed.index(i)), seed.index(i)).task).collect()
    }
}

fn shape(seed: Seed) -> TaskShape {
    let kind: f64 = seed.child("shape").rng().random();
    let calls = if kind < NO_CALL_SHARE { 0 } else { 1 + usize::from(kind < NO_CALL_SHARE + TWO_CALL_SHARE) };
    TaskShape::new(TOOLS, calls)
}
