//! The CPU backend: a decoder written by hand on the kernels.

mod decode;
mod engine;
mod options;
mod policy;
mod recall;
mod threads;

pub use options::PolicyOptions;
pub use policy::{CandlePolicy, FrozenPolicy, RecallReport};

pub(crate) use policy::ModelParts;
pub(crate) use threads::run_parts;
