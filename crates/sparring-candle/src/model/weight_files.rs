//! The safetensors files of a model folder: one, or shards with an index.

use super::config::ModelConfig;
use super::folder::WEIGHTS;
use super::json::{self, Fields};
use super::layout::{Layout, Parameter, zeros};
use super::tensors::TensorFile;
use sparring_core::PolicyError;
#[cfg(feature = "hub")]
use std::collections::BTreeSet;
use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path};

pub(crate) const INDEX: &str = "model.safetensors.index.json";

const HEAD: &str = "lm_head.weight";
const EMBEDDING: &str = "model.embed_tokens.weight";

/// Open files of weights.
#[derive(Debug)]
pub(super) struct WeightFiles {
    files: Vec<TensorFile>,
    /// File and own name of each tensor, by its name in a causal language model.
    places: BTreeMap<String, (usize, String)>,
    /// The error where a tensor is missing is about this index, if there is one.
    index: Option<String>,
}

impl WeightFiles {
    /// Opens the files of a folder.
    pub(super) fn open(dir: &Path) -> Result<Self, PolicyError> {
        let index = dir.join(INDEX);
        if dir.join(WEIGHTS).exists() || !index.exists() {
            let file = TensorFile::read(&dir.join(WEIGHTS), &missing_weights(dir))?;
            return Ok(Self::of(vec![file], None));
        }
        let map = json::read_object(&index, "")?;
        let named = weight_map(Fields { file: &index, map: &map })?;
        let mut names = Vec::new();
        for tensor in named.map.keys() {
            names.extend(named.text(tensor)?);
        }
        names.sort_unstable();
        names.dedup();
        let why = format!("{INDEX} names it: copy the missing part of the model");
        if let Some(name) = names.iter().find(|name| !is_within(name)) {
            return Err(named.bad(name, "is not the name of a file in this folder; copy the index again"));
        }
        let files = names.into_iter().map(|name| TensorFile::read(&dir.join(name), &why));
        Ok(Self::of(files.collect::<Result<_, _>>()?, Some(index.display().to_string())))
    }

    fn of(files: Vec<TensorFile>, index: Option<String>) -> Self {
        let mut places = BTreeMap::new();
        for (i, file) in files.iter().enumerate() {
            places.extend(file.names().into_iter().map(|name| (full_name(&name), (i, name))));
        }
        Self { files, places, index }
    }

    /// Refuses more layers than there are tensors, before each layer is laid out.
    pub(super) fn check_depth(&self, config: &ModelConfig, file: &Path) -> Result<(), PolicyError> {
        if config.num_hidden_layers <= self.places.len() {
            return Ok(());
        }
        Err(PolicyError::invalid(format!(
            "{}: field \"num_hidden_layers\" is {}, more than the {} tensors of the weight files; the files belong to \
             different models",
            file.display(),
            config.num_hidden_layers,
            self.places.len()
        )))
    }

    /// The first tensor that is no parameter of such a model, or is not of floats.
    pub(super) fn first_other(&self, layout: &Layout) -> Option<&str> {
        let known = Known::of(layout);
        let mut others = self
            .places
            .iter()
            .filter(|(full, (file, name))| !known.has(full) || !self.files[*file].is_float(name));
        others.next().map(|(_, (_, name))| name.as_str())
    }

    /// The configuration with a head of its own, if it ties head and embedding and the files have two that differ. As
    /// in `transformers`, the files count: a head that was trained or extended must not be lost.
    pub(super) fn untied_if_different(&self, mut config: ModelConfig) -> Result<ModelConfig, PolicyError> {
        if let (true, Some(head), Some(embedding)) =
            (config.tie_word_embeddings, self.places.get(HEAD), self.places.get(EMBEDDING))
        {
            let (file, other) = (&self.files[head.0], &self.files[embedding.0]);
            config.tie_word_embeddings = file.same(&head.1, other, &embedding.1)?;
        }
        Ok(config)
    }

