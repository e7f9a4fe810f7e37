//! Which kinds of everyday values fit the parameters.

use super::super::Catalogue;
use super::lexicon::{KINDS, Kind};
use super::likelihood::{Place, Usual, likelihoods};
use super::made::made;
use super::names::named;
use crate::grammar::is_number;
use crate::tool_r0::pick;
use rand::Rng;
use serde::{Deserialize, Serialize};
use sparring_core::{Encoder, PolicyError, Scorer};
use sparring_tools::ToolSpec;
use std::collections::BTreeMap;

/// Fits by tool, parameter and name of the kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Kinds(BTreeMap<String, BTreeMap<String, BTreeMap<String, f32>>>);

/// A kind is drawn if its fit is at most this far below the best, with weight exp(SLOPE · fit).
const WITHIN: f32 = 0.7;
const SLOPE: f64 = 2.0;

/// Share of the values that are made from a kind's patterns, where it has some.
const MADE: f64 = 0.5;

/// Values of a kind that the model is asked about.
const ASKED: usize = 2;

impl Kinds {
    /// Asks a model: for about 130 values behind each parameter, in two texts.
    pub(super) fn measure(
        catalogue: &Catalogue,
        scorer: &dyn Scorer,
        encoder: &dyn Encoder,
    ) -> Result<Self, PolicyError> {
        let of_tool = |tool: &ToolSpec| -> Vec<Place> {
            tool.parameters.keys().map(|name| Place::of(tool, name)).collect()
        };
        let mut places: Vec<Place> = catalogue.tools().iter().flat_map(of_tool).collect();
        let parameters = places.len();
        places.extend(Place::others());
        let likely = of_kinds(&places, scorer, encoder)?;
        let (likely, others) = likely.split_at(parameters);
        let usual: Vec<Usual> =
            (0..KINDS.len()).map(|k| Usual::of(others.iter().map(|row| row[k]))).collect();
        let mut rows = likely.iter();
        let mut fits = Self::default();
        for tool in catalogue.tools() {
            for (name, row) in tool.parameters.keys().zip(&mut rows) {
                let fit = |k: usize| (KINDS[k].name.clone(), usual[k].fit(row[k]));
                let row = (0..KINDS.len()).map(fit).collect();
                fits.0.entry(tool.name.clone()).or_default().insert(name.clone(), row);
            }
        }
        Ok(fits)
    }

    /// Whether every parameter of these tools has a fit for every kind.
    pub(super) fn are_of(&self, catalogue: &Catalogue) -> bool {
        let measured = |tool: &ToolSpec, name: &String| {
            let row = self.0.get(&tool.name).and_then(|parameters| parameters.get(name));
            row.is_some_and(|row| KINDS.iter().all(|kind| row.contains_key(&kind.name)))
        };
        catalogue.tools().iter().all(|tool| tool.parameters.keys().all(|name| measured(tool, name)))
    }

    /// The kinds that may be drawn, numbers only or all, by falling fit: those that the parameter's name speaks of, or
    /// else any.
    fn fitting(&self, tool: &ToolSpec, parameter: &str, numbers: bool) -> Vec<(usize, f32)> {
        let fits = self.0.get(&tool.name).and_then(|row| row.get(parameter));
        let fit = |k: usize| fits.and_then(|row| row.get(&KINDS[k].name)).copied().unwrap_or(0.0);
        let of_type = |k: &usize| !numbers || KINDS[*k].numbers;
        let mut kinds: Vec<usize> = named_kinds(tool, parameter).into_iter().filter(of_type).collect();
        if kinds.is_empty() {
            kinds = (0..KINDS.len()).filter(of_type).collect();
        }
        let mut kinds: Vec<(usize, f32)> = kinds.into_iter().map(|k| (k, fit(k))).collect();
        kinds.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let best = kinds.first().map_or(0.0, |kind| kind.1);
        kinds.retain(|kind| kind.1 >= best - WITHIN);
        kinds
    }

    /// Whether two parameters, both with names that say what they take, take values of one kind.
    pub(super) fn alike(&self, tool: &ToolSpec, a: &str, b: &str) -> bool {
        let number = |name: &str| tool.parameters.get(name).is_some_and(is_number);
        // An enumeration takes its own values only.
        let enumerated =
            |name: &str| tool.parameters.get(name).is_some_and(|schema| schema.get("enum").is_some());
        if enumerated(a) || enumerated(b) {
            return enumerated(a)
                && enumerated(b)
                && tool.parameters[a]["enum"] == tool.parameters[b]["enum"];
        }
        let kinds = |name: &str| {
            let known = !named_kinds(tool, name).is_empty();
            if known { self.fitting(tool, name, number(name)) } else { Vec::new() }
        };
        let b = kinds(b);
        kinds(a).iter().any(|kind| b.iter().any(|other| other.0 == kind.0))
    }

