//! Requests in plain language, each with the call that serves it.

use crate::vocabulary::{Kind, Slot};
use crate::world::{Tool, with_article};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::{Map, Value, json};
use sparring_tools::ToolCall;

/// How often a request mentions an optional parameter.
const OPTIONAL_SHARE: f64 = 0.5;

/// The parts of a clause such as `book a hotel in Paris for 3 guests`, and its call.
pub(crate) struct Clause {
    /// Verb and object: `book a hotel`.
    pub(crate) head: String,
    /// The details: `in Paris`, `for 3 guests`.
    pub(crate) details: Vec<String>,
    /// The call that serves it.
    pub(crate) call: ToolCall,
}

impl Clause {
    /// Head and details in one string.
    pub(crate) fn text(&self) -> String {
        std::iter::once(self.head.as_str())
            .chain(self.details.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Draws values for the tool's parameters, and phrases for them.
pub(crate) fn clause(tool: &Tool, rng: &mut impl Rng) -> Clause {
    let mut arguments = Map::new();
    let mut details = Vec::new();
    for parameter in &tool.parameters {
        if !parameter.required && !rng.random_bool(OPTIONAL_SHARE) {
            continue;
        }
        let (value, phrase) = draw_value(parameter.slot, rng);
        arguments.insert(parameter.slot.name.to_owned(), value);
        details.push(phrase);
    }
    details.shuffle(rng);
    let verb = tool.action.verb.says.choose(rng).copied().unwrap_or(tool.action.verb.name);
    let noun = tool.action.object.says.choose(rng).copied().unwrap_or(tool.action.object.name);
    let call = ToolCall::new(&tool.spec.name, arguments);
    Clause { head: format!("{verb} {}", with_article(noun)), details, call }
}

/// A value of the slot and its phrase.
pub(crate) fn draw_value(slot: &Slot, rng: &mut impl Rng) -> (Value, String) {
    let mut pick = |words: &[&'static str]| words.choose(rng).copied().unwrap_or_default();
    let said = match slot.kind {
        Kind::Title(first, second) => format!("{} {}", pick(first), pick(second)),
        Kind::Words(words) | Kind::Enum(words) => pick(words).to_owned(),
        Kind::Time => {
            let hour = rng.random_range(7..=18);
            if hour < 12 { format!("{hour}am") } else { format!("{}pm", (hour - 1) % 12 + 1) }
        }
        Kind::Integer(low, high) => rng.random_range(low..=high).to_string(),
        Kind::Number(low, high) => format!("{}.5", rng.random_range(low..=high)),
        Kind::Boolean(yes, no) => {
            let value = rng.random_bool(0.7);
            let phrase = (if value { yes } else { no }).choose(rng).copied().unwrap_or_default();
            return (json!(value), phrase.to_owned());
        }
    };
    let value = match slot.kind {
        Kind::Integer(..) => said.parse::<i64>().map_or(Value::Null, Value::from),
        Kind::Number(..) => said.parse::<f64>().map_or(Value::Null, Value::from),
        _ => Value::from(said.as_str()),
    };
    let phrase = slot.phrases.choose(rng).copied().unwrap_or("{}");
    (value, phrase.replace("{}", &said))
}

/// How requests are worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phrasing {
    /// The wording of the base's documents.
    Usual,
    /// Phrasings and a word order that no document of the base has.
    Other,
}

/// Phrases a request as one sentence or two.
pub(crate) fn request(clauses: &[Clause], phrasing: Phrasing, rng: &mut impl Rng) -> String {
    if phrasing == Phrasing::Other {
        return other_request(clauses, rng);
    }
    let joint = [" and ", ", then ", " and also "].choose(rng).copied().unwrap_or(" and ");
    let body = clauses.iter().map(Clause::text).collect::<Vec<_>>().join(joint);
    let forms: &[(&str, &str)] = &[
        ("", "."),
        ("", "."),
        ("", "."),
        ("", " please."),
        ("please ", "."),
        ("could you ", "?"),
        ("I want you to ", "."),
        ("I need to ", "."),
    ];
    let (before, after) = forms.choose(rng).copied().unwrap_or(("", "."));
    crate::world::capitalised(&format!("{before}{body}{after}"))
}

/// Half of these requests name the details before what is wanted.
fn other_request(clauses: &[Clause], rng: &mut impl Rng) -> String {
    let joint = [" plus ", " as well as ", "; after that "].choose(rng).copied().unwrap_or(" plus ");
    let details_first = rng.random_bool(0.5);
    let text = |clause: &Clause| {
        if details_first && !clause.details.is_empty() {
            format!("{}: {}", clause.details.join(", "), clause.head)
        } else {
            clause.text()
        }
    };
    let body = clauses.iter().map(text).collect::<Vec<_>>().join(joint);
    let forms: &[(&str, &str)] = &[
        ("my task for today is this: ", "."),
        ("hello there! ", ", thank you."),
        ("would you kindly help: ", "?"),
        ("next on my list: ", "."),
        ("to do, ", " right now."),
    ];
    let (before, after) = forms.choose(rng).copied().unwrap_or(("", "."));
    crate::world::capitalised(&format!("{before}{body}{after}"))
}

/// Phrases a request as a short conversation, as Tool-R0's multi-turn context does.
pub(crate) fn conversation(clause: &Clause, rng: &mut impl Rng) -> String {
    let ask =
        ["Sure, any details?", "What exactly?", "Tell me more."].choose(rng).copied().unwrap_or_default();
    format!(
        "# Conversation\nUser: I need to {}.\nAgent: {ask}\nUser: {}.",
        clause.head,
        clause.details.join(" ")
    )
}
