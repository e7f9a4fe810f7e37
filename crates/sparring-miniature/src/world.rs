use crate::vocabulary::{Kind, OBJECTS, Object, Slot, VERBS, Verb, slot_by_name};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::{Value, json};
use sparring_core::Seed;
use sparring_tools::ToolSpec;

/// Verbs that each object can be combined with: 33 objects × 5 verbs = 165 tools.
const VERBS_PER_OBJECT: usize = 5;
/// Tools kept out of every document that holds a request or a call.
const HELD_OUT: usize = 45;
/// The world itself is fixed: only what happens in it is drawn anew.
const WORLD_SEED: Seed = Seed::new(0x7001);

/// One parameter of a tool.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) slot: &'static Slot,
    pub(crate) required: bool,
}

/// One tool of the world: a verb applied to an object.
#[derive(Clone)]
pub struct Tool {
    pub(crate) verb: &'static Verb,
    pub(crate) object: &'static Object,
    pub(crate) parameters: Vec<Parameter>,
    spec: ToolSpec,
}

impl std::fmt::Debug for Tool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tool").field(&self.spec.name).finish()
    }
}

impl Tool {
    /// The tool as a schema.
    pub fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    /// The domain of the tool's object.
    pub fn domain(&self) -> &'static str {
        self.object.domain
    }

    /// Whether the two tools share their verb or their object.
    pub fn resembles(&self, other: &Self) -> bool {
        self.verb.name == other.verb.name || self.object.name == other.object.name
    }
}

/// The miniature world: its tools, split into those that training documents may use and those held out.
///
/// ```
/// let world = sparring_miniature::World::new();
/// assert!(world.training().len() > 100 && world.held_out().len() >= 30);
/// ```
#[derive(Debug, Clone)]
pub struct World {
    training: Vec<Tool>,
    held_out: Vec<Tool>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// The world. It is always the same.
    pub fn new() -> Self {
        let mut rng = WORLD_SEED.child("tools").rng();
        let mut tools: Vec<Tool> = OBJECTS
            .iter()
            .flat_map(|object| {
                let verbs: Vec<&'static Verb> = VERBS.choose_multiple(&mut rng, VERBS_PER_OBJECT).collect();
                verbs.into_iter().map(|verb| draw_tool(verb, object, &mut rng)).collect::<Vec<_>>()
            })
            .collect();
        tools.shuffle(&mut rng);
        let training = tools.split_off(HELD_OUT);
        Self { training, held_out: tools }
    }

    /// Tools that documents may use in requests and calls.
    pub fn training(&self) -> &[Tool] {
        &self.training
    }

    /// Tools that only bare catalogues show.
    pub fn held_out(&self) -> &[Tool] {
        &self.held_out
    }

    /// All tools, training tools first.
    pub fn all(&self) -> impl Iterator<Item = &Tool> {
        self.training.iter().chain(&self.held_out)
    }

    /// The domains, each once.
    pub fn domains() -> Vec<&'static str> {
        let mut domains: Vec<&'static str> = OBJECTS.iter().map(|o| o.domain).collect();
        domains.dedup();
        domains
    }
}

/// One to three parameters; all but the first may be optional.
fn draw_tool(verb: &'static Verb, object: &'static Object, rng: &mut impl Rng) -> Tool {
    let wanted = rng.random_range(1..=3);
    let slots: Vec<&'static Slot> =
        object.slots.choose_multiple(rng, wanted).filter_map(|name| slot_by_name(name)).collect();
    let parameters: Vec<Parameter> = slots
        .into_iter()
        .enumerate()
        .map(|(i, slot)| Parameter { slot, required: i == 0 || rng.random_bool(0.7) })
        .collect();
    let spec = ToolSpec::new(
        format!("{}_{}", verb.name, object.name),
        format!("{} {}", capitalised(verb.name), with_article(object.name)),
        parameters.iter().map(|p| (p.slot.name.to_owned(), schema(p.slot.kind))).collect(),
        parameters.iter().filter(|p| p.required).map(|p| p.slot.name.to_owned()).collect(),
    );
    Tool { verb, object, parameters, spec }
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
