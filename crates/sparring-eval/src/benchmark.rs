use crate::{ExactGrader, Expected, Item, Reading, Verdict};
use sparring_tools::ToolSpec;
use std::fmt::Debug;
use std::sync::Arc;

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
#[derive(Debug, Clone)]
pub struct Benchmark {
    /// Name for reports and files.
    pub name: String,
    /// The questions, with unique ids.
    pub items: Vec<Item>,
    /// Decides which answers are right.
    pub grader: Arc<dyn Grader>,
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

    /// The same questions without the tools that serve them: the right answer is no call. Questions without another
    /// tool, or to which no call is the right answer anyway, are left out.
    ///
    /// A benchmark whose questions all call for a tool says nothing about a model that always calls one.
    #[must_use]
    pub fn without_called_tools(&self) -> Self {
        let declined = |item: &Item| {
            let Expected::Calls(gold) = &item.expected else { return None };
            let called = |tool: &ToolSpec| gold.iter().any(|call| call.name == tool.name);
            let tools: Vec<ToolSpec> = item.tools.iter().filter(|tool| !called(tool)).cloned().collect();
            if gold.is_empty() || tools.is_empty() || tools.len() == item.tools.len() {
                return None;
            }
            let id = format!("{}-no-call", item.id);
            Some(Item::calls(id, "no_call", item.messages.clone(), tools, Vec::new()))
        };
        let items = self.items.iter().filter_map(declined).collect();
        Self { name: format!("{}-no-call", self.name), items, grader: Arc::new(ExactGrader::new()) }
    }
}
