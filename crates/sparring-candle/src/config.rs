//! The shape of a decoder: Hugging Face's `config.json`.

use crate::json::{self, Fields};
use serde_json::{Map, Value, json};
use sparring_core::PolicyError;
use std::path::Path;

/// Decoder families, by Hugging Face's `model_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// Qwen2 and Qwen2.5: grouped-query attention with biases on queries, keys and values.
    Qwen2,
}

impl Family {
    /// The value of `model_type`.
    pub const fn model_type(self) -> &'static str {
        match self {
            Self::Qwen2 => "qwen2",
        }
    }

    /// The value of `architectures`.
    const fn architecture(self) -> &'static str {
        match self {
            Self::Qwen2 => "Qwen2ForCausalLM",
        }
    }

    /// Whether queries, keys and values have biases.
    pub(crate) const fn qkv_bias(self) -> bool {
        match self {
            Self::Qwen2 => true,
        }
    }
}

/// The shape of a decoder.
///
/// Read from a folder by [`ModelConfig::read`], or made by [`ModelConfig::qwen2`]:
///
/// ```
/// use sparring_candle::ModelConfig;
/// let config = ModelConfig::qwen2(1024, 192, 4, 6, 512).with_max_positions(1024);
/// assert_eq!(config.head_dim, 32);
/// config.validate()?;
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelConfig {
    /// Which family of decoders.
    pub family: Family,
    /// Rows of the embedding: ids are below it. It may exceed the tokenizer's vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads: a divisor of the query heads.
    pub num_key_value_heads: usize,
    /// Width of a head: even.
    pub head_dim: usize,
    /// Longest sequence, tokens.
    pub max_position_embeddings: usize,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Whether the output matrix is the embedding.
    pub tie_word_embeddings: bool,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
    /// Keys of the file that are not ours: kept when the model is saved.
    pub(crate) other: Map<String, Value>,
}

impl ModelConfig {
    /// A Qwen2 decoder with as many key heads as query heads, tied embeddings, positions up to 2048,
    /// RMSNorm epsilon 1e-6 and rotary base 10 000.
    pub fn qwen2(vocab: usize, hidden: usize, layers: usize, heads: usize, intermediate: usize) -> Self {
        Self {
            family: Family::Qwen2,
            vocab_size: vocab,
            hidden_size: hidden,
            intermediate_size: intermediate,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            num_key_value_heads: heads,
            head_dim: hidden / heads.max(1),
            max_position_embeddings: 2048,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            tie_word_embeddings: true,
            initializer_range: 0.02,
            other: Map::new(),
        }
    }

    /// Sets the number of key and value heads.
    #[must_use]
    pub fn with_kv_heads(mut self, heads: usize) -> Self {
        self.num_key_value_heads = heads;
        self
    }

    /// Sets the longest sequence.
    #[must_use]
    pub fn with_max_positions(mut self, positions: usize) -> Self {
        self.max_position_embeddings = positions;
        self
    }

    /// Sets the base of the rotary frequencies.
    #[must_use]
    pub fn with_rope_theta(mut self, theta: f64) -> Self {
        self.rope_theta = theta;
        self
    }

    /// Sets whether the output matrix is the embedding.
    #[must_use]
    pub fn with_tied_embeddings(mut self, tied: bool) -> Self {
        self.tie_word_embeddings = tied;
        self
    }

