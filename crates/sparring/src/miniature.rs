//! The embedded default, `sparring-miniature`: a small world of tool use, its test sets and a pretrained base. Here
//! also what Tool-R0 needs to be played in it.

#[cfg(feature = "recipes")]
use sparring_core::Message;
pub use sparring_miniature::*;
#[cfg(feature = "recipes")]
use sparring_recipes::tool_r0::{Prompts, ToolListStyle};
#[cfg(feature = "train")]
use sparring_tools::ToolTask;
#[cfg(feature = "train")]
use sparring_train::Evaluation;

/// The prompt templates that the base was trained with.
///
/// ```
/// use sparring::miniature;
/// use sparring::recipes::tool_r0::Preset;
///
/// let config = Preset::load("miniature")?.with_prompts(miniature::prompts());
/// # assert!(config.build().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "recipes")]
pub fn prompts() -> Prompts {
    let one = |text: &str| vec![Message::user(text)];
    Prompts::new(one(GENERATOR_PROMPT), one(SOLVER_PROMPT), ToolListStyle::Compact)
}

/// The test sets as evaluations: each greedily, and at temperature 1 (`heldout_t1`).
#[cfg(feature = "train")]
pub fn evaluations() -> Vec<Evaluation<ToolTask>> {
    let world = World::new();
    let both = |set: TestSet| {
        let greedy = Evaluation::greedy(set.name(), set.tasks(&world));
        [greedy, Evaluation::sampled(format!("{}_t1", set.name()), set.tasks(&world), 1.0, 1)]
    };
    TestSet::ALL.into_iter().flat_map(both).collect()
}
