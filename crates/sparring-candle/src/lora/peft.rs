//! Adapter folders in PEFT's layout: `adapter_config.json` and `adapter_model.safetensors`.

use super::{AdapterSpec, LoraConfig, Whole};
use crate::model::files::{create_folder, write_atomically};
use crate::model::json::{self, Fields};
use crate::model::tensors::{self, NamedTensor, TensorFile};
use crate::model::{Layout, Parameter, zeros};
use serde_json::{Map, Value, json};
use sparring_core::PolicyError;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// Before the names of the base's parameters.
const PREFIX: &str = "base_model.model.";
const HEAD: &str = "lm_head.weight";
const NEEDS: &str = "an adapter folder needs adapter_config.json and adapter_model.safetensors";

/// In the metadata of the weights: the digest of the base that they were trained on.
const BASE: &str = "sparring_base";

/// Reads an adapter for a base whose weights have this digest. An adapter that does not say what it was trained on, as
/// those of other programs, is taken on trust.
pub(crate) fn read(
    dir: &Path,
    base: &Layout,
    digest: &str,
) -> Result<(Arc<AdapterSpec>, Vec<f32>), PolicyError> {
    let file = dir.join(CONFIG);
    let map = json::read_object(&file, NEEDS)?;
    let fields = Fields { file: &file, map: &map };
    refuse_what_is_not_lora(fields)?;
    let named = |error: &dyn std::fmt::Display| PolicyError::invalid(format!("{}: {error}", file.display()));
    let config: LoraConfig = serde_json::from_value(Value::Object(known(&map))).map_err(|e| named(&e))?;
    let mut spec = AdapterSpec::read(config, base, digest).map_err(|e| named(&e))?;
    let tensors = TensorFile::read(&dir.join(WEIGHTS), &missing_weights(dir))?;
    // Before memory is taken: the ranks may be any.
    for p in spec.parameters() {
        tensors.check(&p.name, &p.shape)?;
    }
    check_base(&tensors, digest)?;
    let mut weights = zeros(spec.layout.len)?;
    for p in spec.parameters() {
        tensors.copy(&p.name, &p.shape, &mut weights[p.at.clone()])?;
    }
    let factors: HashSet<&str> = spec.parameters().iter().map(|p| p.name.as_str()).collect();
    let others = tensors.names().into_iter().filter(|name| !factors.contains(name.as_str()));
    spec.whole = others.map(|name| whole(&tensors, &name, base)).collect::<Result<_, _>>()?;
    check_head(&tensors, &spec, base)?;
    check_saved(&tensors, &spec)?;
    Ok((Arc::new(spec), weights))
}

/// The factors of one base change another in an arbitrary way.
fn check_base(tensors: &TensorFile, digest: &str) -> Result<(), PolicyError> {
    match tensors.metadata(BASE).filter(|trained_on| *trained_on != digest) {
        None => Ok(()),
        Some(trained_on) => Err(tensors.bad(format_args!(
            "its factors were trained on a base whose weights have the digest {trained_on}, and those of this base \
             have {digest}; load the base that the adapter was trained on (in the same precision), or save the adapter \
             again with Python's PEFT, which leaves the digest out, to use it on this base all the same"
        ))),
    }
}

/// A parameter of the base that an adapter has whole, such as an embedding that was extended and trained.
fn whole(tensors: &TensorFile, name: &str, base: &Layout) -> Result<Whole, PolicyError> {
    let bare = name
        .strip_prefix(PREFIX)
        .unwrap_or(name)
        .replace(".base_layer.", ".")
        .replace(".modules_to_save.", ".");
    let found = base.parameters.iter().find(|p| p.name == bare);
    // With tied embeddings, the head is saved beside the embedding that it is.
    let embedding = || base.parameters.iter().find(|p| p.at == base.head && bare == HEAD);
    let Some(parameter) = found.or_else(embedding) else {
        return Err(tensors.bad(format_args!(
            "tensor \"{name}\" belongs to no matrix that adapter_config.json names, and replaces no parameter of \
             the base (or this backend has no factors for it: those of embeddings and lm_head)"
        )));
    };
    let mut values = vec![0.0; parameter.at.len()];
    tensors.copy(name, &parameter.shape, &mut values)?;
    Ok(Whole { parameter: Parameter { name: bare, ..parameter.clone() }, values })
}

/// A base whose head is its embedding has room for one of the two.
fn check_head(tensors: &TensorFile, spec: &AdapterSpec, base: &Layout) -> Result<(), PolicyError> {
    let shared = |whole: &&Whole| whole.parameter.at == base.head;
    let Some(head) = spec.whole.iter().filter(shared).find(|whole| whole.parameter.name == HEAD) else {
        return Ok(());
    };
    let is_tied = base.head == base.embedding;
    let mut others = spec.whole.iter().filter(shared).filter(|whole| whole.parameter.name != HEAD);
    if !is_tied || others.any(|embedding| embedding.values == head.values) {
        return Ok(());
    }
    Err(tensors.bad(
        "tensor \"lm_head.weight\" differs from the embedding, but the base's head is its embedding; merge the adapter \
         with PEFT (merge_and_unload), and load the merged model",
    ))
}

