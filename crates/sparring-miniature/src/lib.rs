//! The embedded default: a small tool-use world, its held-out tests and a pretrained base.
#![forbid(unsafe_code)]

mod base;
mod corrupt;
mod document;
mod prompts;
mod request;
mod task;
mod task_family;
mod test_set;
mod vocabulary;
mod world;

pub use base::write_base;
pub use document::{Document, DocumentMix, Intent, MixError, plan};
pub use prompts::{GENERATOR_PROMPT, SOLVER_PROMPT};
pub use task::{Split, TaskShape};
pub use task_family::{Part, TaskFamily};
pub use test_set::TestSet;
pub use world::{Action, World};