    /// Reads `config.json`. Keys that are not known are kept, not refused.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the file and the field that is missing, wrong or not supported.
    pub fn read(file: &Path) -> Result<Self, PolicyError> {
        let map = json::read_object(file, crate::folder::NEEDS)?;
        let fields = Fields { file, map: &map };
        let family = match fields.text("model_type")? {
            Some("qwen2") => Family::Qwen2,
            Some(other) => {
                return Err(
                    fields.bad("model_type", format_args!("is \"{other}\"; this backend loads \"qwen2\""))
                );
            }
            None => return Err(fields.bad("model_type", "is missing")),
        };
        if let Some(act) = fields.text("hidden_act")?.filter(|a| *a != "silu") {
            return Err(fields.bad("hidden_act", format_args!("is \"{act}\"; this backend knows \"silu\"")));
        }
        let hidden = fields.required_count("hidden_size")?;
        let heads = fields.required_count("num_attention_heads")?;
        let config = Self {
            family,
            vocab_size: fields.required_count("vocab_size")?,
            hidden_size: hidden,
            intermediate_size: fields.required_count("intermediate_size")?,
            num_hidden_layers: fields.required_count("num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: fields.count("num_key_value_heads")?.unwrap_or(heads),
            head_dim: fields.count("head_dim")?.unwrap_or(hidden / heads),
            max_position_embeddings: fields.count("max_position_embeddings")?.unwrap_or(32_768),
            rms_norm_eps: fields.positive("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta: rope_theta(fields)?,
            tie_word_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(false),
            initializer_range: fields.positive("initializer_range")?.unwrap_or(0.02),
            other: Map::new(),
        };
        config.check_window(fields)?;
        config.check(|field, why| fields.bad(field, why))?;
        Ok(Self { other: map, ..config })
    }

    /// Checks that the sizes fit each other.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the field.
    pub fn validate(&self) -> Result<(), PolicyError> {
        self.check(|field, why| PolicyError::invalid(format!("model config: \"{field}\" {why}")))
    }

    fn check(&self, bad: impl Fn(&str, &str) -> PolicyError) -> Result<(), PolicyError> {
        let counts = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        for (field, value) in counts {
            if value == 0 {
                return Err(bad(field, "must be at least 1"));
            }
        }
        if !self.num_attention_heads.is_multiple_of(self.num_key_value_heads) {
            return Err(bad("num_key_value_heads", "must divide num_attention_heads"));
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) {
            return Err(bad("head_dim", "must be even (rotary embedding turns pairs), and at least 2"));
        }
        if self.vocab_size > u32::MAX as usize {
            return Err(bad("vocab_size", "must fit in 32 bits"));
        }
        for (field, value) in [
            ("rms_norm_eps", self.rms_norm_eps),
            ("rope_theta", self.rope_theta),
            ("initializer_range", self.initializer_range),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(bad(field, "must be a number above 0"));
            }
        }
        Ok(())
    }

    fn check_window(&self, fields: Fields<'_>) -> Result<(), PolicyError> {
        let windowed = fields.flag("use_sliding_window")?.unwrap_or(false);
        let window = fields.count("sliding_window")?.unwrap_or(usize::MAX);
        if windowed && window < self.max_position_embeddings {
            return Err(fields.bad(
                "use_sliding_window",
                "is true; this backend attends to the whole sequence: set it to false, or lower max_position_embeddings to the window",
            ));
        }
        Ok(())
    }

    /// The file's content: what was read, with our fields up to date.
    pub(crate) fn to_json(&self) -> Value {
        let mut map = self.other.clone();
        map.shift_remove("torch_dtype");
        map.shift_remove("rope_scaling");
        let ours = json!({
            "architectures": [self.family.architecture()],
            "model_type": self.family.model_type(),
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
            "rope_parameters": { "rope_type": "default", "rope_theta": self.rope_theta },
            "tie_word_embeddings": self.tie_word_embeddings,
            "initializer_range": self.initializer_range,
            "use_sliding_window": false,
            "dtype": "float32",
        });
        if let Value::Object(ours) = ours {
            map.extend(ours);
        }
        Value::Object(map)
    }

    /// Width of the query, key and value rows together.
    pub(crate) fn qkv_width(&self) -> usize {
        (self.num_attention_heads + 2 * self.num_key_value_heads) * self.head_dim
    }

    /// Width of the query heads together.
    pub(crate) fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of the key heads together.
    pub(crate) fn kv_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }
}

/// The rotary base, at the top level or in `rope_parameters`; any scaling is refused.
fn rope_theta(fields: Fields<'_>) -> Result<f64, PolicyError> {
    for field in ["rope_scaling", "rope_parameters"] {
        let Some(rope) = fields.object(field)? else { continue };
        for key in ["rope_type", "type"] {
            if let Some(kind) = rope.text(key)?.filter(|k| *k != "default") {
                return Err(fields.bad(
                    field,
                    format_args!("asks for \"{kind}\" rotary scaling; this backend knows only \"default\""),
                ));
            }
        }
        if let Some(theta) = rope.positive("rope_theta")? {
            return Ok(theta);
        }
    }
    Ok(fields.positive("rope_theta")?.unwrap_or(10_000.0))
}
