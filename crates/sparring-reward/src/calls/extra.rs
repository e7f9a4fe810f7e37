use super::{Answer, CallFormat, CallRule};
use serde::{Deserialize, Serialize};
use sparring_tools::ToolTask;

/// How extra calls change a score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExtraForm {
    /// `-alpha·extra`, at most 0, to be added.
    #[default]
    Penalty,
    /// `1 / (1 + alpha·extra)`, in (0, 1], a factor, as in Tool-R0 (arXiv 2602.21320, Eq. 7).
    Factor,
}

/// A penalty for calls beyond the number in the reference: `extra = max(0, |Ĉ| - |C*|)`. A completion that cannot be
/// read has none. Component: `extra_calls`.
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
    /// The penalty of one extra call; at least 0.
    pub alpha: f64,
    /// How extra calls change a score.
    pub form: ExtraForm,
}

impl Default for ExtraCalls {
    /// A penalty of 0.25 each.
    fn default() -> Self {
        Self { format: CallFormat::default(), alpha: 0.25, form: ExtraForm::default() }
    }
}

impl ExtraCalls {
    /// Returns the value for this many extra calls.
    pub fn of_extra(&self, extra: usize) -> f64 {
        let price = self.alpha * extra as f64;
        match self.form {
            // Not -0, which would look different in a report.
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

/// Scores 1 if the completion's calls can be read, else 0. Component: `readable`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Readable {
    /// The format of calls.
    pub format: CallFormat,
    /// The block that an answer must have; none by default.
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
