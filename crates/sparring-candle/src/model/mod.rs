//! Models as files and as shapes: configuration, parameter layout, tokenizer, chat template, model folders.
//!
//! No computation happens here.

mod config;
mod config_file;
mod digest;
mod family;
pub(crate) mod files;
pub(crate) mod folder;
mod gguf;
mod growth;
pub(crate) mod json;
mod layers;
mod layout;
mod rotary;
mod rotations;
mod source;
mod spec;
mod template;
mod templates;
pub(crate) mod tensors;
mod tokenizer;
mod vocabulary;
mod weight_files;

pub use config::{Activation, ModelConfig};
pub(crate) use digest::{digest, mix};
pub(crate) use family::HeadNorms;
pub use family::ModelFamily;
pub use layers::LayerKind;
pub use rotary::RopeScaling;
pub use tokenizer::ChatTokenizer;

pub(crate) use layout::{LayerRanges, Layout, Linear, Parameter, zeros};
pub(crate) use spec::ModelSpec;
#[cfg(feature = "hub")]
pub(crate) use tokenizer::{ADDITIONAL, JINJA};
