use crate::request::{Clause, Phrasing, clause, conversation, request};
use crate::world::{Action, Tool, World};
use rand::Rng;
use rand::seq::{IndexedRandom, IteratorRandom, SliceRandom};
use sparring_core::Seed;
use sparring_tools::ToolTask;

/// Share of distractors that share a verb or an object with the right tool.
const NEAR_SHARE: f64 = 0.6;

/// The shape of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskShape {
    /// Number of offered tools, at least the number of calls and at least 1.
    pub tools: usize,
    /// Number of calls: 0 (no offered tool serves the request), 1 or 2.
    pub calls: usize,
    /// Whether the request is a short conversation (one call only).
    pub multi_turn: bool,
}

impl TaskShape {
    /// A single-turn shape.
    pub const fn new(tools: usize, calls: usize) -> Self {
        Self { tools, calls, multi_turn: false }
    }

    /// The same shape as a conversation.
    #[must_use]
    pub const fn as_conversation(mut self) -> Self {
        self.multi_turn = true;
        self
    }
}

/// Which actions the requests of a task are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Split {
    /// Training actions, with training actions as distractors.
    Training,
    /// Held-out actions, with any actions as distractors.
    HeldOut,
}

/// A task, with verb and object of each thing that it requests.
pub(crate) struct Posing {
    pub(crate) task: ToolTask,
    pub(crate) wanted: Vec<String>,
}

impl World {
    /// Draws a task of this shape: request, tool list and gold calls.
    ///
    /// ```
    /// use sparring_core::Seed;
    /// use sparring_miniature::{Split, TaskShape, World};
    /// let task = World::new().task(Split::HeldOut, TaskShape::new(4, 1), Seed::new(1));
    /// assert_eq!((task.tools.len(), task.calls.len()), (4, 1));
    /// ```
    pub fn task(&self, split: Split, shape: TaskShape, seed: Seed) -> ToolTask {
        self.pose(split, shape, seed).task
    }

    /// The same, with the meaning of the request.
    pub(crate) fn pose(&self, split: Split, shape: TaskShape, seed: Seed) -> Posing {
        let all: Vec<&Action> = self.all().collect();
        let training = &all[..self.training().len()];
        let held_out = &all[self.training().len()..];
        match split {
            Split::Training => Scope { subjects: training, others: training, phrasing: Phrasing::Usual },
            Split::HeldOut => Scope { subjects: held_out, others: &all, phrasing: Phrasing::Usual },
        }
        .pose(shape, seed)
    }
}

/// The actions and the wording of a set of tasks.
pub(crate) struct Scope<'a> {
    /// Actions of the requests.
    pub(crate) subjects: &'a [&'a Action],
    /// Actions of the distractors.
    pub(crate) others: &'a [&'a Action],
    pub(crate) phrasing: Phrasing,
}

impl Scope<'_> {
    /// Draws a task of this shape.
    pub(crate) fn pose(&self, shape: TaskShape, seed: Seed) -> Posing {
        let mut rng = seed.rng();
        let (subjects, others) = (self.subjects, self.others);
        let first = choose(subjects, &mut rng);
        let mut asked = vec![first.tool(&mut rng)];
        while asked.len() < shape.calls {
            let second = if rng.random_bool(0.5) {
                choose(subjects, &mut rng)
            } else {
                companion(subjects, first, &mut rng)
            };
            if second.name() != first.name() {
                asked.push(second.tool(&mut rng));
            }
        }
        let clauses: Vec<Clause> = asked.iter().map(|tool| clause(tool, &mut rng)).collect();
        let question = match clauses.as_slice() {
            [one] if shape.multi_turn && !one.details.is_empty() => conversation(one, &mut rng),
            _ => request(&clauses, self.phrasing, &mut rng),
        };
        let calls = clauses.into_iter().take(shape.calls).map(|c| c.call).collect();
        let domain = first.domain().to_owned();
        let wanted = asked.iter().map(|tool| crate::document::wanted(tool.action.name())).collect();
        let tools = tool_list(asked, shape, others, &mut rng);
        let tools = tools.into_iter().map(|tool| tool.spec).collect();
        Posing { task: ToolTask { question, tools, calls, domain }, wanted }
    }
}

fn choose<'a>(actions: &[&'a Action], rng: &mut impl Rng) -> &'a Action {
    let i = rng.random_range(0..actions.len());
    actions[i]
}

/// A second action for a two-call request: preferably of the same domain.
fn companion<'a>(actions: &[&'a Action], first: &Action, rng: &mut impl Rng) -> &'a Action {
    let same = actions.iter().copied().filter(|a| a.domain() == first.domain()).choose(rng);
    same.unwrap_or_else(|| choose(actions, rng))
}

/// The requested tools (unless no call is wanted) and distractors, shuffled, each of another action.
pub(crate) fn tool_list(
    asked: Vec<Tool>,
    shape: TaskShape,
    pool: &[&Action],
    rng: &mut impl Rng,
) -> Vec<Tool> {
    let wanted: Vec<Action> = asked.iter().map(|tool| tool.action.clone()).collect();
    let mut free: Vec<&Action> =
        pool.iter().copied().filter(|a| !wanted.iter().any(|w| w.name() == a.name())).collect();
    let mut tool_list = if shape.calls == 0 { Vec::new() } else { asked };
    while tool_list.len() < shape.tools.max(1) && !free.is_empty() {
        let near: Vec<usize> =
            (0..free.len()).filter(|&i| wanted.iter().any(|w| w.resembles(free[i]))).collect();
        let i = match near.choose(rng) {
            Some(&i) if rng.random_bool(NEAR_SHARE) => i,
            _ => rng.random_range(0..free.len()),
        };
        tool_list.push(free.swap_remove(i).tool(rng));
    }
    tool_list.shuffle(rng);
    tool_list
}
