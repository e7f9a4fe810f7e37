//! Values for the parameters of a plan, of kinds that a language model finds fitting.

use super::Catalogue;
use super::lexicon::KINDS;
use crate::RecipeError;
use crate::tool_r0::pick;
use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sparring_core::{Encoder, PolicyError, Prompt, Scorer, TokenBatch, TokenGroup};
use sparring_tools::{ToolCall, ToolSpec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How well each kind of everyday values (names, places, times, ...) fits each parameter of a catalogue, in the eyes of
/// a language model.
///
/// A small model that invents values writes the same few again and again, or nonsense; but it knows what a value is
/// like. With two texts c that a value may follow (one names the tool, both the parameter) and two values v of a kind
/// k, let ℓ(k | t, p) be the mean over c and v of log π(v | c(t, p)), for a parameter p of a tool t. The score of the
/// kind is
///
/// s(k | t, p) = (ℓ(k | t, p) − mean ℓ(k | q)) / (½ + standard deviation of ℓ(k | q)),
///
/// over unrelated parameters q: how much more likely the parameter makes the values, in the measure by which parameters
/// move them at all. (The numerator is the pointwise mutual information; alone it prefers what is famous.)
///
/// Without scores ([`ValueKinds::default`]), every kind fits every parameter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ValueKinds {
    /// Scores by tool, parameter and name of the kind.
    scores: BTreeMap<String, BTreeMap<String, BTreeMap<String, f32>>>,
}

/// A kind is drawn if its score is at most this far below the best, with weight exp(SLOPE · score).
const WITHIN: f32 = 0.7;
const SLOPE: f64 = 2.0;

/// Values of a kind that the model is asked about, and how many of their tokens.
const ASKED: usize = 2;
const BEGINNING: usize = 3;

/// Parameters of all sorts, to compare with.
const OTHERS: [[&str; 2]; 18] = [
    ["send money", "amount"],
    ["send money", "recipient"],
    ["add contact", "phone"],
    ["find flight", "destination"],
    ["find flight", "departure date"],
    ["set alarm", "time"],
    ["order food", "dish"],
    ["search products", "color"],
    ["translate text", "language"],
    ["translate text", "text"],
    ["create event", "title"],
    ["track order", "order id"],
    ["log in", "password"],
    ["play video", "name"],
    ["book hotel", "guests"],
    ["find doctor", "specialty"],
    ["open website", "link"],
    ["turn on light", "room"],
];

/// Longest description of a parameter in these texts, in characters.
const DESCRIPTION: usize = 80;

/// The texts that a value may follow.
fn contexts(action: &str, parameter: &str, description: &str) -> [String; 2] {
    let about: String = description.chars().take(DESCRIPTION).collect();
    let about = if about.is_empty() { about } else { format!(" ({about})") };
    [
        format!(
            "send money: amount = 45\nadd contact: name = Liam Byrne\nfind flight: airline = Lufthansa\nset alarm: time \
             = quarter to six\n{action}: {parameter} ="
        ),
        format!("The {parameter}{about} is"),
    ]
}

impl ValueKinds {
    /// Asks a model about the parameters of all tools: scores of about 130 values of up to three tokens, for each
    /// parameter in two contexts. `encoder` belongs to the model's tokenizer.
    ///
    /// # Errors
    /// [`RecipeError::Values`] if the model cannot score.
    pub fn measure(
        catalogue: &Catalogue,
        scorer: &dyn Scorer,
        encoder: &dyn Encoder,
    ) -> Result<Self, RecipeError> {
        let mut asked = Vec::new();
        for tool in catalogue.tools() {
            for (name, schema) in &tool.parameters {
                let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
                asked.push(contexts(&spoken(&tool.name), &spoken(name), description));
            }
        }
        let parameters = asked.len();
        asked.extend(OTHERS.map(|[action, parameter]| contexts(action, parameter, "")));
        let likely = likelihoods(&asked, scorer, encoder).map_err(RecipeError::Values)?;
        let others = &likely[parameters..];
        let usual: Vec<(f32, f32)> =
            (0..KINDS.len()).map(|k| moments(others.iter().map(|row| row[k]))).collect();
        let mut rows = likely.iter();
        let mut scores: BTreeMap<String, BTreeMap<String, BTreeMap<String, f32>>> = BTreeMap::new();
        for tool in catalogue.tools() {
            for (name, row) in tool.parameters.keys().zip(&mut rows) {
                let score = |k: usize| (row[k] - usual[k].0) / (0.5 + usual[k].1);
                let row =
                    KINDS.iter().enumerate().map(|(k, kind)| (kind.name.to_owned(), score(k))).collect();
                scores.entry(tool.name.clone()).or_default().insert(name.clone(), row);
            }
        }
        Ok(Self { scores })
    }

    /// Whether every parameter of these tools has a score for every kind.
    pub fn is_of(&self, catalogue: &Catalogue) -> bool {
        let measured = |tool: &ToolSpec, name: &String| {
            let row = self.scores.get(&tool.name).and_then(|parameters| parameters.get(name));
            row.is_some_and(|row| KINDS.iter().all(|kind| row.contains_key(kind.name)))
        };
        catalogue.tools().iter().all(|tool| tool.parameters.keys().all(|name| measured(tool, name)))
    }

