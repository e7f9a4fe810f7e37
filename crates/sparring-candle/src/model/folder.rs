//! Model folders in Hugging Face's layout.

use super::config::ModelConfig;
use super::files::{create_folder, write_atomically};
use super::gguf;
use super::json;
use super::layout::Layout;
use super::tensors::{self, NamedTensor};
use super::tokenizer::ChatTokenizer;
use super::weight_files::WeightFiles;
use sparring_core::PolicyError;
use std::path::Path;

#[cfg(feature = "hub")]
pub(crate) use super::weight_files::{INDEX, shard_names};

pub(crate) const WEIGHTS: &str = "model.safetensors";

/// The content of a model folder.
#[derive(Debug)]
pub(crate) struct ModelFolder {
    pub(crate) config: ModelConfig,
    pub(crate) weights: Vec<f32>,
    pub(crate) tokenizer: ChatTokenizer,
}

impl ModelFolder {
    /// Reads a whole folder, or a GGUF file.
    pub(crate) fn open(dir: &Path) -> Result<Self, PolicyError> {
        if dir.is_file() {
            return gguf::open(dir);
        }
        if !dir.is_dir() {
            return Err(PolicyError::invalid(format!(
                "{}: not a folder, nor a GGUF file; {}",
                dir.display(),
                json::NEEDS
            )));
        }
        let config_file = dir.join("config.json");
        let config = ModelConfig::read(&config_file)?;
        let tokenizer = ChatTokenizer::from_folder(dir)?;
        check_vocabulary(&config, &tokenizer, &dir.join("tokenizer.json"))?;
        let files = WeightFiles::open(dir)?;
        files.check_depth(&config, &config_file)?;
        config.refuse_quantised(&config_file, |layout| files.first_other(layout).map(str::to_owned))?;
        let config = files.untied_if_different(config)?;
        let weights = files.read(&Layout::new(&config))?;
        Ok(Self { config, weights, tokenizer })
    }
}

/// Every id of the tokenizer must have a row in the embedding.
pub(crate) fn check_vocabulary(
    config: &ModelConfig,
    tokenizer: &ChatTokenizer,
    file: &Path,
) -> Result<(), PolicyError> {
    let (needs, has) = (tokenizer.vocab_size(), config.vocab_size);
    let beyond = tokenizer.end_tokens().find(|&id| id as usize >= has);
    if needs > has || beyond.is_some() {
        return Err(PolicyError::invalid(format!(
            "{}: the tokenizer has ids up to {}, but vocab_size in config.json is {has}; \
             the two files belong to different models",
            file.display(),
            beyond.map_or(needs.saturating_sub(1), |id| id as usize),
        )));
    }
    Ok(())
}

/// Reads all parameters, from one file or from shards with an index.
pub(crate) fn read_weights(dir: &Path, layout: &Layout) -> Result<Vec<f32>, PolicyError> {
    WeightFiles::open(dir)?.read(layout)
}

/// Writes a folder for `transformers` and [`ModelFolder::open`]; each file is whole or absent.
pub(crate) fn save(
    dir: &Path,
    config: &ModelConfig,
    layout: &Layout,
    weights: &[f32],
    tokenizer: &ChatTokenizer,
) -> Result<(), PolicyError> {
    create_folder(dir)?;
    let tensors: Vec<_> = layout.parameters.iter().map(|p| NamedTensor::of(p, "", weights)).collect();
    tokenizer.save(dir)?;
    tensors::write(dir, WEIGHTS, &tensors, [("format", "pt".to_owned())])?;
    write_atomically(dir, "config.json", format!("{:#}\n", config.to_json()).as_bytes())
}
