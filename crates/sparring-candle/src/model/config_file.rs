//! Reading and writing Hugging Face's `config.json`.

use super::config::{ModelConfig, ModelFamily};
use super::json::{self, Fields};
use super::rotary::RopeScaling;
use serde_json::{Map, Value, json};
use sparring_core::PolicyError;
use std::path::Path;

impl ModelConfig {
    /// Reads `config.json`. Unknown keys are kept, not refused.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the file and the field that is missing, wrong or not supported.
    pub fn read(file: &Path) -> Result<Self, PolicyError> {
        let map = json::read_object(file, json::NEEDS)?;
        let fields = Fields { file, map: &map };
        let family = read_family(fields)?;
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

    /// The file's content: what was read, with our fields up to date.
    pub(crate) fn to_json(&self) -> Value {
        let mut map = self.other.clone();
        map.shift_remove("torch_dtype");
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

fn check_window(config: &ModelConfig, fields: Fields<'_>) -> Result<(), PolicyError> {
    // Qwen's files carry a window that is switched off.
    let windowed = fields.flag("use_sliding_window")?.unwrap_or(false);
    let window = fields.count("sliding_window")?.unwrap_or(usize::MAX);
    if windowed && window < config.max_position_embeddings {
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
