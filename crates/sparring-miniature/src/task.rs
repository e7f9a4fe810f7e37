use crate::request::{Clause, clause, conversation, request};
use crate::world::{Tool, World};
use rand::Rng;
use rand::seq::{IndexedRandom, IteratorRandom, SliceRandom};
use sparring_core::Seed;
use sparring_tools::ToolTask;

/// Share of distractors that are chosen among the tools that share a verb or an object with the right one.
const NEAR_SHARE: f64 = 0.6;

/// What a task of the world should be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskShape {
    /// Tools on the menu: at least the number of calls, and at least 1.
    pub tools: usize,
    /// Calls: 0 (no tool of the menu can serve the request), 1 or 2.
    pub calls: usize,
    /// Whether the request is a short conversation (one call only).
    pub multi_turn: bool,
}

impl TaskShape {
    /// A single-turn shape.
    pub const fn new(tools: usize, calls: usize) -> Self {
        Self { tools, calls, multi_turn: false }
    }

    /// The same as a conversation.
    #[must_use]
    pub const fn as_conversation(mut self) -> Self {
        self.multi_turn = true;
        self
    }
}

/// Which tools the requests of a task are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Split {
    /// Training tools, beside training tools.
    Training,
    /// Held-out tools, beside any others.
    HeldOut,
}

impl World {
    /// Draws a task of this shape: request, menu and gold calls.
    ///
    /// ```
    /// use sparring_core::Seed;
    /// use sparring_miniature::{Split, TaskShape, World};
    /// let task = World::new().task(Split::HeldOut, TaskShape::new(4, 1), Seed::new(1));
    /// assert_eq!((task.tools.len(), task.calls.len()), (4, 1));
    /// ```
    pub fn task(&self, split: Split, shape: TaskShape, seed: Seed) -> ToolTask {
        let mut rng = seed.rng();
        let subjects = match split {
            Split::Training => self.training(),
            Split::HeldOut => self.held_out(),
        };
        let first = choose(subjects, &mut rng);
        let others: Vec<&Tool> = match split {
            Split::Training => self.training().iter().collect(),
            Split::HeldOut => self.all().collect(),
        };
        let mut asked = vec![first];
        while asked.len() < shape.calls {
            let second = if rng.random_bool(0.5) {
                choose(subjects, &mut rng)
            } else {
                companion(subjects, first, &mut rng)
            };
            if second.spec().name != first.spec().name {
                asked.push(second);
            }
        }
        let clauses: Vec<Clause> = asked.iter().map(|tool| clause(tool, &mut rng)).collect();
        let served: &[&Tool] = if shape.calls == 0 { &[] } else { &asked };
        let menu = menu(served, &asked, &others, shape.tools, &mut rng);
        ToolTask {
            question: match clauses.as_slice() {
                [one] if shape.multi_turn && !one.details.is_empty() => conversation(one, &mut rng),
                _ => request(&clauses, &mut rng),
            },
            tools: menu.iter().map(|tool| tool.spec().clone()).collect(),
            calls: clauses.into_iter().take(shape.calls).map(|c| c.call).collect(),
            domain: first.domain().to_owned(),
        }
    }
}

fn choose<'a>(tools: &'a [Tool], rng: &mut impl Rng) -> &'a Tool {
    let i = rng.random_range(0..tools.len());
    &tools[i]
}

/// A second tool for a two-call request: preferably of the same domain.
fn companion<'a>(tools: &'a [Tool], first: &Tool, rng: &mut impl Rng) -> &'a Tool {
    let same = tools.iter().filter(|t| t.domain() == first.domain()).choose(rng);
    same.unwrap_or_else(|| choose(tools, rng))
}

/// The served tools and distractors, shuffled. Of the tools asked for, only the served ones appear.
fn menu<'a>(
    served: &[&'a Tool],
    asked: &[&'a Tool],
    pool: &[&'a Tool],
    size: usize,
    rng: &mut impl Rng,
) -> Vec<&'a Tool> {
    let same = |a: &Tool, b: &Tool| a.spec().name == b.spec().name;
    let mut menu: Vec<&Tool> = Vec::new();
    for &tool in served {
        if !menu.iter().any(|t| same(t, tool)) {
            menu.push(tool);
        }
    }
    while menu.len() < size.max(1) {
        let free: Vec<&Tool> =
            pool.iter().copied().filter(|t| !asked.iter().chain(&menu).any(|u| same(t, u))).collect();
        let near: Vec<&Tool> =
            free.iter().copied().filter(|t| asked.iter().any(|a| a.resembles(t))).collect();
        let from = if !near.is_empty() && rng.random_bool(NEAR_SHARE) { &near } else { &free };
        match from.choose(rng) {
            Some(tool) => menu.push(tool),
            None => break,
        }
    }
    menu.shuffle(rng);
    menu
}
