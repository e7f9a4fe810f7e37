//! Adapter folders in PEFT's layout: `adapter_config.json` and `adapter_model.safetensors`.

use super::{AdapterSpec, LoraConfig};
use crate::model::Layout;
use crate::model::files::{create_folder, write_atomically};
use crate::model::json::{self, Fields};
use crate::model::tensors::{self, NamedTensor, TensorFile};
use serde_json::{Map, Value, json};
use sparring_core::PolicyError;
use std::path::Path;
use std::sync::Arc;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
const NEEDS: &str = "an adapter folder needs adapter_config.json and adapter_model.safetensors";

/// Reads an adapter for a base.
pub(crate) fn read(dir: &Path, base: &Layout) -> Result<(Arc<AdapterSpec>, Vec<f32>), PolicyError> {
    let file = dir.join(CONFIG);
    let map = json::read_object(&file, NEEDS)?;
    let fields = Fields { file: &file, map: &map };
    refuse_what_is_not_lora(fields)?;
    let named = |error: &dyn std::fmt::Display| PolicyError::invalid(format!("{}: {error}", file.display()));
    let config: LoraConfig = serde_json::from_value(Value::Object(known(&map))).map_err(|e| named(&e))?;
    let spec = AdapterSpec::new(config, base).map_err(|e| named(&e))?;
    let tensors = TensorFile::read(&dir.join(WEIGHTS), NEEDS)?;
    let mut weights = vec![0.0; spec.layout.len];
    for p in spec.parameters() {
        tensors.copy(&p.name, &p.shape, &mut weights[p.at.clone()])?;
    }
    let unknown = tensors.names()?.into_iter().find(|name| spec.parameters().iter().all(|p| p.name != *name));
    match unknown {
        None => Ok((spec, weights)),
        Some(name) => Err(tensors.bad(format_args!(
            "tensor \"{name}\" belongs to no matrix that adapter_config.json names \
             (or this backend has no factors for it)"
        ))),
    }
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
    ];
    let mut known = Map::new();
    for field in fields {
        match map.get(field) {
            None | Some(Value::Null) => {}
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
        "modules_to_save",
        "exclude_modules",
        "layers_pattern",
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
    let tensors: Vec<_> = spec.parameters().iter().map(|p| NamedTensor::of(p, "", weights)).collect();
    tensors::write(dir, WEIGHTS, &tensors, ("format", "pt".to_owned()))?;
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
