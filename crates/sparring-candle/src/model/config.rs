//! The shape of a decoder.

use super::rotary::RopeScaling;
use serde_json::{Map, Value};
use sparring_core::PolicyError;

/// Decoder families, by Hugging Face's `model_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelFamily {
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    Qwen2,
    /// Qwen3: norms on the heads of queries and keys.
    Qwen3,
    /// Llama 2, 3, 3.1 and 3.2.
    Llama,
}

/// Every family with its `model_type` and `architectures`.
const FAMILIES: [(ModelFamily, &str, &str); 3] = [
    (ModelFamily::Qwen2, "qwen2", "Qwen2ForCausalLM"),
    (ModelFamily::Qwen3, "qwen3", "Qwen3ForCausalLM"),
    (ModelFamily::Llama, "llama", "LlamaForCausalLM"),
];

/// Most rows of an embedding.
const LARGEST_VOCABULARY: usize = 1 << 24;
/// Largest width of a layer or of a head, and largest number of heads.
const LARGEST_WIDTH: usize = 1 << 20;
/// Most layers.
const MOST_LAYERS: usize = 1 << 14;
/// Longest sequence. Tables are made as positions are reached, in pieces, of which there is a list.
const MOST_POSITIONS: usize = 1 << 24;

impl ModelFamily {
    pub(super) fn names(self) -> (&'static str, &'static str) {
        FAMILIES.iter().find(|(f, ..)| *f == self).map_or(("", ""), |(_, name, class)| (name, class))
    }

    /// The family of this `model_type`; else what to say of it.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let known = || FAMILIES.map(|(_, name, _)| format!("\"{name}\"")).join(", ");
        let found = FAMILIES.iter().find(|(_, n, _)| *n == name).map(|(family, ..)| *family);
        found.ok_or_else(|| format!("is \"{name}\"; this backend loads {}", known()))
    }

    /// The value of `model_type`.
    pub fn model_type(self) -> &'static str {
        self.names().0
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
    /// The model family.
    pub family: ModelFamily,
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
    /// How the rotary frequencies are scaled.
    pub rope_scaling: RopeScaling,
    /// Whether queries, keys and values have biases (and the output of attention, except for Qwen2).
    pub attention_bias: bool,
    /// Whether the output matrix is the embedding.
    pub tie_word_embeddings: bool,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
    /// Unknown keys of the file, kept when the model is saved.
    pub(crate) other: Map<String, Value>,
}

impl ModelConfig {
    /// A decoder with as many key heads as query heads, tied embeddings, positions up to 2048, RMSNorm epsilon
    /// 1e-6 and rotary base 10 000. Sizes: `vocab` × `hidden` embeddings, `layers` layers of `heads` heads and
    /// `intermediate` feed-forward units.
    pub fn new(
        family: ModelFamily,
        vocab: usize,
        hidden: usize,
        layers: usize,
        heads: usize,
        intermediate: usize,
    ) -> Self {
        Self {
            family,
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
            rope_scaling: RopeScaling::Plain,
            attention_bias: family == ModelFamily::Qwen2,
            tie_word_embeddings: true,
            initializer_range: 0.02,
            other: Map::new(),
        }
    }

