use crate::corrupt::{corrupt, first_tool};
use crate::request::{Clause, Phrasing, clause, request};
use crate::task::{Posing, tool_list};
use crate::world::Tool;
use crate::{Action, Split, TaskShape, World};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sparring_core::Seed;
use sparring_tools::{ToolCall, ToolSpec, ToolTask};
use std::fmt;

/// One pretraining document, before a prompt template and tags turn it into text.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Document {
    /// Tools without a request. Held-out tools appear only here.
    Catalogue(Vec<ToolSpec>),
    /// Tools and their purposes. Everything here is right.
    Index {
        /// Two to four tools.
        tools: Vec<ToolSpec>,
        /// Requests without details, such as `reserve a hotel room and call off a cab`, and their meanings.
        entries: Vec<(String, Vec<Intent>)>,
    },
    /// Tools, and requests with their calls. Everything here is right.
    Manual {
        /// One to four tools.
        tools: Vec<ToolSpec>,
        /// Requests, their meanings, and the calls that serve them: one or two, or none if no listed tool does.
        examples: Vec<(String, Vec<Intent>, Vec<ToolCall>)>,
    },
    /// Requests without tools, each with its details as an object: the values, but not which tool to call.
    Requests(Vec<(String, Map<String, Value>)>),
    /// A Generator's prompt and proposal; the mix decides how often it is wrong.
    Proposal {
        /// The requested shape.
        shape: TaskShape,
        /// Number of arguments of all right calls, also part of the prompt.
        arguments: usize,
        /// The proposal, wrong calls included.
        task: ToolTask,
        /// The text of its think block.
        think: String,
    },
    /// A Solver's prompt and answer, by default mostly wrong.
    Answer {
        /// The task.
        task: ToolTask,
        /// The calls of the answer.
        calls: Vec<ToolCall>,
        /// The text of its think block.
        think: String,
    },
    /// A Solver's prompt, answered in prose.
    Prose {
        /// The task.
        task: ToolTask,
        /// The answer.
        text: String,
    },
}

/// How often each kind of document is written, and how noisy it is. Shares are probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct DocumentMix {
    /// Share of catalogues.
    pub catalogue: f64,
    /// Share of requests without a tool.
    pub requests: f64,
    /// Share of indexes: tools with their purposes.
    pub index: f64,
    /// Share of manuals: tools with examples of their use.
    pub manuals: f64,
    /// Share of the requests in manuals and indexes that no listed tool serves.
    pub pages_no_call: f64,
    /// Share of the requests in manuals and indexes that need two tools, if the page has two.
    pub pages_two_calls: f64,
    /// Share of Solver-format documents; the rest is in Generator format.
    pub solver: f64,
    /// Share of Generator-format documents that carry a wrong call.
    pub generator_wrong: f64,
    /// Share of Solver-format documents answered in prose.
    pub solver_prose: f64,
    /// Share of Solver-format documents whose request no tool serves.
    pub solver_no_call: f64,
    /// Share of Solver-format documents, among those with a call list, that call the first offered tool without a plan,
    /// whatever the request.
    pub solver_first_tool: f64,
    /// Share of Solver-format documents, among those with a call list, whose calls are wrong otherwise.
    pub solver_wrong: f64,
}

impl Default for DocumentMix {
    fn default() -> Self {
        Self {
            catalogue: 0.05,
            requests: 0.07,
            index: 0.1,
            manuals: 0.25,
            pages_no_call: 0.3,
            pages_two_calls: 0.2,
            solver: 0.15,
            generator_wrong: 1.0 / 3.0,
            solver_prose: 0.2,
            solver_no_call: 0.2,
            solver_first_tool: 0.6,
            solver_wrong: 0.05,
        }
    }
}

/// Share of two-call tasks among the tasks with calls, in the documents of both players.
const TWO_CALL_SHARE: f64 = 0.3;
/// Thoughts without a plan.
const THOUGHTLESS: &str = "let me see";
const VAGUE: &[&str] = &[THOUGHTLESS, "I should help", "which tool fits", "a user needs something"];
const PROSE: &[&str] = &[
    "I can help with that.",
    "Sure, done!",
    "Sorry, I cannot do that.",
    "Let me think about it.",
    "Of course.",
];

