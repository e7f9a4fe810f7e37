//! The CPU backend: a decoder written by hand on the kernels.

mod decode;
mod engine;
mod options;
mod policy;
mod prefix;
mod recall;

pub use options::PolicyOptions;
pub use policy::{CandlePolicy, FrozenPolicy, RecallReport};

pub(crate) use policy::ModelParts;
