//! Models as files and as shapes: configuration, parameter layout, tokenizer, chat template, model folders.
//!
//! No computation happens here.

mod config;
mod config_file;
mod digest;
pub(crate) mod files;
pub(crate) mod folder;
mod gguf;
mod growth;
pub(crate) mod json;
mod layout;
mod rotary;
mod source;
mod spec;
mod template;
mod templates;
pub(crate) mod tensors;
mod tokenizer;
mod vocabulary;
mod weight_files;

pub use config::{ModelConfig, ModelFamily};
pub use rotary::RopeScaling;
pub use tokenizer::ChatTokenizer;

pub(crate) use digest::digest;
pub(crate) use layout::{LayerRanges, Layout, Linear, Parameter, zeros};
pub(crate) use spec::ModelSpec;
#[cfg(feature = "hub")]
pub(crate) use tokenizer::{ADDITIONAL, JINJA};
