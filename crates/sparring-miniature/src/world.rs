use crate::vocabulary::{Kind, OBJECTS, Object, Slot, VERBS, Verb, slot_by_name};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::{Value, json};
use sparring_core::Seed;
use sparring_tools::ToolSpec;

/// Number of actions kept out of every document with a request or a call.
const HELD_OUT: usize = 60;
/// The seed of the world itself, which is fixed; only tasks and documents vary.
const WORLD_SEED: Seed = Seed::new(0x7001);

/// What a tool does: a verb applied to an object. It determines the tool's name, but not its parameters.
#[derive(Clone)]
pub struct Action {
    pub(crate) verb: &'static Verb,
    pub(crate) object: &'static Object,
    name: String,
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Action").field(&self.name).finish()
    }
}

impl Action {
    fn new(verb: &'static Verb, object: &'static Object) -> Self {
        Self { verb, object, name: format!("{}_{}", verb.name, object.name) }
    }

    /// The name of its tools, such as `book_hotel`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The domain of its object.
    pub fn domain(&self) -> &'static str {
        self.object.domain
    }

    /// Whether the two share their verb or their object.
    pub fn resembles(&self, other: &Self) -> bool {
        self.verb.name == other.verb.name || self.object.name == other.object.name
    }

    /// Draws a tool for it, with one to three of the object's parameters; all but the first may be optional.
    pub(crate) fn tool(&self, rng: &mut impl Rng) -> Tool {
        let wanted = rng.random_range(1..=3);
        let parameters: Vec<Parameter> = self
            .object
            .slots
            .choose_multiple(rng, wanted)
            .filter_map(|name| slot_by_name(name))
            .enumerate()
            .map(|(i, slot)| Parameter { slot, required: i == 0 || rng.random_bool(0.7) })
            .collect();
        let spec = ToolSpec::new(
            self.name.clone(),
            format!("{} {}", capitalised(self.verb.name), with_article(self.object.name)),
            parameters.iter().map(|p| (p.slot.name.to_owned(), schema(p.slot.kind))).collect(),
            parameters.iter().filter(|p| p.required).map(|p| p.slot.name.to_owned()).collect(),
        );
        Tool { action: self.clone(), parameters, spec }
    }
}

/// One parameter of a tool.
pub(crate) struct Parameter {
    pub(crate) slot: &'static Slot,
    pub(crate) required: bool,
}

/// A tool as defined in one tool list, as if every provider had chosen its own parameters. A caller has to read the
/// tool list, since the name does not determine the parameters.
pub(crate) struct Tool {
    pub(crate) action: Action,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) spec: ToolSpec,
}

/// The miniature world: every verb with every object, split into training actions and held-out actions.
///
/// ```
/// let world = sparring_miniature::World::new();
/// assert!(world.training().len() > 100 && world.held_out().len() >= 30);
/// ```
#[derive(Debug, Clone)]
pub struct World {
    training: Vec<Action>,
    held_out: Vec<Action>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// The world, which is always the same.
    pub fn new() -> Self {
        let mut actions: Vec<Action> = OBJECTS
            .iter()
            .flat_map(|object| VERBS.iter().map(move |verb| Action::new(verb, object)))
            .collect();
        actions.shuffle(&mut WORLD_SEED.child("actions").rng());
        let training = actions.split_off(HELD_OUT);
        Self { training, held_out: actions }
    }

    /// Actions whose tools may occur in the requests and calls of documents.
    pub fn training(&self) -> &[Action] {
        &self.training
    }

    /// Actions whose tools occur only in bare catalogues.
    pub fn held_out(&self) -> &[Action] {
        &self.held_out
    }

    /// All actions, training actions first.
    pub fn all(&self) -> impl Iterator<Item = &Action> {
        self.training.iter().chain(&self.held_out)
    }

    /// The domains, without duplicates.
    pub fn domains() -> Vec<&'static str> {
        let mut domains: Vec<&'static str> = OBJECTS.iter().map(|o| o.domain).collect();
        domains.dedup();
        domains
    }
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Words(_) | Kind::Title(..) | Kind::Time => json!({"type": "string"}),
        Kind::Integer(..) => json!({"type": "integer"}),
        Kind::Number(..) => json!({"type": "number"}),
        Kind::Boolean(..) => json!({"type": "boolean"}),
        Kind::Enum(values) => json!({"type": "string", "enum": values}),
    }
}

pub(crate) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().collect::<String>() + chars.as_str())
}

pub(crate) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}