    /// The kinds that may be drawn for a parameter, by falling score; all of them where nothing was measured.
    pub fn fitting(&self, tool: &str, parameter: &str) -> Vec<(&'static str, f32)> {
        self.kinds(tool, parameter, false).into_iter().map(|(k, score)| (KINDS[k].name, score)).collect()
    }

    /// The kinds that may be drawn, numbers only or all.
    fn kinds(&self, tool: &str, parameter: &str, numbers: bool) -> Vec<(usize, f32)> {
        let scores = self.scores.get(tool).and_then(|row| row.get(parameter));
        let score = |k: usize| scores.and_then(|row| row.get(KINDS[k].name)).copied().unwrap_or(0.0);
        let mut kinds: Vec<(usize, f32)> =
            (0..KINDS.len()).filter(|&k| !numbers || KINDS[k].numbers).map(|k| (k, score(k))).collect();
        kinds.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let best = kinds.first().map_or(0.0, |kind| kind.1);
        kinds.retain(|kind| kind.1 >= best - WITHIN);
        kinds
    }

    /// A text of a fitting kind.
    fn text(&self, tool: &str, parameter: &str, numbers: bool, rng: &mut impl Rng) -> Option<&'static str> {
        let kinds = self.kinds(tool, parameter, numbers);
        let chosen = pick(rng, kinds.len(), |i| (SLOPE * f64::from(kinds[i].1 - kinds[0].1)).exp())?;
        let values = KINDS[kinds[chosen].0].values;
        Some(values[rng.random_range(0..values.len())])
    }

    /// Arguments for these parameters of a tool, of its schema, and different from each other where they are texts.
    /// `None` if none were found: a pattern, say, that no everyday value has.
    pub(super) fn arguments(
        &self,
        tool: &ToolSpec,
        parameters: &[String],
        rng: &mut impl Rng,
    ) -> Option<Map<String, Value>> {
        const TRIES: usize = 20;
        (0..TRIES).find_map(|_| {
            let mut arguments = Map::new();
            for name in parameters {
                let value = self.value(tool.parameters.get(name)?, (&tool.name, name), rng)?;
                arguments.insert(name.clone(), value);
            }
            let call = ToolCall::new(&tool.name, arguments);
            (distinct(&call.arguments) && tool.validate(&call).is_ok()).then_some(call.arguments)
        })
    }

    /// A value of a schema, or `None` for a schema that says more than this knows.
    fn value(&self, schema: &Value, place: (&str, &str), rng: &mut impl Rng) -> Option<Value> {
        let Value::Object(map) = schema else { return None };
        if let Some(value) = map.get("const") {
            return Some(value.clone());
        }
        if let Some(values) = map.get("enum").and_then(Value::as_array).filter(|values| !values.is_empty()) {
            return Some(values[rng.random_range(0..values.len())].clone());
        }
        let text = |numbers, rng: &mut _| self.text(place.0, place.1, numbers, rng);
        match map.get("type").and_then(Value::as_str) {
            Some("string" | "str") => text(false, rng).map(Value::from),
            Some("integer" | "int") => {
                let drawn: f64 = text(true, rng)?.parse().ok()?;
                Some(Value::from(within(map, drawn.round(), rng) as i64))
            }
            Some("number" | "float") => {
                let drawn: f64 = text(true, rng)?.parse().ok()?;
                let number = within(map, drawn, rng);
                Some(if number.fract() == 0.0 { Value::from(number as i64) } else { Value::from(number) })
            }
            Some("boolean" | "bool") => Some(rng.random::<bool>().into()),
            Some("array" | "list") => {
                let items = map.get("items")?;
                let n = map.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 3);
                (0..n).map(|_| self.value(items, place, rng)).collect()
            }
            _ => None,
        }
    }
}

/// The number, or a whole number drawn from the bounds of the schema if it lies outside.
fn within(schema: &Map<String, Value>, number: f64, rng: &mut impl Rng) -> f64 {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound.floor() + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound.ceil() - 1.0));
    let fits = least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most);
    // A range without a whole number is left to the check of the schema.
    let (least, most) = match (least, most) {
        _ if fits => return number,
        (Some(least), Some(most)) => (least, most),
        (Some(least), None) => (least, least + 100.0),
        (None, most) => (most.unwrap_or(0.0) - 100.0, most.unwrap_or(0.0)),
    };
    let (least, most) = (least.ceil() as i64, most.floor() as i64);
    if least <= most { rng.random_range(least..=most) as f64 } else { number }
}

/// Whether no text is another one, or a part of it.
fn distinct(arguments: &Map<String, Value>) -> bool {
    let texts: Vec<String> = arguments
        .values()
        .filter(|value| value.is_string() || value.is_number())
        .map(|value| said(value).to_lowercase())
        .collect();
    (0..texts.len()).all(|i| (0..texts.len()).all(|j| i == j || !texts[i].contains(&texts[j])))
}

