//! Values that fit the parameters of a plan.

mod kinds;
mod lexicon;
mod likelihood;
mod made;
mod names;
mod texts;

use super::Catalogue;
use crate::RecipeError;
use crate::grammar::{is_number, is_said, is_text, said};
use kinds::Kinds;
pub(super) use names::plain;
use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sparring_core::{Encoder, Sampler, Scorer, Seed};
use sparring_tools::{ToolCall, ToolSpec};
use std::collections::BTreeMap;

/// Values that fit the parameters of a catalogue.
///
/// A small model that invents the values of a call writes the same few again and again, or nonsense. So values come
/// from a lexicon of everyday ones, by kind (names, places, times, ...), and from lists that the model continues:
///
/// 1. *Kinds by name.* The lexicon has the names of the parameters that take a kind: `city`, `recipient`, `check_in`. A
///    parameter takes the kinds that its name, its description or its format speaks of.
/// 2. *Kinds by fit.* Of several such kinds, the better fitting are drawn more often; a parameter whose name says
///    nothing takes those that it makes likelier than other parameters do. Let ℓ(v | t, p) be log π(v | c(t, p)), where
///    the text c names the tool t and its parameter p, and let q be unrelated parameters. The fit of a value is
///
///    s(v | t, p) = (ℓ(v | t, p) − mean ℓ(v | q)) / (½ + standard deviation of ℓ(v | q)),
///
///    and that of a kind is the same of the mean over some of its values: the pointwise mutual information in the
///    measure by which parameters move the value at all. (Alone it prefers what is famous.)
/// 3. *Lists.* For each parameter that takes any text and whose name says nothing, the model continues lists of
///    examples. Of these and the values of the fitting kinds, the parameter keeps those that fit it (s > 0), and that
///    no other such parameter of its tool makes twice as likely. With
///
///    r(p | v, t) = π(v | c(t, p)) / Σ π(v | c(t, p′)) over these parameters p′ of t,
///
///    a value must also have more than an even share: r ≥ 1.2 / n, where there are n > 2 such parameters. What remains
///    tells them apart, which is what a Solver has to learn. The best by s + log r stay.
///
/// Numbers are those of the fitting kinds. Without measurements ([`ParameterValues::default`]), every kind fits a
/// parameter whose name says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ParameterValues {
    kinds: Kinds,
    /// Texts by tool and parameter, by falling fit.
    texts: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl ParameterValues {
    /// Asks a model about the parameters of all tools. `encoder` belongs to the model's tokenizer. `progress` is told
    /// what was done.
    ///
    /// # Errors
    /// [`RecipeError::Values`] if the model cannot sample or score.
    pub fn measure(
        catalogue: &Catalogue,
        (sampler, scorer): (&dyn Sampler, &dyn Scorer),
        encoder: &dyn Encoder,
        seed: Seed,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, RecipeError> {
        let kinds = Kinds::measure(catalogue, scorer, encoder).map_err(RecipeError::Values)?;
        progress("kinds of values measured");
        let listed = texts::listed(catalogue, sampler, seed).map_err(RecipeError::Values)?;
        progress("examples listed");
        let mut texts = BTreeMap::new();
        for (done, tool) in catalogue.tools().iter().enumerate() {
            let row = texts::chosen(tool, &kinds, &listed[done], scorer, encoder);
            texts.insert(tool.name.clone(), row.map_err(RecipeError::Values)?);
            progress(&format!("values chosen for {} of {} tools", done + 1, catalogue.tools().len()));
        }
        Ok(Self { kinds, texts })
    }

    /// Whether every parameter of these tools was measured.
    pub fn is_of(&self, catalogue: &Catalogue) -> bool {
        self.kinds.are_of(catalogue)
            && catalogue.tools().iter().all(|tool| self.texts.contains_key(&tool.name))
    }

    /// The texts that a parameter may have, by falling fit; none for numbers and where nothing was measured.
    pub fn texts(&self, tool: &str, parameter: &str) -> &[String] {
        self.texts.get(tool).and_then(|row| row.get(parameter)).map_or(&[], Vec::as_slice)
    }

    /// A fitting text.
    fn text(&self, (tool, parameter): (&ToolSpec, &str), rng: &mut impl Rng) -> Option<String> {
        let texts = self.texts(&tool.name, parameter);
        if texts.is_empty() {
            return self.kinds.draw(tool, parameter, false, rng);
        }
        Some(texts[rng.random_range(0..texts.len())].clone())
    }

    /// A fitting number.
    fn number(&self, (tool, parameter): (&ToolSpec, &str), rng: &mut impl Rng) -> Option<f64> {
        self.kinds.draw(tool, parameter, true, rng)?.parse().ok()
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
                let value = self.one(tool, name, rng)?;
                arguments.insert(name.clone(), value);
            }
            let call = ToolCall::new(&tool.name, arguments);
            (distinct(&call.arguments) && tool.validate(&call).is_ok()).then_some(call.arguments)
        })
    }

    /// Whether the name of a parameter, or a model, says which values it takes.
    pub(super) fn knows(&self, tool: &ToolSpec, name: &str) -> bool {
        let Some(schema) = tool.parameters.get(name) else { return false };
        let number = is_number(schema);
        let named = kinds::named_kinds(tool, name);
        schema.get("enum").is_some()
            || named.iter().any(|&k| !number || lexicon::KINDS[k].numbers)
            || !self.texts(&tool.name, name).is_empty()
    }

    /// Whether two parameters of a tool take the same values, as far as their names say what they take.
    pub(super) fn alike(&self, tool: &ToolSpec, a: &str, b: &str) -> bool {
        self.kinds.alike(tool, a, b)
    }

    /// Draws whether a person puts a text of this parameter in quotation marks, as people do with messages and titles.
    pub(super) fn is_quoted(tool: &ToolSpec, name: &str, rng: &mut impl Rng) -> bool {
        let free = tool.parameters.get(name).is_some_and(is_any_text);
        let share = kinds::named_kinds(tool, name).into_iter().map(|k| lexicon::KINDS[k].quoted);
        free && rng.random::<f64>() < share.fold(0.0, f64::max)
    }

    /// A value to take the place of another one: half of the texts of names and titles are invented, so that a Solver
    /// copies what it does not know.
    pub(super) fn another(&self, tool: &ToolSpec, name: &str, rng: &mut impl Rng) -> Option<Value> {
        let invented = is_any_text(tool.parameters.get(name)?) && rng.random::<bool>();
        let text = invented.then(|| self.kinds.invented(tool, name, rng)).flatten();
        text.map(Value::from).or_else(|| self.one(tool, name, rng))
    }

    /// A value for one parameter of a tool.
    pub(super) fn one(&self, tool: &ToolSpec, name: &str, rng: &mut impl Rng) -> Option<Value> {
        self.value(tool.parameters.get(name)?, (tool, name), rng)
    }

    /// The everyday values of the kinds that a parameter takes by its name, but for numbers and words that count.
    pub(super) fn everyday(tool: &ToolSpec, name: &str) -> impl Iterator<Item = &'static str> {
        kinds::named_kinds(tool, name)
            .into_iter()
            .map(|k| &lexicon::KINDS[k])
            .filter(|kind| !kind.counts)
            .flat_map(|kind| kind.values.iter().map(String::as_str))
    }

    /// A value of a schema, or `None` for a schema that says more than this knows.
    fn value(&self, schema: &Value, place: (&ToolSpec, &str), rng: &mut impl Rng) -> Option<Value> {
        let Value::Object(map) = schema else { return None };
        if let Some(value) = map.get("const") {
            return Some(value.clone());
        }
        if let Some(values) = map.get("enum").and_then(Value::as_array).filter(|values| !values.is_empty()) {
            return Some(values[rng.random_range(0..values.len())].clone());
        }
        let number = |rng: &mut _| self.number(place, rng);
        match map.get("type").and_then(Value::as_str) {
            Some("string" | "str") => self.text(place, rng).map(Value::from),
            Some("integer" | "int") => Some(Value::from(within(map, number(rng)?.round(), rng) as i64)),
            Some("number" | "float") => {
                let number = within(map, number(rng)?, rng);
                Some(if number.fract() == 0.0 { Value::from(number as i64) } else { Value::from(number) })
            }
            // A person mentions an optional switch to turn it on.
            Some("boolean" | "bool") => {
                let (tool, name) = place;
                let required = tool.required.iter().any(|required| required == name);
                Some((!required || rng.random::<bool>()).into())
            }
            Some("array" | "list") => {
                let items = map.get("items")?;
                let bound = |key: &str| map.get(key).and_then(Value::as_u64);
                let least = bound("minItems").unwrap_or(1).clamp(1, MOST_ITEMS);
                let most = bound("maxItems").unwrap_or(MOST_ITEMS).clamp(least, MOST_ITEMS);
                (0..rng.random_range(least..=most)).map(|_| self.value(items, place, rng)).collect()
            }
            _ => None,
        }
    }
}

