//! Agreement, counted and listed.
use crate::conform::rows;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Disagreements that are listed; the others are only counted.
const LISTED: usize = 40;

/// What our code says of one row.
#[derive(Debug)]
pub(crate) struct Ours {
    /// Whether the output is accepted.
    pub(crate) valid: bool,
    /// The official name of what is wrong; `None` where nothing is.
    pub(crate) error_type: Option<String>,
    /// What is wrong, for people.
    pub(crate) explanation: String,
}

/// Rows compared so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rows: usize,
    valid: usize,
    error_type: usize,
    listed: Vec<String>,
    not_covered: BTreeMap<String, usize>,
}

impl Tally {
    /// Compares a row's `valid` and `error_type` with ours. A recorded `valid` of null is an exception of the
    /// official code: a port says invalid.
    pub(crate) fn compare(&mut self, row: &Value, ours: &Ours) {
        let (valid, error_type) = (row["valid"].as_bool().unwrap_or(false), row["error_type"].as_str());
        let same_type = ours.error_type.as_deref() == error_type;
        self.count(row, valid == ours.valid, same_type, || {
            let recorded = error_type.unwrap_or("valid");
            let found = ours.error_type.as_deref().unwrap_or(if ours.valid { "valid" } else { "invalid" });
            format!("recorded {recorded}, ours {found}: {}", ours.explanation)
        });
    }

    /// Counts a row that agrees or not in its verdict and in its details.
    pub(crate) fn count(
        &mut self,
        row: &Value,
        same_valid: bool,
        same_details: bool,
        explain: impl FnOnce() -> String,
    ) {
        self.rows += 1;
        self.valid += usize::from(same_valid);
        self.error_type += usize::from(same_details);
        if !(same_valid && same_details) && self.listed.len() < LISTED {
            let what: Vec<_> = ["id", "category", "topic", "mutation", "note"]
                .into_iter()
                .map(|key| rows::text(row, key))
                .filter(|text| !text.is_empty())
                .collect();
            self.listed.push(format!("{}: {}", what.join(", "), explain()));
        }
    }

    /// Counts a row of something that Sparring does not do.
    pub(crate) fn skip(&mut self, stage: &str) {
        *self.not_covered.entry(stage.to_owned()).or_default() += 1;
    }

    /// Whether every verdict agrees, and there is one.
    pub(crate) fn agrees(&self) -> bool {
        self.rows > 0 && self.valid == self.rows
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.listed {
            writeln!(f, "{line}")?;
        }
        let others = self.rows - self.valid.min(self.error_type);
        if others > self.listed.len() {
            writeln!(f, "... at least {} more", others - self.listed.len())?;
        }
        for (stage, rows) in &self.not_covered {
            writeln!(f, "not covered: {rows} rows of {stage}")?;
        }
        writeln!(f, "error_type: agree {} of {}", self.error_type, self.rows)?;
        writeln!(f, "agree {} of {}", self.valid, self.rows)
    }
}
