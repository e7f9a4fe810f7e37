use super::{Answer, CallFormat, CallRule};
use serde::{Deserialize, Serialize};
use sparring_tools::ToolTask;

/// What extra calls do to a score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExtraForm {
    /// `-alpha·extra`, at most 0: to be added.
    #[default]
    Penalty,
    /// `1 / (1 + alpha·extra)`, in (0, 1]: to be multiplied with, as in Tool-R0 (arXiv 2602.21320, Eq. 7).
    Factor,
}

/// A price for more calls than the reference has: `extra = max(0, |Ĉ| - |C*|)`. A completion that cannot be read has
/// none. Component: `extra_calls`.
///
/// ```
/// use sparring_reward::calls::{ExtraCalls, ExtraForm};
/// let factor = ExtraCalls { form: ExtraForm::Factor, ..ExtraCalls::default() };
/// assert_eq!([0, 1, 2].map(|extra| factor.of_extra(extra)), [1.0, 0.8, 1.0 / 1.5]);
/// assert_eq!(ExtraCalls::default().of_extra(2), -0.5);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExtraCalls {
    /// The format of calls.
    pub format: CallFormat,
    /// The price of one; at least 0.
    pub alpha: f64,
    /// What extra calls do to a score.
    pub form: ExtraForm,
}

impl Default for ExtraCalls {
    /// A penalty of 0.25 each.
    fn default() -> Self {
        Self { format: CallFormat::default(), alpha: 0.25, form: ExtraForm::default() }
    }
}

impl ExtraCalls {
    /// The value for this many calls too many.
    pub fn of_extra(&self, extra: usize) -> f64 {
        let price = self.alpha * extra as f64;
        match self.form {
            // Not -0, which would be another number in a report.
            ExtraForm::Penalty => 0.0 - price,
            ExtraForm::Factor => 1.0 / (1.0 + price),
        }
    }
}

impl CallRule for ExtraCalls {
    fn name(&self) -> &'static str {
        "extra_calls"
    }

    fn format(&self) -> CallFormat {
        self.format
    }

    fn score(&self, task: &ToolTask, answer: &Answer<'_>) -> Option<f64> {
        let extra = answer.calls.map_or(0, |predicted| predicted.len().saturating_sub(task.calls.len()));
        Some(self.of_extra(extra))
    }
}

/// 1 where the completion's calls can be read, else 0: whether it is an answer at all. Component: `readable`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Readable {
    /// The format of calls.
    pub format: CallFormat,
    /// The block without which there is no answer; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
}

impl CallRule for Readable {
    fn name(&self) -> &'static str {
        "readable"
    }

    fn format(&self) -> CallFormat {
        self.format
    }

    fn block(&self) -> Option<&str> {
        self.block.as_deref()
    }

    fn score(&self, _: &ToolTask, answer: &Answer<'_>) -> Option<f64> {
        Some(if answer.calls.is_ok() { 1.0 } else { 0.0 })
    }
}