/// Whether a schema's values are texts that it does not list.
fn is_any_text(schema: &Value) -> bool {
    is_text(schema) && schema.get("enum").is_none()
}

/// Maximum number of items of a list that a person says.
const MOST_ITEMS: u64 = 3;

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
pub(super) fn distinct(arguments: &Map<String, Value>) -> bool {
    let items = arguments.values().flat_map(|value| match value {
        Value::Array(items) => items.as_slice(),
        value => std::slice::from_ref(value),
    });
    let texts: Vec<String> =
        items.filter(|value| is_said(value)).map(|value| said(value).to_lowercase()).collect();
    (0..texts.len()).all(|i| (0..texts.len()).all(|j| i == j || !texts[i].contains(&texts[j])))
}

/// What a person says to turn a switch on: "nonstop only" for `nonstop_only`, "urgent" for `is_urgent`.
pub(super) fn switched_on(name: &str) -> String {
    let words = spoken(name);
    let first = ["is", "has", "are", "should", "enable", "use"];
    match words.split_once(' ') {
        Some((word, rest)) if first.contains(&word) => rest.to_owned(),
        _ => words,
    }
}

/// A name as a person would say it: `getUser_token2` is `get user token2`.
pub(super) fn spoken(name: &str) -> String {
    super::catalogue::split(name).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use sparring_core::{PolicyError, Prompt, Rollout, SampleRequest, TokenBatch};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    /// Bytes for tokens. It lists the same for every parameter, and finds a name likely where a person is asked for.
    struct Names;

    impl Encoder for Names {
        fn prompt(&self, prompt: &Prompt) -> Result<Arc<[u32]>, PolicyError> {
            let Prompt::Text(text) = prompt else { return Err(PolicyError::invalid("no text")) };
            Ok(text.bytes().map(u32::from).collect())
        }

        fn completion(&self, text: &str) -> Result<Vec<u32>, PolicyError> {
            Ok(text.bytes().map(u32::from).collect())
        }
    }

    impl Sampler for Names {
        fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
            let list = |_: usize| Rollout::from_text(" Zoe Quill, Xanadu Lane\n");
            requests.iter().map(|request| Ok((0..request.n).map(list).collect())).collect()
        }
    }

    impl Scorer for Names {
        fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
            let mut logp = Vec::new();
            for group in batch.groups {
                let context: String = group.prompt.iter().map(|byte| *byte as u8 as char).collect();
                let person = context.ends_with("whom =") && context.contains("\npay:");
                for value in &group.completions {
                    let begins = |text: &str| value.iter().map(|byte| *byte as u8).eq(text.bytes());
                    let (name, street) = (begins(" Zo"), begins(" Xa"));
                    let place = context.ends_with("\npay: where =");
                    let likely = (person && name) || (place && street);
                    logp.extend(value.iter().map(|_| if likely { -1.0 } else { -5.0 }));
                }
            }
            Ok(logp)
        }
    }

    #[test]
    fn listed_values_go_to_the_parameter_that_makes_them_likely() {
        let catalogue = Catalogue::from_text(
            r#"[{"name": "pay", "description": "Pays.", "parameters": {
                "whom": {"type": "string"}, "where": {"type": "string"}, "amount": {"type": "number"}}}]"#,
            "tools.json",
        )
        .unwrap();
        let mut steps = Vec::new();
        let mut progress = |done: &str| steps.push(done.to_owned());
        let measured =
            ParameterValues::measure(&catalogue, (&Names, &Names), &Names, Seed::new(1), &mut progress)
                .unwrap();
        assert!(measured.is_of(&catalogue) && !ParameterValues::default().is_of(&catalogue));
        assert_eq!(measured.texts("pay", "whom"), ["Zoe Quill"]);
        assert_eq!(measured.texts("pay", "where").first().map(String::as_str), Some("Xanadu Lane"));
        assert!(measured.texts("pay", "amount").is_empty());
        assert_eq!(steps.last().map(String::as_str), Some("values chosen for 1 of 1 tools"));
        let kept: ParameterValues = serde_json::from_str(&serde_json::to_string(&measured).unwrap()).unwrap();
        assert_eq!(kept, measured);
    }

    #[test]
    fn arguments_are_of_the_schema() {
        let tool = ToolSpec::new("t", "", Map::new(), vec![])
            .with_parameter("a", json!({"type": "integer", "minimum": 3, "maximum": 9}), true)
            .with_parameter("b", json!({"type": "string", "enum": ["x", "y"]}), true)
            .with_parameter("c", json!({"type": "array", "items": {"type": "number"}, "minItems": 2}), true)
            .with_parameter("d", json!({"type": "string"}), true);
        let all: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let mut lengths = BTreeSet::new();
        for i in 0..50 {
            let arguments =
                ParameterValues::default().arguments(&tool, &all, &mut Seed::new(i).rng()).unwrap();
            lengths.insert(arguments["c"].as_array().unwrap().len());
            tool.validate(&ToolCall::new("t", arguments)).unwrap();
        }
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [2, 3]);
        let strict = tool.with_parameter("d", json!({"type": "string", "pattern": "^Q{9}$"}), true);
        assert_eq!(ParameterValues::default().arguments(&strict, &all, &mut Seed::new(0).rng()), None);
    }

    #[test]
    fn one_value_is_no_part_of_another() {
        let map = |value: Value| value.as_object().unwrap().clone();
        assert!(distinct(&map(json!({"a": "Rome", "b": "noon", "c": true}))));
        assert!(!distinct(&map(json!({"a": "City of Rome", "b": "rome"}))));
        assert!(!distinct(&map(json!({"a": 12, "b": "12 dollars"}))));
        assert!(!distinct(&map(json!({"a": ["rice", "fried rice"]}))));
    }
}
