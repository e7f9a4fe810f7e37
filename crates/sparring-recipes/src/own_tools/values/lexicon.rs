//! Everyday values, by kind, and the names of the parameters that take them.

use serde::Deserialize;
use std::sync::LazyLock;

/// Values of one kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kind {
    pub(super) name: String,
    /// Names of parameters that take such values, in the singular.
    #[serde(default)]
    pub(super) names: Vec<String>,
    /// The first two are those that a model is asked about.
    pub(super) values: Vec<String>,
    /// Patterns of further values ([`made`](super::made::made)).
    #[serde(default)]
    pub(super) made: Vec<String>,
    /// Patterns of values that take the place of others in training.
    #[serde(default)]
    pub(super) invented: Vec<String>,
    /// Share of the requests, in [0, 1], that put such a value in quotation marks.
    #[serde(default)]
    pub(super) quoted: f64,
    /// Whether the values count things of any sort: words that do, and all numbers.
    #[serde(default)]
    pub(super) counts: bool,
    /// Whether all values are numbers.
    #[serde(skip)]
    pub(super) numbers: bool,
}

#[derive(Deserialize)]
struct Lexicon {
    kind: Vec<Kind>,
}

/// All kinds, in the order of the file.
pub(super) static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    // The file is a part of the program, and a test reads it.
    let Ok(mut lexicon) = toml::from_str::<Lexicon>(include_str!("lexicon.toml")) else { return Vec::new() };
    for kind in &mut lexicon.kind {
        kind.numbers = kind.values.iter().all(|value| value.parse::<f64>().is_ok());
        kind.counts |= kind.numbers;
    }
    lexicon.kind
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lexicon_is_read() {
        let kinds = toml::from_str::<Lexicon>(include_str!("lexicon.toml")).unwrap().kind;
        assert_eq!(kinds.len(), KINDS.len());
        let kind = |name: &str| KINDS.iter().find(|kind| kind.name == name).unwrap();
        assert!(kind("decimal").numbers && !kind("id").numbers && !kind("time").numbers);
        for (i, kind) in kinds.iter().enumerate() {
            assert!(kinds[..i].iter().all(|other| other.name != kind.name), "{} stands twice", kind.name);
        }
    }
}
