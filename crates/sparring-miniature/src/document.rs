use crate::corrupt::{corrupt, first_tool};
use crate::request::{clause, request};
use crate::task::menu;
use crate::{Action, Split, TaskShape, World};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
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
    /// Tools, and requests with the calls that serve them. Everything here is right.
    Manual {
        /// One to three tools.
        tools: Vec<ToolSpec>,
        /// Each request with the calls that serve it: one, or none where no tool of these does.
        examples: Vec<(String, Vec<ToolCall>)>,
    },
    /// Requests without any tool, each with its details as an object: what is said, but not what to call.
    Requests(Vec<(String, Map<String, Value>)>),
    /// A Generator's prompt and proposal, right or wrong as the mix says.
    Proposal {
        /// What was asked for.
        shape: TaskShape,
        /// The proposal, wrong calls included.
        task: ToolTask,
        /// The text of its think block.
        think: String,
    },
    /// A Solver's prompt and answer, by default mostly wrong.
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
    /// Share of manuals: tools with examples of their use.
    pub manuals: f64,
    /// Share of a manual's requests that its tools do not serve.
    pub manuals_no_call: f64,
    /// Share of Solver-format documents; the rest is in Generator format.
    pub solver: f64,
    /// Share of Generator-format documents that carry a wrong call.
    pub generator_wrong: f64,
    /// Share of Solver-format documents answered in prose.
    pub solver_prose: f64,
    /// Share of Solver-format documents whose request no tool serves.
    pub solver_no_call: f64,
    /// Share of Solver-format documents, among those with a call list, that call the first tool of the menu,
    /// whatever was asked, without a plan.
    pub solver_first_tool: f64,
    /// Share of Solver-format documents, among those with a call list, whose calls are wrong otherwise.
    pub solver_wrong: f64,
}

impl Default for DocumentMix {
    fn default() -> Self {
        Self {
            catalogue: 0.08,
            requests: 0.12,
            manuals: 0.25,
            manuals_no_call: 0.25,
            solver: 0.15,
            generator_wrong: 1.0 / 3.0,
            solver_prose: 0.25,
            solver_no_call: 0.2,
            solver_first_tool: 0.55,
            solver_wrong: 0.15,
        }
    }
}

/// What those think who plan nothing.
const THOUGHTLESS: &str = "let me see";
const VAGUE: &[&str] = &[THOUGHTLESS, "I should help", "which tool fits", "a user needs something"];
const PROSE: &[&str] = &[
    "I can help with that.",
    "Sure, done!",
    "Sorry, I cannot do that.",
    "Let me think about it.",
    "Of course.",
];

/// What is wrong with a [`DocumentMix`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MixError {
    /// A share outside its range.
    #[error("{field} = {value}: a share must be in [0, 1]")]
    Share {
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// Shares of one whole that together exceed it.
    #[error("{fields} add up to {sum}, more than 1: lower one of them")]
    Sum {
        /// The fields.
        fields: &'static str,
        /// Their sum.
        sum: f64,
    },
}

impl DocumentMix {
    /// Checks every share.
    ///
    /// # Errors
    /// [`MixError`] names the field.
    pub fn validate(&self) -> Result<(), MixError> {
        for (field, value) in [
            ("catalogue", self.catalogue),
            ("requests", self.requests),
            ("manuals", self.manuals),
            ("manuals_no_call", self.manuals_no_call),
            ("solver", self.solver),
            ("generator_wrong", self.generator_wrong),
            ("solver_prose", self.solver_prose),
            ("solver_no_call", self.solver_no_call),
            ("solver_first_tool", self.solver_first_tool),
            ("solver_wrong", self.solver_wrong),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(MixError::Share { field, value });
            }
        }
        let kinds = self.catalogue + self.requests + self.manuals + self.solver;
        let wholes = [
            ("catalogue, requests, manuals and solver", kinds),
            ("solver_first_tool and solver_wrong", self.solver_first_tool + self.solver_wrong),
        ];
        match wholes.into_iter().find(|(_, sum)| *sum > 1.0 + 1e-9) {
            Some((fields, sum)) => Err(MixError::Sum { fields, sum }),
            None => Ok(()),
        }
    }
}

/// A yes of this probability; one outside [0, 1] counts as the nearest bound.
fn chance(share: f64, rng: &mut impl Rng) -> bool {
    rng.random_bool(if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) })
}