/// Mean and standard deviation.
fn moments(values: impl ExactSizeIterator<Item = f32> + Clone) -> (f32, f32) {
    let n = values.len().max(1) as f32;
    let mean = values.clone().sum::<f32>() / n;
    (mean, (values.map(|x| (x - mean).powi(2)).sum::<f32>() / n).sqrt())
}

/// For each pair of contexts and each kind, the mean log-probability of the kind's values: of their beginnings, which
/// say what they are.
fn likelihoods(
    asked: &[[String; 2]],
    scorer: &dyn Scorer,
    encoder: &dyn Encoder,
) -> Result<Vec<Vec<f32>>, PolicyError> {
    let encode = |text: String| encoder.prompt(&Prompt::Text(text));
    let values: Vec<Arc<[u32]>> = KINDS
        .iter()
        .flat_map(|kind| &kind.values[..ASKED])
        .map(|value| encode(format!(" {value}")))
        .collect::<Result<_, _>>()?;
    let beginnings: Vec<&[u32]> = values.iter().map(|value| &value[..value.len().min(BEGINNING)]).collect();
    // Parameters of one name share a context.
    let mut distinct: Vec<&String> = asked.iter().flatten().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let contexts = distinct.iter().map(|text| encode((*text).clone())).collect::<Result<Vec<_>, _>>()?;
    let groups: Vec<TokenGroup<'_>> =
        contexts.iter().map(|context| TokenGroup::new(context, beginnings.clone())).collect();
    let mut logp = scorer.score(TokenBatch::new(&groups, 1.0))?.into_iter();
    let mut rows: BTreeMap<&String, Vec<f32>> = BTreeMap::new();
    for text in distinct {
        let mut row = vec![0.0; KINDS.len()];
        for (i, value) in beginnings.iter().enumerate() {
            row[i / ASKED] += logp.by_ref().take(value.len()).sum::<f32>() / ASKED as f32;
        }
        rows.insert(text, row);
    }
    let mean = |[a, b]: &[String; 2]| rows[a].iter().zip(&rows[b]).map(|(a, b)| (a + b) / 2.0).collect();
    Ok(asked.iter().map(mean).collect())
}

/// A value as a person would say it.
pub(super) fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A name as a person would say it: `getUser_token2` is `get user token2`.
pub(super) fn spoken(name: &str) -> String {
    super::catalogue::split(name).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sparring_core::Seed;

    #[test]
    fn every_kind_has_values_to_ask_about() {
        for kind in KINDS {
            assert!(kind.values.len() > ASKED, "{}", kind.name);
            let numbers = kind.values.iter().all(|value| value.parse::<f64>().is_ok());
            assert_eq!(kind.numbers, numbers, "{}", kind.name);
        }
    }

    #[test]
    fn kinds_are_drawn_by_their_scores() {
        let city = KINDS.iter().position(|kind| kind.name == "city").unwrap();
        let row = BTreeMap::from([("city".to_owned(), 9.0), ("time".to_owned(), 8.5)]);
        let parameters = BTreeMap::from([("where".to_owned(), row)]);
        let kinds = ValueKinds { scores: BTreeMap::from([("t".to_owned(), parameters)]) };
        assert_eq!(kinds.fitting("t", "where"), [("city", 9.0), ("time", 8.5)]);
        assert_eq!(kinds.fitting("t", "other").len(), KINDS.len());
        let mut rng = Seed::new(1).rng();
        let cities = (0..1000)
            .filter(|_| KINDS[city].values.contains(&kinds.text("t", "where", false, &mut rng).unwrap()))
            .count();
        // e / (1 + e) = 0.73 of the draws.
        assert!((680..780).contains(&cities), "{cities}");
        assert!(kinds.text("t", "where", true, &mut rng).unwrap().parse::<f64>().is_ok());
    }

    #[test]
    fn arguments_are_of_the_schema() {
        let tool = ToolSpec::new("t", "", Map::new(), vec![])
            .with_parameter("a", json!({"type": "integer", "minimum": 3, "maximum": 9}), true)
            .with_parameter("b", json!({"type": "string", "enum": ["x", "y"]}), true)
            .with_parameter("c", json!({"type": "array", "items": {"type": "number"}, "minItems": 2}), true)
            .with_parameter("d", json!({"type": "string"}), true);
        let all: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        for i in 0..50 {
            let arguments = ValueKinds::default().arguments(&tool, &all, &mut Seed::new(i).rng()).unwrap();
            tool.validate(&ToolCall::new("t", arguments)).unwrap();
        }
        let strict = tool.with_parameter("d", json!({"type": "string", "pattern": "^Q{9}$"}), true);
        assert_eq!(ValueKinds::default().arguments(&strict, &all, &mut Seed::new(0).rng()), None);
    }

    #[test]
    fn one_value_is_no_part_of_another() {
        let map = |value: Value| value.as_object().unwrap().clone();
        assert!(distinct(&map(json!({"a": "Rome", "b": "noon", "c": true}))));
        assert!(!distinct(&map(json!({"a": "City of Rome", "b": "rome"}))));
        assert!(!distinct(&map(json!({"a": 12, "b": "12 dollars"}))));
    }
}
