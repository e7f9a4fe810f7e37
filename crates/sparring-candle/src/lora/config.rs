//! Settings of adapters: the supported part of PEFT's `adapter_config.json`.

use crate::model::Layout;
use fancy_regex::Regex;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sparring_core::PolicyError;
use std::cell::Cell;

/// Which matrices get low-rank factors. In a file: `"all-linear"`, a list of names, or a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
#[non_exhaustive]
pub enum LoraTargets {
    /// Every matrix of every layer.
    AllLinear,
    /// Those whose name is one of these or ends in a dot and one of these, such as `q_proj` or
    /// `layers.0.mlp.up_proj`.
    Names(Vec<String>),
    /// Those whose whole name a regular expression matches, such as `.*\.(q|v)_proj`.
    Pattern(String),
}

/// [`LoraTargets`] as PEFT writes them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Names(Vec<String>),
    Text(String),
}

impl From<Written> for LoraTargets {
    fn from(written: Written) -> Self {
        match written {
            Written::Names(names) => Self::Names(names),
            Written::Text(text) if text.eq_ignore_ascii_case(ALL) => Self::AllLinear,
            Written::Text(text) => Self::Pattern(text),
        }
    }
}

impl From<LoraTargets> for Written {
    fn from(targets: LoraTargets) -> Self {
        match targets {
            LoraTargets::AllLinear => Self::Text(ALL.to_owned()),
            LoraTargets::Names(names) => Self::Names(names),
            LoraTargets::Pattern(pattern) => Self::Text(pattern),
        }
    }
}

impl LoraTargets {
    /// Matrices by the ends of their names.
    pub fn names<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self::Names(names.into_iter().map(Into::into).collect())
    }
}

const ALL: &str = "all-linear";

/// Largest rank: above the widths of published models, so that a factor would be larger than its matrix.
const LARGEST_RANK: usize = 1 << 16;

/// Settings of low-rank adapters; the fields of PEFT's `adapter_config.json`.
///
/// ```
/// use sparring_candle::{LoraConfig, LoraTargets};
/// let lora = LoraConfig::new(16).with_alpha(32.0).with_targets(LoraTargets::names(["q_proj", "v_proj"]));
/// assert_eq!(lora.scale(), 2.0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct LoraConfig {
    /// Rank of the factors, from 1 to 65536.
    #[serde(rename = "r")]
    pub rank: usize,
    /// The factors' product is multiplied by alpha/rank.
    #[serde(rename = "lora_alpha")]
    pub alpha: f64,
    /// Divide alpha by √rank instead of rank (arXiv:2312.03732).
    #[serde(rename = "use_rslora", default)]
    pub rslora: bool,
    /// Probability of dropping an element of the factors' input in training, in [0, 1). The mask is a function of the
    /// seed, the number of earlier calls of `accumulate`, and the token's place in the batch: each call has another
    /// mask, and completions with a shared prompt share its mask.
    ///
    /// For reinforcement learning, leave it at 0, the default. Sampling and scoring have no dropout, so with it the
    /// ratio between the policy in training and the policy that sampled, or was scored before the first step, differs
    /// from 1 even with the same weights (0.88 to 1.16 with a dropout of 0.1), and a KL term is not 0 at the reference.
    /// An update of `sparring-grpo` with several steps measures this and warns. With one step per update the ratio is
    /// 1, and dropout only adds noise.
    #[serde(rename = "lora_dropout", default)]
    pub dropout: f64,
    /// The matrices with factors.
    #[serde(rename = "target_modules")]
    pub targets: LoraTargets,
    /// Ranks of single matrices, by the end of their names (a regular expression); the first match counts.
    #[serde(default)]
    pub rank_pattern: IndexMap<String, usize>,
    /// Alphas of single matrices, likewise.
    #[serde(default)]
    pub alpha_pattern: IndexMap<String, f64>,
    /// Only in these layers (with [`LoraTargets::Names`]); in all of them if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers_to_transform: Option<Vec<usize>>,
    /// Names of the lists of layers that `layers_to_transform` counts: `layers` for the models of this backend. Any
    /// list if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_more")]
    pub layers_pattern: Vec<String>,
    /// Matrices that get no factors although they are targets: names or a pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_modules: Option<LoraTargets>,
    /// Modules that the adapter replaces as a whole, by the ends of their names. They are read, kept and saved, but
    /// this backend trains only factors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules_to_save: Vec<String>,
}

/// A list, or its only item.
fn one_or_more<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Written::deserialize(deserializer)? {
        Written::Names(names) => names,
        Written::Text(name) => vec![name],
    })
}