    /// The values of the fitting kinds: the first of each, then the second ones, and so on.
    pub(super) fn values(
        &self,
        tool: &ToolSpec,
        parameter: &str,
    ) -> impl Iterator<Item = &'static str> + use<> {
        let kinds = self.fitting(tool, parameter, false);
        let most = kinds.iter().map(|kind| KINDS[kind.0].values.len()).max().unwrap_or(0);
        (0..most).flat_map(move |i| {
            let values: Vec<&str> =
                kinds.iter().filter_map(|kind| KINDS[kind.0].values.get(i).map(String::as_str)).collect();
            values
        })
    }

    /// A value of a fitting kind.
    pub(super) fn draw(
        &self,
        tool: &ToolSpec,
        parameter: &str,
        numbers: bool,
        rng: &mut impl Rng,
    ) -> Option<String> {
        let kind = self.kind(tool, parameter, numbers, rng)?;
        if !kind.made.is_empty() && rng.random::<f64>() < MADE {
            return Some(made(&kind.made[rng.random_range(0..kind.made.len())], rng));
        }
        Some(kind.values[rng.random_range(0..kind.values.len())].clone())
    }

    /// An invented text for a parameter whose name says what it takes.
    pub(super) fn invented(&self, tool: &ToolSpec, parameter: &str, rng: &mut impl Rng) -> Option<String> {
        if named_kinds(tool, parameter).is_empty() {
            return None;
        }
        let patterns = &self.kind(tool, parameter, false, rng)?.invented;
        (!patterns.is_empty()).then(|| made(&patterns[rng.random_range(0..patterns.len())], rng))
    }

    /// A fitting kind, the better ones more often.
    fn kind(
        &self,
        tool: &ToolSpec,
        parameter: &str,
        numbers: bool,
        rng: &mut impl Rng,
    ) -> Option<&'static Kind> {
        let kinds = self.fitting(tool, parameter, numbers);
        let chosen = pick(rng, kinds.len(), |i| (SLOPE * f64::from(kinds[i].1 - kinds[0].1)).exp())?;
        Some(&KINDS[kinds[chosen].0])
    }
}

/// The kinds that a parameter takes by its name or description.
pub(super) fn named_kinds(tool: &ToolSpec, parameter: &str) -> Vec<usize> {
    tool.parameters.get(parameter).map_or_else(Vec::new, |schema| named(parameter, schema))
}

/// For each place and each kind, the mean log-probability of the kind's values in both texts.
fn of_kinds(
    places: &[Place],
    scorer: &dyn Scorer,
    encoder: &dyn Encoder,
) -> Result<Vec<Vec<f32>>, PolicyError> {
    let both: Vec<[String; 2]> = places.iter().map(|place| [place.of_action(), place.described()]).collect();
    // Parameters of one name may share a text.
    let mut texts = both.concat();
    texts.sort_unstable();
    texts.dedup();
    let values: Vec<&str> = KINDS.iter().flat_map(|kind| &kind.values[..ASKED]).map(String::as_str).collect();
    let rows = likelihoods(&texts, &values, scorer, encoder)?;
    let rows: BTreeMap<&String, &Vec<f32>> = texts.iter().zip(&rows).collect();
    let sum = |text: &String, k: usize| rows[text][k * ASKED..(k + 1) * ASKED].iter().sum::<f32>();
    let mean = |[a, b]: &[String; 2]| {
        (0..KINDS.len()).map(|k| (sum(a, k) + sum(b, k)) / (2 * ASKED) as f32).collect()
    };
    Ok(both.iter().map(mean).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring_core::Seed;

    #[test]
    fn every_kind_has_values_to_ask_about() {
        for kind in KINDS.iter() {
            assert!(kind.values.len() > ASKED, "{}", kind.name);
        }
    }

    #[test]
    fn kinds_are_drawn_by_their_fit() {
        let kind = |name: &str| KINDS.iter().find(|kind| kind.name == name).unwrap();
        let row = BTreeMap::from([("size".to_owned(), 9.0), ("color".to_owned(), 8.5)]);
        let parameters = BTreeMap::from([("xyzzy".to_owned(), row)]);
        let kinds = Kinds(BTreeMap::from([("t".to_owned(), parameters)]));
        let text = serde_json::json!({"type": "string"});
        let tool = ToolSpec::new("t", "", serde_json::Map::new(), vec![])
            .with_parameter("xyzzy", text.clone(), true)
            .with_parameter("other", text.clone(), true)
            .with_parameter("color", text, true);
        let names = |parameter: &str| -> Vec<&str> {
            let fitting = kinds.fitting(&tool, parameter, false);
            fitting.iter().map(|kind| KINDS[kind.0].name.as_str()).collect()
        };
        assert_eq!(names("xyzzy"), ["size", "color"]);
        assert_eq!(names("color"), ["color"]);
        assert_eq!(names("other").len(), KINDS.len());
        let size = kind("size");
        assert_eq!(kinds.values(&tool, "xyzzy").next(), Some(size.values[0].as_str()));
        let mut rng = Seed::new(1).rng();
        let sizes = (0..1000)
            .filter(|_| size.values.contains(&kinds.draw(&tool, "xyzzy", false, &mut rng).unwrap()))
            .count();
        // e / (1 + e) = 0.73 of the draws.
        assert!((680..780).contains(&sizes), "{sizes}");
        assert!(kinds.draw(&tool, "color", true, &mut rng).unwrap().parse::<f64>().is_ok());
    }
}
