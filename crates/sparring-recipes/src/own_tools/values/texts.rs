//! Texts for the parameters that take any: listed by a model, and chosen where they tell parameters apart.

use super::super::Catalogue;
use super::kinds::Kinds;
use super::likelihood::{Place, Usual, likelihoods};
use super::names::named;
use crate::grammar::says_more;
use serde_json::Value;
use sparring_core::{Encoder, PolicyError, Prompt, SampleRequest, Sampler, SamplingParams, Scorer, Seed};
use sparring_tools::ToolSpec;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Lists that the model continues for a parameter, their length in tokens, and the sampling temperature.
const LISTS: usize = 8;
const TOKENS: usize = 24;
const TEMPERATURE: f32 = 0.7;

/// Most words and characters of a listed value, and most values of a list.
const WORDS: usize = 4;
const CHARS: usize = 28;
const ITEMS: usize = 6;

/// Values that are compared for one parameter: of the lists, and of the fitting kinds.
const LISTED: usize = 16;
const EVERYDAY: usize = 8;
/// Values that a parameter keeps; and how many if none fits.
const KEPT: usize = 12;
const LEAST: usize = 3;

/// What the lists are continued from.
const EXAMPLES: [[&str; 3]; 8] = [
    ["send money", "amount", "45, 120, 9.99, 1000"],
    ["find flight", "airline", "Lufthansa, Delta, Emirates, Ryanair"],
    ["add contact", "full name", "Liam Byrne, Aisha Khan, Grace Kim, David Novak"],
    ["set alarm", "time", "7 am, quarter to six, noon, 18:30"],
    ["translate", "text", "good evening, where is the station, thank you very much, I am hungry"],
    ["track order", "order id", "ZX-4471, 100382, B77-19, A9920"],
    ["order food", "dish", "pizza, fried rice, lentil soup, tacos"],
    ["turn on light", "where", "in the kitchen, upstairs, bedroom, hallway"],
];

/// The parameters of a tool whose values may be any text, or lists of them, and whose names do not say which.
fn of_any_text(tool: &ToolSpec) -> impl Iterator<Item = &String> {
    let unknown =
        |(name, schema): &(&String, &Value)| takes_any_text(schema) && named(name, schema).is_empty();
    tool.parameters.iter().filter(unknown).map(|(name, _)| name)
}

fn takes_any_text(schema: &Value) -> bool {
    let Value::Object(map) = schema else { return false };
    match map.get("type").and_then(Value::as_str) {
        Some("string" | "str") => !says_more(map, &["enum", "const"]),
        Some("array" | "list") => map.get("items").is_some_and(takes_any_text),
        _ => false,
    }
}

fn list_prompt(place: &Place) -> String {
    let mut text = "Things that people say when they ask an assistant for something.\n\n".to_owned();
    for [action, parameter, list] in EXAMPLES {
        let _ = write!(text, "Action: {action}\nParameter: {parameter}\nExamples: {list}\n\n");
    }
    let Place { action, parameter, about } = place;
    let _ = write!(text, "Action: {action}\nParameter: {parameter}{about}\nExamples:");
    text
}

/// What a model lists for each parameter of each tool that takes any text, the most frequent first.
pub(super) fn listed(
    catalogue: &Catalogue,
    sampler: &dyn Sampler,
    seed: Seed,
) -> Result<Vec<BTreeMap<String, Vec<String>>>, PolicyError> {
    let params =
        SamplingParams::default().with_temperature(TEMPERATURE).with_max_tokens(TOKENS).with_stop(["\n"]);
    let mut requests = Vec::new();
    for tool in catalogue.tools() {
        for name in of_any_text(tool) {
            let prompt = Prompt::Text(list_prompt(&Place::of(tool, name)));
            let seed = seed.index(requests.len() as u64);
            requests.push(SampleRequest::new(prompt, LISTS, params.clone(), seed));
        }
    }
    let mut sampled = sampler.sample_all(&requests)?.into_iter();
    let mut all = Vec::new();
    for tool in catalogue.tools() {
        let mut rows = BTreeMap::new();
        for name in of_any_text(tool) {
            let lists = sampled.next().unwrap_or_default();
            let lists: Vec<(&str, bool)> =
                lists.iter().map(|list| (list.text.as_str(), list.truncated())).collect();
            rows.insert(name.clone(), items(&lists));
        }
        all.push(rows);
    }
    Ok(all)
}

/// The distinct items of some lists, the most frequent first. The last item of a list that was cut off is left out.
fn items(lists: &[(&str, bool)]) -> Vec<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for (list, cut) in lists {
        let mut list: Vec<&str> = list.lines().next().unwrap_or_default().split(',').collect();
        if *cut {
            list.pop();
        }
        let trimmed = |item: &str| item.trim().trim_matches(['.', '"', '\u{201c}', '\u{201d}']).to_owned();
        for item in list.into_iter().take(ITEMS).map(trimmed).filter(|item| is_value(item)) {
            match counts.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&item)) {
                Some((_, count)) => *count += 1,
                None => counts.push((item, 1)),
            }
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().map(|(item, _)| item).collect()
}

/// Whether a text may be said as a value, and is none of the examples.
fn is_value(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || " .:'&@/+-_$%#".contains(c);
    let copied =
        EXAMPLES.iter().any(|[_, _, list]| list.split(", ").any(|item| item.eq_ignore_ascii_case(text)));
    (1..=CHARS).contains(&text.chars().count())
        && text.split_whitespace().count() <= WORDS
        && text.starts_with(|c: char| c.is_alphanumeric() || c == '$')
        && text.chars().all(plain)
        && !copied
}

