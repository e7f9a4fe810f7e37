//! Model folders in Hugging Face's layout.

use super::config::ModelConfig;
use super::files::{create_folder, write_atomically};
use super::gguf;
use super::json::{self, Fields};
use super::layout::Layout;
use super::tensors::{self, NamedTensor, TensorFile};
use super::tokenizer::ChatTokenizer;
use sparring_core::PolicyError;
use std::collections::BTreeMap;
#[cfg(feature = "hub")]
use std::collections::BTreeSet;
use std::path::Path;

pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

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
        let config = ModelConfig::read(&dir.join("config.json"))?;
        let tokenizer = ChatTokenizer::from_folder(dir)?;
        check_vocabulary(&config, &tokenizer, &dir.join("tokenizer.json"))?;
        let layout = Layout::new(&config);
        let weights = read_weights(dir, &layout)?;
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
    let mut weights = vec![0.0; layout.len];
    let index = dir.join(INDEX);
    if !dir.join(WEIGHTS).exists() && index.exists() {
        read_shards(dir, &index, layout, &mut weights)?;
    } else {
        let file = TensorFile::read(&dir.join(WEIGHTS), json::NEEDS)?;
        check_names(&file, layout)?;
        for p in &layout.parameters {
            file.copy(&p.name, &p.shape, &mut weights[p.at.clone()])?;
        }
    }
    Ok(weights)
}

fn read_shards(dir: &Path, index: &Path, layout: &Layout, weights: &mut [f32]) -> Result<(), PolicyError> {
    let map = json::read_object(index, "")?;
    let files = weight_map(Fields { file: index, map: &map })?;
    let mut by_file: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for p in &layout.parameters {
        let file = files.text(&p.name)?.ok_or_else(|| files.bad(&p.name, "is missing from weight_map"))?;
        by_file.entry(file).or_default().push(p);
    }
    for (name, parameters) in by_file {
        let why = format!("{INDEX} names it: copy the missing part of the model");
        let file = TensorFile::read(&dir.join(name), &why)?;
        check_names(&file, layout)?;
        for p in parameters {
            file.copy(&p.name, &p.shape, &mut weights[p.at.clone()])?;
        }
    }
    Ok(())
}

/// The file of each tensor.
fn weight_map(index: Fields<'_>) -> Result<Fields<'_>, PolicyError> {
    index.object("weight_map")?.ok_or_else(|| index.bad("weight_map", "is missing"))
}

/// The files that an index names, each once.
#[cfg(feature = "hub")]
pub(crate) fn shard_names(index: &Path) -> Result<Vec<String>, PolicyError> {
    let map = json::read_object(index, "")?;
    let files = weight_map(Fields { file: index, map: &map })?;
    let names = files.map.keys().map(|tensor| files.text(tensor));
    let names: BTreeSet<&str> = names.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// Refuses tensors that the decoder would ignore: they mean that the model is not the one of config.json.
fn check_names(file: &TensorFile, layout: &Layout) -> Result<(), PolicyError> {
    let known = |name: &str| {
        name == "lm_head.weight"
            || name.ends_with("rotary_emb.inv_freq")
            || layout.parameters.iter().any(|p| p.name == name)
    };
    match file.names()?.into_iter().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => Err(file.bad(format_args!(
            "tensor \"{name}\" has no place in the model that config.json describes; \
             the two files belong to different models"
        ))),
    }
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
    tensors::write(dir, WEIGHTS, &tensors, ("format", "pt".to_owned()))?;
    write_atomically(dir, "config.json", format!("{:#}\n", config.to_json()).as_bytes())
}
