//! The Berkeley Function Calling Leaderboard: its categories, its checker as a scorer, official scores and result
//! files.

mod category;
mod gold;
mod leaderboard;
mod results;
mod scorer;

pub use category::{Category, Version};
pub(crate) use gold::gold_call;
pub use leaderboard::{Leaderboard, Score, leaderboard};
pub use results::write_results;
pub use scorer::{BfclScorer, with_underscores};

use serde_json::Value;

/// What BFCL's checker needs of an entry, beside the answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BfclEntry {
    /// The category.
    pub category: Category,
    /// The version of the file that holds it.
    pub version: Version,
    /// The function definitions, as the benchmark's file has them.
    pub functions: Vec<Value>,
    /// `{function: {parameter: [acceptable, ...]}}`, once a call; empty where the category has no answers.
    pub ground_truth: Vec<Value>,
}