/// A module that is to be saved must be there.
fn check_saved(tensors: &TensorFile, spec: &AdapterSpec) -> Result<(), PolicyError> {
    let has = |name: &str| {
        let mut modules = spec.whole.iter().filter_map(|whole| whole.parameter.name.rsplit_once('.'));
        modules.any(|(module, _)| module == name || module.ends_with(&format!(".{name}")))
    };
    match spec.config.modules_to_save.iter().find(|name| !has(name)) {
        None => Ok(()),
        Some(name) => Err(tensors.bad(format_args!(
            "modules_to_save in adapter_config.json names \"{name}\", but the file has no tensor of it; save the \
             adapter again, or remove the name"
        ))),
    }
}

/// What to say where the factors are missing.
fn missing_weights(dir: &Path) -> String {
    if dir.join("adapter_model.bin").exists() {
        return "the folder has adapter_model.bin instead; convert it once with Python's PEFT: \
            PeftModel.from_pretrained(BASE, DIR).save_pretrained(DIR)"
            .to_owned();
    }
    NEEDS.to_owned()
}

/// The fields of [`LoraConfig`]. PEFT writes dozens more, and null for those that are not set.
fn known(map: &Map<String, Value>) -> Map<String, Value> {
    let fields = [
        "r",
        "lora_alpha",
        "use_rslora",
        "lora_dropout",
        "target_modules",
        "rank_pattern",
        "alpha_pattern",
        "layers_to_transform",
        "layers_pattern",
        "exclude_modules",
        "modules_to_save",
    ];
    let mut known = Map::new();
    for field in fields {
        match map.get(field) {
            None | Some(Value::Null) => {}
            // Empty: not set.
            Some(Value::Array(list))
                if list.is_empty() && field != "layers_to_transform" && field != "target_modules" => {}
            Some(Value::String(text)) if text.is_empty() && field != "target_modules" => {}
            // A single layer need not be in a list.
            Some(Value::Number(n)) if field == "layers_to_transform" => {
                known.insert(field.to_owned(), json!([n]));
            }
            Some(value) => {
                known.insert(field.to_owned(), value.clone());
            }
        }
    }
    known
}

/// Variants of LoRA compute something else: reading them as LoRA would give wrong numbers.
fn refuse_what_is_not_lora(fields: Fields<'_>) -> Result<(), PolicyError> {
    if let Some(kind) = fields.text("peft_type")?.filter(|kind| *kind != "LORA") {
        return Err(fields.bad("peft_type", format_args!("is \"{kind}\"; this backend reads \"LORA\"")));
    }
    if let Some(task) = fields.text("task_type")?.filter(|task| *task != "CAUSAL_LM") {
        let others = ["SEQ_CLS", "TOKEN_CLS", "QUESTION_ANS", "SEQ_2_SEQ_LM"];
        if others.contains(&task) {
            let why =
                format_args!("is \"{task}\", an adapter for another task; this backend reads \"CAUSAL_LM\"");
            return Err(fields.bad("task_type", why));
        }
    }
    if let Some(bias) = fields.text("bias")?.filter(|bias| *bias != "none") {
        return Err(
            fields.bad("bias", format_args!("is \"{bias}\"; this backend trains no biases (\"none\")"))
        );
    }
    // Any other initialisation also changes the base.
    let plain = [json!(true), json!(false), json!("gaussian"), json!("eva"), json!("orthogonal")];
    if let Some(kind) = fields.get("init_lora_weights").filter(|kind| !plain.contains(kind)) {
        let why = format_args!(
            "is {kind}, which changes the base's weights; save the adapter with PEFT's conversion to LoRA"
        );
        return Err(fields.bad("init_lora_weights", why));
    }
    let empty = |v: &Value| match v {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let others = [
        "use_dora",
        "use_qalora",
        "use_bdlora",
        "fan_in_fan_out",
        "lora_bias",
        "layer_replication",
        "trainable_token_indices",
        "target_parameters",
        "alora_invocation_tokens",
        "arrow_config",
        "kasa_config",
    ];
    match others.into_iter().find(|field| fields.get(field).is_some_and(|v| !empty(v))) {
        None => Ok(()),
        Some(field) => Err(fields.bad(field, "is set; this backend reads plain LoRA adapters")),
    }
}

/// Writes an adapter for PEFT; each file is whole or absent.
pub(crate) fn save(dir: &Path, spec: &AdapterSpec, weights: &[f32]) -> Result<(), PolicyError> {
    create_folder(dir)?;
    let mut tensors: Vec<_> = spec.parameters().iter().map(|p| NamedTensor::of(p, "", weights)).collect();
    tensors.extend(spec.whole.iter().map(|Whole { parameter, values }| {
        let name = format!("{PREFIX}{}", parameter.name);
        NamedTensor { name, shape: parameter.shape.clone(), data: values }
    }));
    let metadata = [("format", "pt".to_owned()), (BASE, spec.base.clone())];
    tensors::write(dir, WEIGHTS, &tensors, metadata)?;
    let mut config = serde_json::to_value(&spec.config)
        .map_err(|error| PolicyError::backend("writing adapter_config.json", error))?;
    if let Value::Object(map) = &mut config {
        let fixed = json!({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "base_model_name_or_path": null,
            "inference_mode": true, "fan_in_fan_out": false, "init_lora_weights": true, "use_dora": false,
        });
        map.extend(fixed.as_object().cloned().unwrap_or_default());
    }
    write_atomically(dir, CONFIG, format!("{config:#}\n").as_bytes())
}
