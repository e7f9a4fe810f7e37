use super::domains::DOMAINS;
use crate::RecipeError;
use rand::Rng;
use serde::{Deserialize, Serialize};
use sparring_core::Seed;
use sparring_train::check::at_most;

/// The form of the user's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Context {
    /// One user message.
    SingleTurn,
    /// A short transcript inside the question.
    MultiTurn,
}

impl Context {
    /// Returns `single_turn` or `multi_turn`, as shown in prompts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SingleTurn => "single_turn",
            Self::MultiTurn => "multi_turn",
        }
    }
}

/// The specification of a task that the Generator is to write: s = (d, c, m, n) of arXiv 2602.21320, §3.1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Topic, d.
    pub domain: String,
    /// Single or multi turn, c.
    pub context: Context,
    /// Number of tools, m.
    pub tools: usize,
    /// Number of gold calls, n; 0 requests a task that no tool on the list serves.
    pub calls: usize,
    /// Total number of arguments of all gold calls, if requested. The paper does not request it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<usize>,
}

/// One component of a mixture over a number of tools or arguments: uniform over `from..=to`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountRange {
    /// Smallest number; at least 1.
    pub from: usize,
    /// Largest number; at least `from`.
    pub to: usize,
    /// Weight of this component relative to its siblings; at least 0.
    pub weight: f64,
}

impl CountRange {
    /// Returns a uniform component over `from..=to` with this weight.
    pub const fn new(from: usize, to: usize, weight: f64) -> Self {
        Self { from, to, weight }
    }
}

/// One possible number of calls, with the distributions of the numbers of tools and arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallsWeight {
    /// Number of calls, n; 0 requests a no-call task.
    pub calls: usize,
    /// Weight in single-turn contexts; at least 0.
    pub single_turn: f64,
    /// Weight in multi-turn contexts; at least 0.
    #[serde(default)]
    pub multi_turn: f64,
    /// Distribution of the number of tools, m, given this n.
    pub tools: Vec<CountRange>,
    /// Distribution of the total number of arguments of all calls, given this n; empty, as in the paper, if none is
    /// requested. A Generator that may choose drifts to calls with one argument, which are the easiest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<CountRange>,
}

/// The distribution of [`TaskSpec`]s: first the domain and the context, then n given the context, then m and, if
/// requested, the number of arguments given n. Weights need not sum to 1. The default is Tool-R0's (arXiv 2602.21320,
/// §3.1 and its released code):
///
/// ```text
/// d ~ uniform over 32 domains          c ~ {single 0.9, multi 0.1}
/// n ~ {1: 0.8, 2: 0.2} single turn     n = 1 multi turn
/// m ~ 0.4·U{2..4} + 0.6·U{5..8}  if n = 1
/// m ~ {3: 0.3, 4: 0.4, 5: 0.3}   if n = 2
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SpecDistribution {
    /// Domains to draw from.
    pub domains: Vec<String>,
    /// Weight of each domain, in the order of `domains`; empty for equal weights.
    pub domain_weights: Vec<f64>,
    /// Probability of a multi-turn context, in [0, 1].
    pub multi_turn: f64,
    /// The possible numbers of calls.
    pub calls: Vec<CallsWeight>,
}

impl Default for SpecDistribution {
    fn default() -> Self {
        Self {
            domains: DOMAINS.map(str::to_owned).to_vec(),
            domain_weights: Vec::new(),
            multi_turn: 0.1,
            calls: vec![
                CallsWeight {
                    calls: 1,
                    single_turn: 0.8,
                    multi_turn: 1.0,
                    tools: vec![CountRange::new(2, 4, 0.4), CountRange::new(5, 8, 0.6)],
                    arguments: Vec::new(),
                },
                CallsWeight {
                    calls: 2,
                    single_turn: 0.2,
                    multi_turn: 0.0,
                    tools: vec![
                        CountRange::new(3, 3, 0.3),
                        CountRange::new(4, 4, 0.4),
                        CountRange::new(5, 5, 0.3),
                    ],
                    arguments: Vec::new(),
                },
            ],
        }
    }
}

impl SpecDistribution {
    /// Replaces the domains, with equal weights.
    #[must_use]
    pub fn with_domains<S: Into<String>>(mut self, domains: impl IntoIterator<Item = S>) -> Self {
        self.domains = domains.into_iter().map(Into::into).collect();
        self.domain_weights.clear();
        self
    }

    /// Sets the probability of a multi-turn context.
    #[must_use]
    pub fn with_multi_turn(mut self, probability: f64) -> Self {
        self.multi_turn = probability;
        self
    }

    /// Replaces the possible numbers of calls.
    #[must_use]
    pub fn with_calls(mut self, calls: Vec<CallsWeight>) -> Self {
        self.calls = calls;
        self
    }

