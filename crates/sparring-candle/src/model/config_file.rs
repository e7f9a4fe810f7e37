//! Reading and writing Hugging Face's `config.json`.

use super::config::{ModelConfig, ModelFamily};
use super::json::{self, Fields};
use super::layout::Layout;
use super::rotary::RopeScaling;
use serde_json::{Map, Value, json};
use sparring_core::PolicyError;
use std::path::Path;

const QUANTISED: &str = "quantization_config";

impl ModelConfig {
    /// Reads `config.json`. Unknown keys are kept, not refused.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the file and the field that is missing, wrong or not supported.
    pub fn read(file: &Path) -> Result<Self, PolicyError> {
        let map = json::read_object(file, json::NEEDS)?;
        let fields = Fields { file, map: &map };
        let family = read_family(fields)?;
        refuse_other_heads(family, fields)?;
        if let Some(act) = fields.text("hidden_act")?.filter(|a| *a != "silu") {
            return Err(fields.bad("hidden_act", format_args!("is \"{act}\"; this backend knows \"silu\"")));
        }
        let hidden = fields.required_count("hidden_size")?;
        let heads = fields.required_count("num_attention_heads")?;
        let max_positions = fields.count("max_position_embeddings")?.unwrap_or(32_768);
        let (rope_theta, rope_scaling) = rope(fields, max_positions)?;
        let config = Self {
            family,
            vocab_size: fields.required_count("vocab_size")?,
            hidden_size: hidden,
            intermediate_size: fields.required_count("intermediate_size")?,
            num_hidden_layers: fields.required_count("num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: fields.count("num_key_value_heads")?.unwrap_or(heads),
            // The default of `transformers` for Qwen3.
            head_dim: fields.count("head_dim")?.unwrap_or(if family == ModelFamily::Qwen3 {
                128
            } else {
                hidden / heads
            }),
            max_position_embeddings: max_positions,
            rms_norm_eps: fields.positive("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta,
            rope_scaling,
            attention_bias: family == ModelFamily::Qwen2 || fields.flag("attention_bias")?.unwrap_or(false),
            tie_word_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(false),
            initializer_range: fields.positive("initializer_range")?.unwrap_or(0.02),
            other: Map::new(),
        };
        if fields.flag("mlp_bias")?.unwrap_or(false) {
            return Err(fields.bad("mlp_bias", "is true; this backend's feed-forward layers have no biases"));
        }
        check_window(&config, fields)?;
        config.check(|field, why| fields.bad(field, why))?;
        Ok(Self { other: map, ..config })
    }

    /// Refuses quantised weights by their name: `other` finds a tensor that is not one of plain weights. A model that
    /// was dequantised may still have the field.
    pub(super) fn refuse_quantised(
        &self,
        file: &Path,
        other: impl FnOnce(&Layout) -> Option<String>,
    ) -> Result<(), PolicyError> {
        let fields = Fields { file, map: &self.other };
        let Some(settings) = fields.get(QUANTISED) else { return Ok(()) };
        let Some(tensor) = other(&Layout::new(self)) else { return Ok(()) };
        let method = settings["quant_method"].as_str().unwrap_or("an unnamed method");
        let why = format_args!(
            "says that the weights are quantised ({method}; see tensor \"{tensor}\"), and this backend reads plain \
             ones: choose the model without quantisation, a GGUF file of it, or save it dequantised with Python's \
             transformers (model.dequantize())"
        );
        Err(fields.bad(QUANTISED, why))
    }

    /// The file's content: what was read, with our fields up to date.
    pub(crate) fn to_json(&self) -> Value {
        let mut map = self.other.clone();
        map.shift_remove("torch_dtype");
        // What is saved is not quantised.
        map.shift_remove(QUANTISED);
        map.shift_remove("rope_scaling");
        let (model_type, architecture) = self.family.names();
        let ours = json!({
            "architectures": [architecture],
            "model_type": model_type,
            "hidden_act": "silu",
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.max_position_embeddings,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "rope_parameters": self.rope_scaling.to_json(self.rope_theta),
            "tie_word_embeddings": self.tie_word_embeddings,
            "initializer_range": self.initializer_range,
            "dtype": "float32",
        });
        if let Value::Object(ours) = ours {
            map.extend(ours);
        }
        // A model that was read has no sliding window (`check_window`).
        map.shift_remove("layer_types");
        if self.family != ModelFamily::Llama {
            map.insert("use_sliding_window".to_owned(), json!(false));
        }
        if self.family != ModelFamily::Qwen2 {
            map.insert("attention_bias".to_owned(), json!(self.attention_bias));
        }
        // For programs that know only the older layout.
        if self.rope_scaling != RopeScaling::Plain {
            map.insert("rope_scaling".to_owned(), Value::Object(self.rope_scaling.to_json(self.rope_theta)));
        }
        Value::Object(map)
    }
}

fn read_family(fields: Fields<'_>) -> Result<ModelFamily, PolicyError> {
    let name = fields.text("model_type")?.ok_or_else(|| fields.bad("model_type", "is missing"))?;
    ModelFamily::named(name).map_err(|why| fields.bad("model_type", why))
}

/// A classifier has the name of a family, and loads as one, but was not made to write text.
fn refuse_other_heads(family: ModelFamily, fields: Fields<'_>) -> Result<(), PolicyError> {
    let architectures = fields.get("architectures").and_then(Value::as_array).into_iter().flatten();
    let others = ["Classification", "QuestionAnswering", "Reward", "ValueHead"];
    let mut names = architectures.filter_map(Value::as_str);
    match names.find(|name| others.iter().any(|other| name.contains(other))) {
        None => Ok(()),
        Some(name) => {
            let causal = family.names().1;
            let why = format_args!(
                "is \"{name}\", which scores texts and writes none; this backend loads \"{causal}\": choose the \
                 model that it was made from"
            );
            Err(fields.bad("architectures", why))
        }
    }
}

/// Qwen's files carry a window that is switched off, or that begins after the last layer.
fn check_window(config: &ModelConfig, fields: Fields<'_>) -> Result<(), PolicyError> {
    const FIRST: &str = "max_window_layers";
    let windowed = fields.flag("use_sliding_window")?.unwrap_or(false);
    let window = fields.count("sliding_window")?.unwrap_or(usize::MAX);
    let first = fields.get(FIRST).map(|first| {
        first.as_u64().ok_or_else(|| fields.bad(FIRST, format_args!("is {first}; it must be a whole number")))
    });
    // The default of `transformers`.
    let first = first.transpose()?.unwrap_or(28);
    let slides = match fields.get("layer_types").and_then(Value::as_array) {
        Some(types) => types.iter().any(|kind| kind == "sliding_attention"),
        None => first < config.num_hidden_layers as u64,
    };
    if windowed && slides && window < config.max_position_embeddings {
        return Err(fields.bad(
            "use_sliding_window",
            "is true; this backend attends to the whole sequence: \
             set it to false, or lower max_position_embeddings to the window",
        ));
    }
    Ok(())
}

/// The rotary base and scaling: `rope_parameters`, or the older `rope_theta` and `rope_scaling`. Where a file has both,
/// the older ones are used, as in `transformers`: model cards instruct users to add `rope_scaling`.
fn rope(fields: Fields<'_>, max_positions: usize) -> Result<(f64, RopeScaling), PolicyError> {
    let mut theta = fields.positive("rope_theta")?;
    let mut scaling = RopeScaling::Plain;
    for field in ["rope_parameters", "rope_scaling"] {
        if let Some(rope) = fields.object(field)? {
            theta = rope.positive("rope_theta")?.or(theta);
            scaling = RopeScaling::read(rope, max_positions)?;
        }
    }
    Ok((theta.unwrap_or(10_000.0), scaling))
}
