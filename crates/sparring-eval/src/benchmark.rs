use crate::{Item, Reading, Verdict};
use std::fmt::Debug;

/// Says whether an answer is right.
///
/// # Contract
/// A function of its arguments only, and total: an answer that cannot be read is wrong, not an error.
pub trait Scorer: Debug + Send + Sync {
    /// A short name for reports.
    fn name(&self) -> &str;

    /// Judges one answer.
    fn score(&self, item: &Item, reading: &Reading) -> Verdict;
}

/// The seam is object-safe.
const _: fn(&dyn Scorer) = |_| {};

/// Questions, and how their answers are scored.
#[derive(Debug)]
pub struct Benchmark {
    /// Name for reports and files.
    pub name: String,
    /// The questions; their ids differ.
    pub items: Vec<Item>,
    /// Says which answers are right.
    pub scorer: Box<dyn Scorer>,
}

impl Benchmark {
    /// Keeps at most `limit` items of each category: the first ones.
    #[must_use]
    pub fn limited(mut self, limit: usize) -> Self {
        let mut kept = std::collections::HashMap::new();
        self.items.retain(|item| {
            let n = kept.entry(item.category.clone()).or_insert(0_usize);
            *n += 1;
            *n <= limit
        });
        self
    }
}