impl LoraConfig {
    /// Adapters of this rank on every matrix of every layer, alpha twice the rank, no dropout.
    pub fn new(rank: usize) -> Self {
        Self {
            rank,
            alpha: 2.0 * rank as f64,
            rslora: false,
            dropout: 0.0,
            targets: LoraTargets::AllLinear,
            rank_pattern: IndexMap::new(),
            alpha_pattern: IndexMap::new(),
            layers_to_transform: None,
            layers_pattern: Vec::new(),
            exclude_modules: None,
            modules_to_save: Vec::new(),
        }
    }

    /// Sets alpha.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets whether alpha is divided by √rank.
    #[must_use]
    pub fn with_rslora(mut self, rslora: bool) -> Self {
        self.rslora = rslora;
        self
    }

    /// Sets the dropout.
    #[must_use]
    pub fn with_dropout(mut self, probability: f64) -> Self {
        self.dropout = probability;
        self
    }

    /// Sets which matrices.
    #[must_use]
    pub fn with_targets(mut self, targets: LoraTargets) -> Self {
        self.targets = targets;
        self
    }

    /// Sets the rank of the matrices whose names end in `pattern`.
    #[must_use]
    pub fn with_rank_of(mut self, pattern: impl Into<String>, rank: usize) -> Self {
        self.rank_pattern.insert(pattern.into(), rank);
        self
    }

    /// Sets the alpha of the matrices whose names end in `pattern`.
    #[must_use]
    pub fn with_alpha_of(mut self, pattern: impl Into<String>, alpha: f64) -> Self {
        self.alpha_pattern.insert(pattern.into(), alpha);
        self
    }

    /// Sets the layers with factors.
    #[must_use]
    pub fn with_layers(mut self, layers: impl IntoIterator<Item = usize>) -> Self {
        self.layers_to_transform = Some(layers.into_iter().collect());
        self
    }

    /// Sets the matrices without factors.
    #[must_use]
    pub fn with_excluded(mut self, excluded: LoraTargets) -> Self {
        self.exclude_modules = Some(excluded);
        self
    }

    /// Scale of the factors' product, for matrices without a pattern.
    pub fn scale(&self) -> f64 {
        self.scale_of(self.rank, self.alpha)
    }

    fn scale_of(&self, rank: usize, alpha: f64) -> f64 {
        alpha / if self.rslora { (rank as f64).sqrt() } else { rank as f64 }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the field that is out of range.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let bad = |field: &str, why: &str| Err(PolicyError::invalid(format!("lora.{field} {why}")));
        if self.rank == 0 || self.rank_pattern.values().any(|r| *r == 0) {
            return bad("r", "must be at least 1");
        }
        if let Some(rank) = self.rank_pattern.values().chain([&self.rank]).find(|r| **r > LARGEST_RANK) {
            return bad("r", &format!("is {rank}; it must be at most {LARGEST_RANK}"));
        }
        if !(self.alpha.is_finite() && self.alpha_pattern.values().all(|a| a.is_finite())) {
            return bad("lora_alpha", "must be a number");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return bad("lora_dropout", "must be in [0, 1)");
        }
        if matches!(&self.targets, LoraTargets::Names(names) if names.is_empty()) {
            return bad("target_modules", "names no matrix");
        }
        if !self.layers_pattern.is_empty() && self.layers_to_transform.is_none() {
            return bad("layers_pattern", "needs layers_to_transform, whose layers it names");
        }
        if self.layers_to_transform.is_some() && !matches!(self.targets, LoraTargets::Names(_)) {
            return bad("layers_to_transform", "needs target_modules to be a list of names, as for PEFT");
        }
        Ok(())
    }

    pub(crate) fn matcher(&self) -> Result<Matcher<'_>, PolicyError> {
        let whole = |targets: &LoraTargets| match targets {
            LoraTargets::Pattern(p) => regex(&format!("^(?:{p})$")).map(Some),
            _ => Ok(None),
        };
        let tail = |key: &String| regex(&format!(r"^(?:.*\.)?(?:{key})$"));
        let ranks = self.rank_pattern.iter().map(|(k, v)| Ok((tail(k)?, *v))).collect::<Result<_, _>>()?;
        let alphas = self.alpha_pattern.iter().map(|(k, v)| Ok((tail(k)?, *v))).collect::<Result<_, _>>()?;
        let layers = match self.layers_pattern.as_slice() {
            [] => vec![regex(r".*\.[^.]*\.(\d+)\.")?],
            lists => {
                lists.iter().map(|list| regex(&format!(r".*\.{list}\.(\d+)\."))).collect::<Result<_, _>>()?
            }
        };
        let excluded = self.exclude_modules.as_ref().map_or(Ok(None), whole)?;
        let names = if let LoraTargets::Names(names) = &self.targets { names.len() } else { 0 };
        let used = vec![Cell::new(false); names];
        Ok(Matcher { config: self, pattern: whole(&self.targets)?, excluded, layers, ranks, alphas, used })
    }
}

