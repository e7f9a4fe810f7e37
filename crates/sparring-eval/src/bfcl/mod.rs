//! The Berkeley Function Calling Leaderboard: categories, its checker as a grader, official totals, result files.

mod category;
mod gold;
mod grader;
mod leaderboard;
mod results;

pub use category::{Category, Version};
pub(crate) use gold::gold_call;
pub use grader::{BfclGrader, with_underscores};
pub use leaderboard::{Leaderboard, Score, leaderboard};
pub use results::write_results;

use serde_json::Value;

/// The parts of an entry that BFCL's checker needs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BfclEntry {
    /// The category.
    pub category: Category,
    /// The version of its file.
    pub version: Version,
    /// The function definitions, as in the benchmark's file.
    pub functions: Vec<Value>,
    /// `{function: {parameter: [acceptable, ...]}}` for each call; empty if the category has no answers.
    pub ground_truth: Vec<Value>,
}
