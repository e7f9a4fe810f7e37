use super::{Answer, CallFormat, CallRule};
use serde::{Deserialize, Serialize};
use sparring_tools::{ToolCall, ToolTask};

/// How the names of called tools are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NameOrder {
    /// In order.
    #[default]
    Sequence,
    /// By how often each name is called.
    Multiset,
}

/// Returns whether the same tools are called, regardless of arguments.
///
/// ```
/// use sparring_reward::calls::{NameOrder, same_names};
/// use sparring_tools::ToolCall;
/// let call = |name: &str| ToolCall::new(name, [] as [(&str, _); 0]);
/// let (reference, found) = ([call("f"), call("g")], [call("g"), call("f")]);
/// assert!(same_names(&reference, &found, NameOrder::Multiset));
/// assert!(!same_names(&reference, &found, NameOrder::Sequence));
/// ```
pub fn same_names(reference: &[ToolCall], predicted: &[ToolCall], order: NameOrder) -> bool {
    let names = |calls: &[ToolCall]| {
        let mut names: Vec<String> = calls.iter().map(|call| call.name.trim().to_owned()).collect();
        if order == NameOrder::Multiset {
            names.sort_unstable();
        }
        names
    };
    reference.len() == predicted.len() && names(reference) == names(predicted)
}

/// Scores 1 if the completion calls the task's tools ([`same_names`]), else 0, also if it cannot be read: the partial
/// credit of Tool-N1's fourth reward (arXiv 2505.00024). Component: `names`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SameNames {
    /// The format of calls.
    pub format: CallFormat,
    /// The block that an answer must have; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// How the names are compared.
    pub names: NameOrder,
}

impl CallRule for SameNames {
    fn name(&self) -> &'static str {
        "names"
    }

    fn format(&self) -> CallFormat {
        self.format
    }

    fn block(&self) -> Option<&str> {
        self.block.as_deref()
    }

    fn score(&self, task: &ToolTask, answer: &Answer<'_>) -> Option<f64> {
        let same = answer.calls.is_ok_and(|predicted| same_names(&task.calls, predicted, self.names));
        Some(if same { 1.0 } else { 0.0 })
    }
}

/// A bonus for calling several tools that belong together: `bonus` if the completion calls the task's tools
/// ([`same_names`]), else 0. It does not apply to tasks with fewer than `min_calls` calls.
///
/// `0.3·1[correct multi-tool collaboration]` in Tool-Zero's `r_strict` (arXiv 2511.01934, Eq. 5). The paper does not
/// define the condition; its Fig. 3 gives the bonus to the right tools with wrong values, hence the names. Component:
/// `multi_call`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct MultiCallBonus {
    /// The format of calls.
    pub format: CallFormat,
    /// The bonus.
    pub bonus: f64,
    /// How the names are compared.
    pub names: NameOrder,
    /// Least number of reference calls for which it applies; at least 1.
    pub min_calls: usize,
}

impl Default for MultiCallBonus {
    /// 0.3 for the sequence of names, for two calls or more.
    fn default() -> Self {
        Self { format: CallFormat::default(), bonus: 0.3, names: NameOrder::Sequence, min_calls: 2 }
    }
}

impl MultiCallBonus {
    /// Scores calls in this format.
    pub fn of(format: impl Into<CallFormat>) -> Self {
        Self { format: format.into(), ..Self::default() }
    }

    /// Sets how the names are compared.
    #[must_use]
    pub fn with_names(mut self, names: NameOrder) -> Self {
        self.names = names;
        self
    }
}

impl CallRule for MultiCallBonus {
    fn name(&self) -> &'static str {
        "multi_call"
    }

    fn format(&self) -> CallFormat {
        self.format
    }

    fn score(&self, task: &ToolTask, answer: &Answer<'_>) -> Option<f64> {
        if task.calls.len() < self.min_calls {
            return None;
        }
        let same = answer.calls.is_ok_and(|predicted| same_names(&task.calls, predicted, self.names));
        Some(if same { self.bonus } else { 0.0 })
    }
}
