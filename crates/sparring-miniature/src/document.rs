use crate::corrupt::corrupt;
use crate::request::{clause, request};
use crate::{Split, TaskShape, World};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sparring_core::Seed;
use sparring_tools::{ToolCall, ToolSpec, ToolTask};

/// One pretraining document, before a prompt template and tags make text of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Document {
    /// Tools without any request; held-out tools appear here and nowhere else.
    Catalogue(Vec<ToolSpec>),
    /// Requests without any tool, each with its details as an object: what is said, but not what to call.
    Requests(Vec<(String, Map<String, Value>)>),
    /// A Generator's prompt and proposal; a third of the proposals carry a wrong call.
    Proposal {
        /// What was asked for.
        shape: TaskShape,
        /// The proposal, wrong calls included.
        task: ToolTask,
        /// The text of its think block.
        think: String,
    },
    /// A Solver's prompt and answer, mostly wrong.
    Answer {
        /// The task that was posed.
        task: ToolTask,
        /// The calls of the answer.
        calls: Vec<ToolCall>,
        /// The text of its think block.
        think: String,
    },
    /// A Solver's prompt, answered in prose.
    Prose {
        /// The task that was posed.
        task: ToolTask,
        /// The answer.
        text: String,
    },
}

/// How often the world writes which document, and how noisy it is. Shares are probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct DocumentMix {
    /// Share of catalogues.
    pub catalogue: f64,
    /// Share of requests without a tool.
    pub requests: f64,
    /// Share of Solver-format documents; the rest is in Generator format.
    pub solver: f64,
    /// Share of Generator-format documents that carry a wrong call.
    pub generator_wrong: f64,
    /// Share of Solver-format documents answered in prose.
    pub solver_prose: f64,
    /// Share of Solver-format documents, among those with a call list, whose calls are wrong.
    pub solver_wrong: f64,
}

impl Default for DocumentMix {
    fn default() -> Self {
        Self {
            catalogue: 0.08,
            requests: 0.30,
            solver: 0.16,
            generator_wrong: 1.0 / 3.0,
            solver_prose: 0.35,
            solver_wrong: 0.55,
        }
    }
}

const VAGUE: &[&str] = &["let me see", "I should help", "which tool fits", "a user needs something"];
const PROSE: &[&str] = &[
    "I can help with that.",
    "Sure, done!",
    "Sorry, I cannot do that.",
    "Let me think about it.",
    "Of course.",
];

impl World {
    /// Writes the document of this seed.
    pub fn document(&self, mix: &DocumentMix, seed: Seed) -> Document {
        let mut rng = seed.child("document").rng();
        let kind: f64 = rng.random();
        if kind < mix.catalogue {
            return Document::Catalogue(self.catalogue(&mut rng));
        }
        if kind < mix.catalogue + mix.requests {
            return Document::Requests((0..3).filter_map(|_| self.plain_request(&mut rng)).collect());
        }
        let shape = draw_shape(&mut rng);
        let task = self.task(Split::Training, shape, seed.child("task"));
        if kind < mix.catalogue + mix.requests + mix.solver {
            return answer(task, mix, &mut rng);
        }
        proposal(shape, task, mix, &mut rng)
    }

    fn catalogue(&self, rng: &mut impl Rng) -> Vec<ToolSpec> {
        let tools: Vec<_> = self.all().collect();
        tools.choose_multiple(rng, 4).map(|t| t.spec().clone()).collect()
    }

    fn plain_request(&self, rng: &mut impl Rng) -> Option<(String, Map<String, Value>)> {
        let said = clause(self.training().choose(rng)?, rng);
        Some((request(std::slice::from_ref(&said), rng), said.call.arguments))
    }
}

/// One call mostly, sometimes two or none; two to four tools; one conversation in ten.
fn draw_shape(rng: &mut impl Rng) -> TaskShape {
    let calls = match rng.random_range(0..100) {
        0..12 => 0,
        12..30 => 2,
        _ => 1,
    };
    let tools = rng.random_range(2.max(calls + 1)..=4);
    let shape = TaskShape::new(tools, calls);
    if calls == 1 && rng.random_bool(0.1) { shape.as_conversation() } else { shape }
}

/// The names of the called tools, as a plan.
fn plan(calls: &[ToolCall]) -> String {
    match calls {
        [] => "none".to_owned(),
        calls => calls.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", "),
    }
}

fn proposal(shape: TaskShape, mut task: ToolTask, mix: &DocumentMix, rng: &mut impl Rng) -> Document {
    let think = if rng.random_bool(0.8) { plan(&task.calls) } else { pick(VAGUE, rng) };
    if rng.random_bool(mix.generator_wrong) {
        task.calls = corrupt(&task, rng);
    }
    Document::Proposal { shape, task, think }
}

fn answer(task: ToolTask, mix: &DocumentMix, rng: &mut impl Rng) -> Document {
    if rng.random_bool(mix.solver_prose) {
        return Document::Prose { task, text: pick(PROSE, rng) };
    }
    let calls = if rng.random_bool(mix.solver_wrong) { corrupt(&task, rng) } else { task.calls.clone() };
    let think = if rng.random_bool(0.5) { plan(&calls) } else { pick(VAGUE, rng) };
    Document::Answer { task, calls, think }
}

fn pick(texts: &[&str], rng: &mut impl Rng) -> String {
    texts.choose(rng).copied().unwrap_or_default().to_owned()
}