/// The texts that each parameter of a tool keeps.
pub(super) fn chosen(
    tool: &ToolSpec,
    kinds: &Kinds,
    listed: &BTreeMap<String, Vec<String>>,
    scorer: &dyn Scorer,
    encoder: &dyn Encoder,
) -> Result<BTreeMap<String, Vec<String>>, PolicyError> {
    let names: Vec<&String> = of_any_text(tool).collect();
    let mut candidates: BTreeSet<&str> = BTreeSet::new();
    for name in &names {
        candidates.extend(listed[*name].iter().take(LISTED).map(String::as_str));
        kinds.values(tool, name).take(EVERYDAY).for_each(|value| _ = candidates.insert(value));
    }
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if candidates.is_empty() {
        return Ok(BTreeMap::new());
    }
    // A third of them: each is a context for every candidate, and the tool's own parameters decide.
    let others = Place::others().step_by(3);
    let places = names.iter().map(|name| Place::of(tool, name)).chain(others);
    let contexts: Vec<String> = places.map(|place| place.of_action()).collect();
    let rows = likelihoods(&contexts, &candidates, scorer, encoder)?;
    let (rows, others) = rows.split_at(names.len());
    let ranked = |i: usize| {
        let kept = ranking(i, rows, others).into_iter().map(|v| candidates[v].to_owned()).collect();
        (names[i].clone(), kept)
    };
    Ok((0..names.len()).map(ranked).collect())
}

/// The values that parameter `i` keeps, by their places. `rows` has the log-probabilities of the values behind each
/// parameter of the tool, `others` those behind unrelated parameters.
fn ranking(i: usize, rows: &[Vec<f32>], others: &[Vec<f32>]) -> Vec<usize> {
    // Of two parameters, neither need be special: they may be the ends of a journey.
    let least_log_share = if rows.len() > 2 { (1.2 / rows.len() as f32).ln() } else { f32::NEG_INFINITY };
    let mut values: Vec<Candidate> = (0..rows[i].len())
        .map(|index| {
            let best = rows.iter().map(|row| row[index]).fold(f32::NEG_INFINITY, f32::max);
            let all = rows.iter().map(|row| (row[index] - best).exp()).sum::<f32>().ln() + best;
            let (logp, usual) = (rows[i][index], Usual::of(others.iter().map(|row| row[index])));
            let (fit, log_share) = (usual.fit(logp), logp - all);
            let fits = fit > 0.0 && log_share >= least_log_share && logp >= best - std::f32::consts::LN_2;
            Candidate { index, score: fit + log_share, fits }
        })
        .collect();
    values.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.index.cmp(&b.index)));
    let fitting: Vec<usize> = values.iter().filter(|value| value.fits).map(|value| value.index).collect();
    let kept = if fitting.is_empty() {
        values.iter().map(|value| value.index).take(LEAST).collect()
    } else {
        fitting
    };
    kept.into_iter().take(KEPT).collect()
}

/// A value that a parameter may keep.
struct Candidate {
    index: usize,
    /// s + log r.
    score: f32,
    fits: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_are_the_whole_ones_by_frequency() {
        let lists = [
            (" Oslo, Rome, Ber", true),
            ("rome, Lufthansa, {\"x\"}", false),
            (" Lima.\nAction: x, y", false),
        ];
        assert_eq!(items(&lists), ["Rome", "Oslo", "Lima"]);
    }

    #[test]
    fn a_parameter_keeps_what_fits_it_and_no_other_better() {
        // Behind each of two parameters: a value that only fits the first, one of both, one of none.
        let rows = [vec![-2.0, -3.0, -9.0], vec![-8.0, -3.5, -9.0]];
        let others = [vec![-9.0, -9.0, -8.0], vec![-8.0, -8.0, -8.0]];
        assert_eq!(ranking(0, &rows, &others), [0, 1]);
        assert_eq!(ranking(1, &rows, &others), [1]);
        // Of three parameters, one must have more than an even share: 0.4 of the likelihoods.
        let shares = |third: f32| {
            let rows = [vec![-2.0, -2.5], vec![-2.3, -9.0], vec![third, -9.0]];
            ranking(0, &rows, &[vec![-9.0, -9.0]])
        };
        assert_eq!((shares(-2.2), shares(-9.0)), (vec![1], vec![0, 1]));
        // Nothing fits a third, which makes all equally unlikely: it keeps those that come nearest.
        let rows = [rows[0].clone(), rows[1].clone(), vec![-9.0; 3]];
        assert_eq!(ranking(2, &rows, &others).len(), 3);
    }

    #[test]
    fn enumerations_and_numbers_need_no_texts() {
        let tool = ToolSpec::new("t", "", serde_json::Map::new(), vec![])
            .with_parameter("a", json!({"type": "string"}), true)
            .with_parameter("b", json!({"type": "string", "enum": ["x"]}), true)
            .with_parameter("c", json!({"type": "integer"}), true)
            .with_parameter("d", json!({"type": "array", "items": {"type": "string"}}), true);
        assert_eq!(of_any_text(&tool).collect::<Vec<_>>(), ["a", "d"]);
    }
}