impl World {
    /// Writes the document of this seed. Check the mix first ([`DocumentMix::validate`]): a share outside [0, 1]
    /// counts as the nearest bound.
    pub fn document(&self, mix: &DocumentMix, seed: Seed) -> Document {
        let mut rng = seed.child("document").rng();
        let mut kind: f64 = rng.random();
        let mut is = |share: f64| {
            kind -= share;
            kind < 0.0
        };
        if is(mix.catalogue) {
            return Document::Catalogue(self.catalogue(&mut rng));
        }
        if is(mix.requests) {
            return Document::Requests((0..3).filter_map(|_| self.plain_request(&mut rng)).collect());
        }
        if is(mix.manuals) {
            return self.manual(mix.manuals_no_call, &mut rng);
        }
        let posed = is(mix.solver);
        let shape = draw_shape(if posed { mix.solver_no_call } else { 0.0 }, &mut rng);
        let task = self.task(Split::Training, shape, seed.child("task"));
        if posed { answer(task, mix, &mut rng) } else { proposal(shape, task, mix, &mut rng) }
    }

    fn catalogue(&self, rng: &mut impl Rng) -> Vec<ToolSpec> {
        let mut actions: Vec<&Action> = self.training().choose_multiple(rng, 2).collect();
        actions.extend(self.held_out().choose_multiple(rng, 2));
        actions.shuffle(rng);
        actions.into_iter().map(|action| action.tool(rng).spec).collect()
    }

    /// One to three tools, often alike, and three requests.
    fn manual(&self, no_call: f64, rng: &mut impl Rng) -> Document {
        let Some(first) = self.training().choose(rng) else { return Document::Catalogue(Vec::new()) };
        let shape = TaskShape::new(rng.random_range(1..=3), 1);
        let others: Vec<&Action> = self.training().iter().collect();
        let tools = menu(vec![first.tool(rng)], shape, &others, rng);
        let examples = (0..3)
            .filter_map(|_| {
                if chance(no_call, rng) {
                    // Near misses: the verb or the object of a tool, never both.
                    let near = |a: &&Action| tools.iter().any(|tool| tool.action.resembles(a));
                    let known = |a: &&Action| tools.iter().any(|tool| tool.action.name() == a.name());
                    let missing: Vec<&Action> =
                        others.iter().copied().filter(|a| near(a) && !known(a)).collect();
                    let said = clause(&missing.choose(rng)?.tool(rng), rng);
                    return Some((request(std::slice::from_ref(&said), rng), Vec::new()));
                }
                let said = clause(tools.choose(rng)?, rng);
                Some((request(std::slice::from_ref(&said), rng), vec![said.call]))
            })
            .collect();
        Document::Manual { tools: tools.into_iter().map(|tool| tool.spec).collect(), examples }
    }

    fn plain_request(&self, rng: &mut impl Rng) -> Option<(String, Map<String, Value>)> {
        let said = clause(&self.training().choose(rng)?.tool(rng), rng);
        Some((request(std::slice::from_ref(&said), rng), said.call.arguments))
    }
}

/// One call mostly, sometimes two or none; two to four tools; one conversation in ten.
fn draw_shape(no_call: f64, rng: &mut impl Rng) -> TaskShape {
    let calls = if chance(no_call, rng) { 0 } else { 1 + usize::from(rng.random_bool(0.2)) };
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
    // Whoever makes up a menu writes down the tools that it is about first.
    task.tools.sort_by_key(|tool| !task.calls.iter().any(|call| call.name == tool.name));
    if chance(mix.generator_wrong, rng) {
        task.calls = corrupt(&task, rng);
    }
    Document::Proposal { shape, task, think }
}

fn answer(task: ToolTask, mix: &DocumentMix, rng: &mut impl Rng) -> Document {
    if chance(mix.solver_prose, rng) {
        return Document::Prose { task, text: pick(PROSE, rng) };
    }
    let kind: f64 = rng.random();
    if kind < mix.solver_first_tool {
        let calls = first_tool(&task, rng);
        return Document::Answer { task, calls, think: THOUGHTLESS.to_owned() };
    }
    let wrong = kind < mix.solver_first_tool + mix.solver_wrong;
    let calls = if wrong { corrupt(&task, rng) } else { task.calls.clone() };
    let think = plan(&calls);
    Document::Answer { task, calls, think }
}

fn pick(texts: &[&str], rng: &mut impl Rng) -> String {
    texts.choose(rng).copied().unwrap_or_default().to_owned()
}
