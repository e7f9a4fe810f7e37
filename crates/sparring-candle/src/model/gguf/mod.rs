//! Models in a single GGUF file, as llama.cpp reads them: weights, tokenizer and chat template.
//!
//! Quantised tensors are widened to f32: the model then trains like any other.

mod config;
mod file;
mod pieces;
mod tokenizer;
mod weights;

use super::folder::{ModelFolder, check_vocabulary};
use super::layout::Layout;
use file::GgufFile;
use sparring_core::PolicyError;
use std::path::Path;

/// Reads a whole model.
pub(crate) fn open(path: &Path) -> Result<ModelFolder, PolicyError> {
    let mut file = GgufFile::open(path)?;
    let config = config::read(&mut file)?;
    let tokenizer = tokenizer::read(&file)?;
    check_vocabulary(&config, &tokenizer, path)?;
    let weights = weights::read(&mut file, &config, &Layout::new(&config))?;
    Ok(ModelFolder { config, weights, tokenizer })
}