    /// Draws a specification.
    ///
    /// Call [`SpecDistribution::validate`] first: an empty list draws an empty domain, 1 call or 1 tool.
    pub fn draw(&self, seed: Seed) -> TaskSpec {
        let mut rng = seed.rng();
        let domain = match pick(&mut rng, self.domains.len(), |i| self.domain_weight(i)) {
            Some(i) => self.domains[i].clone(),
            None => String::new(),
        };
        let context =
            if rng.random::<f64>() < self.multi_turn { Context::MultiTurn } else { Context::SingleTurn };
        let Some(i) = pick(&mut rng, self.calls.len(), |i| self.calls[i].weight(context)) else {
            return TaskSpec { domain, context, tools: 1, calls: 1, arguments: None };
        };
        let row = &self.calls[i];
        let tools = draw_count(&row.tools, &mut rng).unwrap_or(1);
        let arguments = draw_count(&row.arguments, &mut rng);
        TaskSpec { domain, context, tools, calls: row.calls, arguments }
    }

    fn domain_weight(&self, i: usize) -> f64 {
        self.domain_weights.get(i).copied().unwrap_or(1.0)
    }

    /// Checks lists, weights and ranges.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field.
    pub fn validate(&self) -> Result<(), RecipeError> {
        let bad = |field: String, why: &str| Err(RecipeError::setting(format!("spec.{field}"), why));
        if self.domains.is_empty() {
            return bad("domains".into(), "must name at least one domain");
        }
        if !self.domain_weights.is_empty() && self.domain_weights.len() != self.domains.len() {
            return bad("domain_weights".into(), "must be empty or have one weight for each domain");
        }
        if !(0.0..=1.0).contains(&self.multi_turn) {
            return bad("multi_turn".into(), "must be a probability in [0, 1]");
        }
        check_weights("spec.domain_weights", (0..self.domains.len()).map(|i| self.domain_weight(i)))?;
        if self.multi_turn < 1.0 {
            check_weights("spec.calls.single_turn", self.calls.iter().map(|c| c.single_turn))?;
        }
        if self.multi_turn > 0.0 {
            check_weights("spec.calls.multi_turn", self.calls.iter().map(|c| c.multi_turn))?;
        }
        for row in &self.calls {
            at_most("spec.calls.calls", row.calls, MOST_NAMED).map_err(RecipeError::of_setting)?;
            check_counts("spec.calls.tools", &row.tools)?;
            if !row.arguments.is_empty() {
                if row.calls == 0 {
                    return bad("calls.arguments".into(), "must be empty if calls is 0");
                }
                check_counts("spec.calls.arguments", &row.arguments)?;
            }
        }
        Ok(())
    }
}

impl CallsWeight {
    fn weight(&self, context: Context) -> f64 {
        match context {
            Context::SingleTurn => self.single_turn,
            Context::MultiTurn => self.multi_turn,
        }
    }
}

/// The most tools, calls or arguments that a specification asks a model for.
const MOST_NAMED: usize = 1000;

/// Draws a number from this mixture; `None` if no weight is positive.
fn draw_count(ranges: &[CountRange], rng: &mut impl Rng) -> Option<usize> {
    let range = &ranges[pick(rng, ranges.len(), |i| ranges[i].weight)?];
    Some(rng.random_range(range.from..=range.to.max(range.from)))
}

fn check_counts(field: &str, ranges: &[CountRange]) -> Result<(), RecipeError> {
    check_weights(&format!("{field}.weight"), ranges.iter().map(|range| range.weight))?;
    if ranges.iter().any(|range| range.from == 0 || range.to < range.from) {
        return Err(RecipeError::setting(field, "each range needs 1 <= from <= to"));
    }
    let largest = ranges.iter().map(|range| range.to).max().unwrap_or(0);
    at_most(field, largest, MOST_NAMED).map_err(RecipeError::of_setting)
}

/// Checks that weights are finite, not negative, and not all zero.
pub(crate) fn check_weights(field: &str, weights: impl Iterator<Item = f64>) -> Result<(), RecipeError> {
    let mut sum = 0.0;
    for weight in weights {
        if !(weight.is_finite() && weight >= 0.0) {
            return Err(RecipeError::setting(
                field,
                format!("weight {weight} must be finite and at least 0"),
            ));
        }
        sum += weight;
    }
    if sum > 0.0 { Ok(()) } else { Err(RecipeError::setting(field, "at least one weight must be positive")) }
}

/// Draws an index in `0..n` with probability proportional to its weight; `None` if no weight is positive.
pub(crate) fn pick(rng: &mut impl Rng, n: usize, weight: impl Fn(usize) -> f64) -> Option<usize> {
    let total: f64 = (0..n).map(&weight).sum();
    let mut left = rng.random::<f64>() * total;
    let mut last = None;
    for i in (0..n).filter(|&i| weight(i) > 0.0) {
        last = Some(i);
        left -= weight(i);
        if left < 0.0 {
            break;
        }
    }
    last
}
