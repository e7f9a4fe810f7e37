//! Which kinds of everyday values fit the parameters.

use super::super::Catalogue;
use super::lexicon::KINDS;
use super::likelihood::{Place, Usual, likelihoods};
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
                let fit = |k: usize| (KINDS[k].name.to_owned(), usual[k].fit(row[k]));
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
            row.is_some_and(|row| KINDS.iter().all(|kind| row.contains_key(kind.name)))
        };
        catalogue.tools().iter().all(|tool| tool.parameters.keys().all(|name| measured(tool, name)))
    }

    /// The kinds that may be drawn, numbers only or all, by falling fit; all of them where nothing was measured.
    fn fitting(&self, tool: &str, parameter: &str, numbers: bool) -> Vec<(usize, f32)> {
        let fits = self.0.get(tool).and_then(|row| row.get(parameter));
        let fit = |k: usize| fits.and_then(|row| row.get(KINDS[k].name)).copied().unwrap_or(0.0);
        let mut kinds: Vec<(usize, f32)> =
            (0..KINDS.len()).filter(|&k| !numbers || KINDS[k].numbers).map(|k| (k, fit(k))).collect();
        kinds.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let best = kinds.first().map_or(0.0, |kind| kind.1);
        kinds.retain(|kind| kind.1 >= best - WITHIN);
        kinds
    }

    /// The values of the fitting kinds: the first of each, then the second ones, and so on.
    pub(super) fn values(&self, tool: &str, parameter: &str) -> impl Iterator<Item = &'static str> + use<> {
        let kinds = self.fitting(tool, parameter, false);
        let most = kinds.iter().map(|kind| KINDS[kind.0].values.len()).max().unwrap_or(0);
        (0..most).flat_map(move |i| {
            let values: Vec<&str> =
                kinds.iter().filter_map(|kind| KINDS[kind.0].values.get(i).copied()).collect();
            values
        })
    }

    /// A value of a fitting kind.
    pub(super) fn draw(
        &self,
        tool: &str,
        parameter: &str,
        numbers: bool,
        rng: &mut impl Rng,
    ) -> Option<&'static str> {
        let kinds = self.fitting(tool, parameter, numbers);
        let chosen = pick(rng, kinds.len(), |i| (SLOPE * f64::from(kinds[i].1 - kinds[0].1)).exp())?;
        let values = KINDS[kinds[chosen].0].values;
        Some(values[rng.random_range(0..values.len())])
    }
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
    let values: Vec<&str> = KINDS.iter().flat_map(|kind| &kind.values[..ASKED]).copied().collect();
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
        for kind in KINDS {
            assert!(kind.values.len() > ASKED, "{}", kind.name);
            let numbers = kind.values.iter().all(|value| value.parse::<f64>().is_ok());
            assert_eq!(kind.numbers, numbers, "{}", kind.name);
        }
    }

    #[test]
    fn kinds_are_drawn_by_their_fit() {
        let city = KINDS.iter().position(|kind| kind.name == "city").unwrap();
        let row = BTreeMap::from([("city".to_owned(), 9.0), ("time".to_owned(), 8.5)]);
        let parameters = BTreeMap::from([("where".to_owned(), row)]);
        let kinds = Kinds(BTreeMap::from([("t".to_owned(), parameters)]));
        let fitting = kinds.fitting("t", "where", false);
        assert_eq!(fitting.iter().map(|kind| KINDS[kind.0].name).collect::<Vec<_>>(), ["city", "time"]);
        assert_eq!(kinds.values("t", "where").next(), Some(KINDS[city].values[0]));
        assert_eq!(kinds.fitting("t", "other", false).len(), KINDS.len());
        let mut rng = Seed::new(1).rng();
        let cities = (0..1000)
            .filter(|_| KINDS[city].values.contains(&kinds.draw("t", "where", false, &mut rng).unwrap()))
            .count();
        // e / (1 + e) = 0.73 of the draws.
        assert!((680..780).contains(&cities), "{cities}");
        assert!(kinds.draw("t", "where", true, &mut rng).unwrap().parse::<f64>().is_ok());
    }
}
