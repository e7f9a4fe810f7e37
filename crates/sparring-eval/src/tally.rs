use crate::{Interval, wilson};
use serde::{Deserialize, Serialize};

/// Number of right answers and of items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Right answers.
    pub valid: usize,
    /// All items.
    pub total: usize,
}

impl Tally {
    /// Counts one answer.
    pub fn count(&mut self, valid: bool) {
        self.valid += usize::from(valid);
        self.total += 1;
    }

    /// The share of right answers, in [0, 1]; 0 without items.
    pub fn accuracy(self) -> f64 {
        if self.total == 0 { 0.0 } else { self.valid as f64 / self.total as f64 }
    }

    /// Its 95 % Wilson interval.
    pub fn interval(self) -> Interval {
        wilson(self.valid, self.total)
    }
}