/// An error in a [`DocumentMix`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MixError {
    /// A share is outside its range.
    #[error("{field} = {value}: a share must be in [0, 1]")]
    Share {
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// Shares of one whole add up to more than 1.
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
            ("index", self.index),
            ("manuals", self.manuals),
            ("pages_no_call", self.pages_no_call),
            ("pages_two_calls", self.pages_two_calls),
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
        let kinds = self.catalogue + self.requests + self.index + self.manuals + self.solver;
        let wholes = [
            ("catalogue, requests, index, manuals and solver", kinds),
            ("pages_no_call and pages_two_calls", self.pages_no_call + self.pages_two_calls),
            ("solver_first_tool and solver_wrong", self.solver_first_tool + self.solver_wrong),
        ];
        match wholes.into_iter().find(|(_, sum)| *sum > 1.0 + 1e-9) {
            Some((fields, sum)) => Err(MixError::Sum { fields, sum }),
            None => Ok(()),
        }
    }
}

/// `true` with this probability. A probability outside [0, 1] counts as the nearest bound.
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
        if is(mix.index) {
            return self.index(mix, &mut rng);
        }
        if is(mix.manuals) {
            return self.manual(mix, &mut rng);
        }
        let posed = is(mix.solver);
        let shape = draw_shape(if posed { mix.solver_no_call } else { 0.0 }, &mut rng);
        let posing = self.pose(Split::Training, shape, seed.child("task"));
        if posed { answer(posing, mix, &mut rng) } else { proposal(shape, posing, mix, &mut rng) }
    }

    fn catalogue(&self, rng: &mut impl Rng) -> Vec<ToolSpec> {
        let mut actions: Vec<&Action> = self.training().choose_multiple(rng, 2).collect();
        actions.extend(self.held_out().choose_multiple(rng, 2));
        actions.shuffle(rng);
        actions.into_iter().map(|action| action.tool(rng).spec).collect()
    }

    /// Two to four tools and eight requests.
    fn index(&self, mix: &DocumentMix, rng: &mut impl Rng) -> Document {
        let tools = self.page(2, rng);
        let entries = (0..8)
            .filter_map(|_| {
                let wishes = self.wish(&tools, mix, rng)?;
                let said: Vec<&str> = wishes.iter().map(|clause| clause.head.as_str()).collect();
                Some((said.join(" and "), intents(&tools, &wishes)))
            })
            .collect();
        Document::Index { tools: specs(tools), entries }
    }

    /// One to four tools and four requests.
    fn manual(&self, mix: &DocumentMix, rng: &mut impl Rng) -> Document {
        let tools = self.page(1, rng);
        let examples = (0..4)
            .filter_map(|_| {
                let wishes = self.wish(&tools, mix, rng)?;
                let said = request(&wishes, Phrasing::Usual, rng);
                let intents = intents(&tools, &wishes);
                let served = wishes.into_iter().zip(&intents).filter(|(_, intent)| intent.tool.is_some());
                Some((said, intents.clone(), served.map(|(clause, _)| clause.call).collect()))
            })
            .collect();
        Document::Manual { tools: specs(tools), examples }
    }

    /// Up to four tools, often similar.
    fn page(&self, fewest: usize, rng: &mut impl Rng) -> Vec<Tool> {
        let shape = TaskShape::new(rng.random_range(fewest..=4), 1);
        let others: Vec<&Action> = self.training().iter().collect();
        match self.training().choose(rng) {
            Some(first) => tool_list(vec![first.tool(rng)], shape, &others, rng),
            None => Vec::new(),
        }
    }

    /// What a user of these tools might want.
    fn wish(&self, tools: &[Tool], mix: &DocumentMix, rng: &mut impl Rng) -> Option<Vec<Clause>> {
        let kind: f64 = rng.random();
        if kind < mix.pages_no_call {
            // Near misses: the verb or the object of a tool, never both.
            let near = |a: &&Action| tools.iter().any(|tool| tool.action.resembles(a));
            let known = |a: &&Action| tools.iter().any(|tool| tool.action.name() == a.name());
            let missing: Vec<&Action> = self.training().iter().filter(|a| near(a) && !known(a)).collect();
            let wished = missing.choose(rng)?.tool(rng);
            return Some(vec![clause(&wished, rng)]);
        }
        let wanted = if kind < mix.pages_no_call + mix.pages_two_calls { 2 } else { 1 };
        let mut wishes: Vec<Clause> =
            tools.choose_multiple(rng, wanted).map(|tool| clause(tool, rng)).collect();
        wishes.shuffle(rng);
        Some(wishes)
    }

    fn plain_request(&self, rng: &mut impl Rng) -> Option<(String, Map<String, Value>)> {
        let said = clause(&self.training().choose(rng)?.tool(rng), rng);
        Some((request(std::slice::from_ref(&said), Phrasing::Usual, rng), said.call.arguments))
    }
}

