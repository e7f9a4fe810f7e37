//! The embedded default: a small tool-use world, its held-out tests and a pretrained base.
#![forbid(unsafe_code)]

mod base;
mod corrupt;
mod document;
mod exam;
mod family;
mod prompts;
mod request;
mod task;
mod vocabulary;
mod world;

pub use base::write_base;
pub use document::{Document, DocumentMix, Intent, MixError, plan};
pub use exam::Exam;
pub use family::{Family, Part};
pub use prompts::{GENERATOR_PROMPT, SOLVER_PROMPT};
pub use task::{Split, TaskShape};
pub use world::{Action, World};
