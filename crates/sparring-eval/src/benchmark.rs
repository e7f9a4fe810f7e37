use crate::{Item, Reading, Verdict};
use std::fmt::Debug;

/// Decides whether an answer is right.
///
/// # Contract
/// The verdict depends on the arguments only. There is always one: an unreadable answer is wrong, not an error.
pub trait Grader: Debug + Send + Sync {
    /// A short name for reports.
    fn name(&self) -> &str;

    /// Grades one answer.
    fn grade(&self, item: &Item, reading: &Reading) -> Verdict;
}

/// The seam is object-safe.
const _: fn(&dyn Grader) = |_| {};

/// Questions, and how their answers are graded.
#[derive(Debug)]
pub struct Benchmark {
    /// Name for reports and files.
    pub name: String,
    /// The questions, with unique ids.
    pub items: Vec<Item>,
    /// Decides which answers are right.
    pub grader: Box<dyn Grader>,
}

impl Benchmark {
    /// Keeps the first `limit` items of each category.
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