fn regex(pattern: &str) -> Result<Regex, PolicyError> {
    Regex::new(pattern)
        .map_err(|e| PolicyError::invalid(format!("lora: \"{pattern}\" is not a regular expression: {e}")))
}

/// Whether a pattern matches. One that gives up, because it tries too many ways, matches nothing.
fn matches(pattern: &Regex, module: &str) -> bool {
    pattern.is_match(module).unwrap_or(false)
}

/// Whether a module's name is this one, or ends in a dot and this one.
fn is_end(module: &str, name: &str) -> bool {
    module == name || module.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
}

/// The patterns of a configuration, compiled.
#[derive(Debug)]
pub(crate) struct Matcher<'a> {
    config: &'a LoraConfig,
    pattern: Option<Regex>,
    excluded: Option<Regex>,
    /// Each captures a layer's number.
    layers: Vec<Regex>,
    ranks: Vec<(Regex, usize)>,
    alphas: Vec<(Regex, f64)>,
    /// Whether each name matched something.
    used: Vec<Cell<bool>>,
}

impl Matcher<'_> {
    /// Rank and scale for a matrix, if it is a target.
    pub(crate) fn of(&self, module: &str) -> Option<(usize, f32)> {
        let in_layers = |layers: &Vec<usize>| self.layer(module).is_some_and(|l| layers.contains(&l));
        if self.is_excluded(module)
            || !self.config.layers_to_transform.as_ref().is_none_or(in_layers)
            || !self.is_named(module)
        {
            return None;
        }
        let rank = self.ranks.iter().find(|(p, _)| matches(p, module)).map_or(self.config.rank, |(_, r)| *r);
        let alpha =
            self.alphas.iter().find(|(p, _)| matches(p, module)).map_or(self.config.alpha, |(_, a)| *a);
        Some((rank, self.config.scale_of(rank, alpha) as f32))
    }

    fn layer(&self, module: &str) -> Option<usize> {
        let captured = self.layers.iter().find_map(|pattern| pattern.captures(module).ok()?);
        captured?.get(1)?.as_str().parse().ok()
    }

    fn is_excluded(&self, module: &str) -> bool {
        match &self.config.exclude_modules {
            Some(LoraTargets::Names(names)) => names.iter().any(|name| is_end(module, name)),
            _ => self.excluded.as_ref().is_some_and(|pattern| matches(pattern, module)),
        }
    }

    fn is_named(&self, module: &str) -> bool {
        let LoraTargets::Names(names) = &self.config.targets else {
            return self.pattern.as_ref().is_none_or(|p| matches(p, module));
        };
        let mut found = false;
        for (name, used) in names.iter().zip(&self.used) {
            if is_end(module, name) {
                used.set(true);
                found = true;
            }
        }
        found
    }

    /// One name at least must match, as for PEFT.
    pub(crate) fn check_some_used(&self, base: &Layout) -> Result<(), PolicyError> {
        let any = self.used.is_empty() || self.used.iter().any(Cell::get);
        if any && !self.used.is_empty() { self.check_layers(base) } else { self.check_all_used(base) }
    }

    fn check_layers(&self, base: &Layout) -> Result<(), PolicyError> {
        let layers = self.config.layers_to_transform.iter().flatten();
        match layers.into_iter().find(|l| **l >= base.layers.len()) {
            None => Ok(()),
            Some(layer) => Err(PolicyError::invalid(format!(
                "lora.layers_to_transform: there is no layer {layer}; the model has {}",
                base.layers.len()
            ))),
        }
    }

    /// A name without a match is a mistake, or names a matrix for which this backend has no factors.
    pub(crate) fn check_all_used(&self, base: &Layout) -> Result<(), PolicyError> {
        let known = || {
            let first = base.products().take(4).flat_map(|linear| &linear.parts);
            let names: Vec<&str> = first.map(|(name, _)| name.rsplit('.').next().unwrap_or(name)).collect();
            names.join(", ")
        };
        self.check_layers(base)?;
        let unused = match &self.config.targets {
            LoraTargets::AllLinear => None,
            LoraTargets::Names(names) => {
                names.iter().zip(&self.used).find(|(_, used)| !used.get()).map(|(name, _)| name.as_str())
            }
            LoraTargets::Pattern(pattern) => {
                let mut all = base.products().flat_map(|linear| &linear.parts);
                (!all.any(|(name, _)| self.of(name).is_some())).then_some(pattern.as_str())
            }
        };
        match unused {
            None => Ok(()),
            Some(name) => Err(PolicyError::invalid(format!(
                "lora.target_modules: \"{name}\" matches no matrix of the model; it has {} in every layer",
                known()
            ))),
        }
    }
}