    /// Reads all parameters.
    pub(super) fn read(&self, layout: &Layout) -> Result<Vec<f32>, PolicyError> {
        let known = Known::of(layout);
        if let Some((_, (file, name))) = self.places.iter().find(|(full, _)| !known.has(full)) {
            return Err(self.files[*file].bad(no_place(name)));
        }
        // Before memory is taken: config.json may have any sizes.
        for p in &layout.parameters {
            let (file, name) = self.place(p)?;
            file.check(name, &p.shape)?;
        }
        self.check_head(layout)?;
        let mut weights = zeros(layout.len)?;
        for p in &layout.parameters {
            let (file, name) = self.place(p)?;
            file.copy(name, &p.shape, &mut weights[p.at.clone()])?;
        }
        Ok(weights)
    }

    /// A head may be left out only where it is the embedding.
    fn check_head(&self, layout: &Layout) -> Result<(), PolicyError> {
        let is_tied = layout.parameters.iter().all(|p| p.name != HEAD);
        let (Some((file, head)), Some((other, embedding)), true) =
            (self.places.get(HEAD), self.places.get(EMBEDDING), is_tied)
        else {
            return Ok(());
        };
        let file = &self.files[*file];
        if file.same(head, &self.files[*other], embedding)? {
            return Ok(());
        }
        Err(file.bad(format_args!(
            "tensor \"{head}\" differs from the embedding, but the policy's head is its embedding; load the folder as \
             a model of its own"
        )))
    }

    /// The file that has a parameter, and its name there.
    fn place(&self, parameter: &Parameter) -> Result<(&TensorFile, &str), PolicyError> {
        let (file, name) = self.places.get(&parameter.name).ok_or_else(|| self.missing(&parameter.name))?;
        Ok((&self.files[*file], name))
    }

    fn missing(&self, name: &str) -> PolicyError {
        match (&self.index, self.files.first()) {
            (None, Some(file)) => file.bad(format_args!("tensor \"{name}\" is missing")),
            (index, _) => PolicyError::invalid(format!(
                "{}: no file that it names has tensor \"{name}\"; copy the whole model again",
                index.as_deref().unwrap_or(INDEX)
            )),
        }
    }
}

/// The name of a tensor in a causal language model: without a head, models are saved without this beginning.
fn full_name(name: &str) -> String {
    let bare = ["embed_tokens.", "layers.", "norm."].iter().any(|start| name.starts_with(start));
    if bare { format!("model.{name}") } else { name.to_owned() }
}

/// The tensors that a model may have.
struct Known<'a>(HashSet<&'a str>);

impl<'a> Known<'a> {
    fn of(layout: &'a Layout) -> Self {
        Self(layout.parameters.iter().map(|p| p.name.as_str()).collect())
    }

    fn has(&self, name: &str) -> bool {
        name == HEAD || name.ends_with("rotary_emb.inv_freq") || self.0.contains(name)
    }
}

/// Whether a name is that of a file in a folder or below it.
fn is_within(name: &str) -> bool {
    let mut parts = Path::new(name).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// What to say of a tensor that the decoder would ignore.
fn no_place(name: &str) -> String {
    let heads = ["score.", "classifier.", "v_head.", "value_head.", "regression_head.", "qa_outputs."];
    let why = if heads.iter().any(|head| name.starts_with(head) || name.contains(&format!(".{head}"))) {
        "is a head for classes or values, which a model of text has no place for: load the model that it was made \
         from, or save this one without its head"
    } else if name.contains("lora_") || name.starts_with("base_model.") {
        "belongs to an adapter: load the base, then the adapter, or merge them with PEFT (merge_and_unload) first"
    } else if name.starts_with("_orig_mod.") || name.starts_with("module.") {
        "has the name of a wrapped model: save the model within (model._orig_mod of torch.compile, or model.module)"
    } else {
        "has no place in the model that config.json describes; the two files belong to different models"
    };
    format!("tensor \"{name}\" {why}")
}

/// What to say where `model.safetensors` is missing.
fn missing_weights(dir: &Path) -> String {
    const CONVERT: &str = "convert it once with Python's transformers: \
        AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(DIR)";
    let others = [
        ("pytorch_model.bin", CONVERT),
        ("pytorch_model.bin.index.json", CONVERT),
        ("adapter_model.safetensors", "an adapter; load its base, and then the adapter onto it"),
        ("tf_model.h5", CONVERT),
        ("flax_model.msgpack", CONVERT),
    ];
    match others.into_iter().find(|(name, _)| dir.join(name).exists()) {
        Some((name, advice)) => format!("the folder has {name} instead: {advice}"),
        None => json::NEEDS.to_owned(),
    }
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