    /// [`ModelConfig::new`] of the Qwen2 family.
    pub fn qwen2(vocab: usize, hidden: usize, layers: usize, heads: usize, intermediate: usize) -> Self {
        Self::new(ModelFamily::Qwen2, vocab, hidden, layers, heads, intermediate)
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

    /// Sets how the rotary frequencies are scaled.
    #[must_use]
    pub fn with_rope_scaling(mut self, scaling: RopeScaling) -> Self {
        self.rope_scaling = scaling;
        self
    }

    /// Sets the width of a head.
    #[must_use]
    pub fn with_head_dim(mut self, dim: usize) -> Self {
        self.head_dim = dim;
        self
    }

    /// Sets whether queries, keys and values have biases (Qwen2 always has).
    #[must_use]
    pub fn with_attention_bias(mut self, biased: bool) -> Self {
        self.attention_bias = biased;
        self
    }

    /// Sets the standard deviation of fresh weights.
    #[must_use]
    pub fn with_initializer_range(mut self, deviation: f64) -> Self {
        self.initializer_range = deviation;
        self
    }

    /// Sets whether the output matrix is the embedding.
    #[must_use]
    pub fn with_tied_embeddings(mut self, tied: bool) -> Self {
        self.tie_word_embeddings = tied;
        self
    }

    /// Checks that the sizes fit each other, and are within the bounds of this backend.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the field.
    pub fn validate(&self) -> Result<(), PolicyError> {
        self.check(|field, why| PolicyError::invalid(format!("model config: \"{field}\" {why}")))
    }

    pub(super) fn check(&self, bad: impl Fn(&str, &str) -> PolicyError) -> Result<(), PolicyError> {
        self.check_sizes(&bad)?;
        if !self.num_attention_heads.is_multiple_of(self.num_key_value_heads) {
            return Err(bad("num_key_value_heads", "must divide num_attention_heads"));
        }
        if self.head_dim == 0 || !self.head_dim.is_multiple_of(2) {
            return Err(bad("head_dim", "must be even (rotary embedding turns pairs), and at least 2"));
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
        if self.family == ModelFamily::Qwen2 && !self.attention_bias {
            return Err(bad("attention_bias", "must be true: Qwen2 has biases"));
        }
        if self.rope_theta <= 1.0 {
            return Err(bad("rope_theta", "must be above 1"));
        }
        self.rope_scaling.fault().map_or(Ok(()), |fault| Err(bad("rope_scaling", fault)))
    }

    /// Bounds far above any published model, within which no product of sizes overflows.
    fn check_sizes(&self, bad: &impl Fn(&str, &str) -> PolicyError) -> Result<(), PolicyError> {
        let counts = [
            ("vocab_size", self.vocab_size, LARGEST_VOCABULARY),
            ("hidden_size", self.hidden_size, LARGEST_WIDTH),
            ("intermediate_size", self.intermediate_size, LARGEST_WIDTH),
            ("num_hidden_layers", self.num_hidden_layers, MOST_LAYERS),
            ("num_attention_heads", self.num_attention_heads, LARGEST_WIDTH),
            ("num_key_value_heads", self.num_key_value_heads, LARGEST_WIDTH),
            ("head_dim", self.head_dim, LARGEST_WIDTH),
            ("max_position_embeddings", self.max_position_embeddings, MOST_POSITIONS),
        ];
        for (field, value, largest) in counts {
            // A head's width has a check of its own.
            if value == 0 && field != "head_dim" {
                return Err(bad(field, "must be at least 1"));
            }
            if value > largest {
                return Err(bad(field, &format!("is {value}; this backend takes at most {largest}")));
            }
        }
        let bytes = self.weights() * size_of::<f32>() as u128;
        if bytes > isize::MAX as u128 {
            return Err(bad("hidden_size", &format!("and the other sizes make a model of {bytes} bytes")));
        }
        Ok(())
    }

    /// Number of weights. Sizes within the bounds do not overflow.
    pub(super) fn weights(&self) -> u128 {
        let wide = |size: usize| size as u128;
        let (hidden, ff, dim) = (wide(self.hidden_size), wide(self.intermediate_size), wide(self.head_dim));
        let query = wide(self.num_attention_heads) * dim;
        let qkv = query + 2 * wide(self.num_key_value_heads) * dim;
        let mut layer = hidden * (qkv + query + 3 * ff + 2);
        if self.attention_bias {
            layer += qkv;
        }
        if self.output_bias() {
            layer += hidden;
        }
        if self.qk_norm() {
            layer += 2 * dim;
        }
        let embeddings = if self.tie_word_embeddings { 1 } else { 2 };
        embeddings * wide(self.vocab_size) * hidden + wide(self.num_hidden_layers) * layer + hidden
    }

    /// Whether the heads of queries and keys are normalised.
    pub(crate) fn qk_norm(&self) -> bool {
        self.family == ModelFamily::Qwen3
    }

    /// Whether the output of attention has biases.
    pub(crate) fn output_bias(&self) -> bool {
        self.attention_bias && self.family != ModelFamily::Qwen2
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