fn specs(tools: Vec<Tool>) -> Vec<ToolSpec> {
    tools.into_iter().map(|tool| tool.spec).collect()
}

/// Usually one call, sometimes two or none; two to four tools; one conversation in ten.
fn draw_shape(no_call: f64, rng: &mut impl Rng) -> TaskShape {
    let calls = if chance(no_call, rng) { 0 } else { 1 + usize::from(rng.random_bool(TWO_CALL_SHARE)) };
    let tools = rng.random_range(2.max(calls + 1)..=4);
    let shape = TaskShape::new(tools, calls);
    if calls == 1 && rng.random_bool(0.1) { shape.as_conversation() } else { shape }
}

/// The meaning of part of a request: the plain name of what is wanted, and the tool that serves it.
///
/// ```
/// use sparring_miniature::Intent;
/// let served = Intent { wanted: "book hotel".into(), tool: Some("book_hotel".into()) };
/// let missing = Intent { wanted: "cancel taxi".into(), tool: None };
/// assert_eq!(format!("{served}, {missing}"), "book hotel: book_hotel, cancel taxi: none");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Verb and object by their plain names.
    pub wanted: String,
    /// The offered tool that serves it, if any.
    pub tool: Option<String>,
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.wanted, self.tool.as_deref().unwrap_or("none"))
    }
}

/// Intents in sequence, as written in documents.
pub fn plan(intents: &[Intent]) -> String {
    intents.iter().map(Intent::to_string).collect::<Vec<_>>().join(", ")
}

fn intents(tools: &[Tool], wishes: &[Clause]) -> Vec<Intent> {
    let tool = |name: &str| tools.iter().any(|tool| tool.spec.name == name).then(|| name.to_owned());
    wishes.iter().map(|c| Intent { wanted: wanted(&c.call.name), tool: tool(&c.call.name) }).collect()
}

/// Verb and object of an action of this name: `book hotel`.
pub(crate) fn wanted(action: &str) -> String {
    action.replace('_', " ")
}

/// The plan for these calls: first one for each thing wanted, if there is one, then the others.
fn plan_of(wanted: &[String], calls: &[ToolCall]) -> String {
    let tool = |i: usize| calls.get(i).map(|call| call.name.clone());
    let intents: Vec<Intent> =
        wanted.iter().enumerate().map(|(i, w)| Intent { wanted: w.clone(), tool: tool(i) }).collect();
    let more = calls.iter().skip(wanted.len()).map(|call| call.name.clone());
    std::iter::once(plan(&intents)).chain(more).collect::<Vec<_>>().join(", ")
}

fn proposal(shape: TaskShape, posing: Posing, mix: &DocumentMix, rng: &mut impl Rng) -> Document {
    let Posing { mut task, wanted } = posing;
    let think = if rng.random_bool(0.8) { plan_of(&wanted, &task.calls) } else { pick(VAGUE, rng) };
    // Authors of a tool list write the relevant tools first, in the order of their use.
    let calls = &task.calls;
    task.tools
        .sort_by_key(|tool| calls.iter().position(|call| call.name == tool.name).unwrap_or(calls.len()));
    let arguments = task.argument_count();
    if chance(mix.generator_wrong, rng) {
        task.calls = corrupt(&task, rng);
    }
    Document::Proposal { shape, arguments, task, think }
}

fn answer(posing: Posing, mix: &DocumentMix, rng: &mut impl Rng) -> Document {
    let Posing { task, wanted } = posing;
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
    let think = plan_of(&wanted, &calls);
    Document::Answer { task, calls, think }
}

fn pick(texts: &[&str], rng: &mut impl Rng) -> String {
    texts.choose(rng).copied().unwrap_or_default().to_owned()
}
