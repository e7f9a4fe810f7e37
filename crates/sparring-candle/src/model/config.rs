//! The shape of a decoder.

use super::family::{Biases, HeadNorms, ModelFamily};
use super::layers::LayerKind;
use super::rotary::RopeScaling;
use serde_json::{Map, Value};
use sparring_core::PolicyError;
use std::borrow::Cow;

/// The function of the gate in the feed-forward layer (arXiv:2002.05202).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Activation {
    /// x·σ(x).
    #[default]
    Silu,
    /// GELU (arXiv:1606.08415) by its approximation, x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))).
    GeluTanh,
}

/// Most rows of an embedding.
const LARGEST_VOCABULARY: usize = 1 << 24;
/// Largest width of a layer or of a head, and largest number of heads.
const LARGEST_WIDTH: usize = 1 << 20;
/// Most layers.
pub(super) const MOST_LAYERS: usize = 1 << 14;
/// Longest sequence. Tables are made as positions are reached, in pieces, of which there is a list.
const MOST_POSITIONS: usize = 1 << 24;

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
    /// Base of the frequencies of layers within a window, which are not scaled; as of the others if `None`.
    pub rope_local_theta: Option<f64>,
    /// Share of a head's numbers that turn, the first ones, in (0, 1].
    pub partial_rotary_factor: f64,
    /// How many positions a layer within a window sees, the token itself among them; all if `None`.
    pub sliding_window: Option<usize>,
    /// The attention of each layer; those beyond the list see all positions, and turn.
    pub layer_kinds: Vec<LayerKind>,
    /// Whether queries, keys and values have biases (and the output of attention, except for Qwen2).
    pub attention_bias: bool,
    /// The function of the gate.
    pub activation: Activation,
    /// Factor of embeddings; 1 if `None`. Gemma's is √hidden_size, whatever this is.
    pub embedding_multiplier: Option<f64>,
    /// Factor of scores; 1/√head_dim if `None`.
    pub attention_multiplier: Option<f64>,
    /// Factor of what attention and feed-forward add to the residual stream; 1 if `None`.
    pub residual_multiplier: Option<f64>,
    /// Divisor of logits; 1 if `None`.
    pub logits_scaling: Option<f64>,
    /// Whether the output matrix is the embedding.
    pub tie_word_embeddings: bool,
    /// Standard deviation of fresh weights.
    pub initializer_range: f64,
    /// Unknown keys of the file, kept when the model is saved.
    pub(crate) other: Map<String, Value>,
}

impl ModelConfig {
    /// A decoder with as many key heads as query heads, tied embeddings, positions up to 2048, RMSNorm epsilon
    /// 1e-6, rotary base 10 000, no window and no factors, whose layers are of the family's usual kinds. Sizes:
    /// `vocab` × `hidden` embeddings, `layers` layers of `heads` heads and `intermediate` feed-forward units.
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
            rope_local_theta: family.traits().local_rotation.then_some(10_000.0),
            partial_rotary_factor: 1.0,
            sliding_window: None,
            layer_kinds: Self::default_layers(family, layers),
            attention_bias: family.traits().biases == Biases::Inputs,
            activation: family.traits().activation,
            embedding_multiplier: None,
            attention_multiplier: None,
            residual_multiplier: None,
            logits_scaling: None,
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

    /// Sets how many positions layers within a window see.
    #[must_use]
    pub fn with_sliding_window(mut self, positions: usize) -> Self {
        self.sliding_window = Some(positions);
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
        self.check_numbers(&bad)?;
        match (self.family.traits().biases, self.attention_bias) {
            (Biases::Inputs, false) => return Err(bad("attention_bias", "must be true: Qwen2 has biases")),
            (Biases::Never, true) => {
                return Err(bad("attention_bias", "must be false: models of this family have no biases"));
            }
            _ => {}
        }
        let rotary = self.rotary_dim();
        if rotary < 2 || rotary > self.head_dim || !rotary.is_multiple_of(2) {
            return Err(bad("partial_rotary_factor", "must leave an even part of a head, of at least 2"));
        }
        if let Some((field, why)) = self.layers_fault() {
            return Err(bad(field, why));
        }
        if let Some(field) = self.other_option() {
            return Err(bad(field, "is set, but models of this family have no such option"));
        }
        self.rope_scaling.fault(rotary).map_or(Ok(()), |fault| Err(bad("rope_scaling", fault)))
    }

    /// An option that is set although the family does not have it: it would be lost when the model is saved.
    fn other_option(&self) -> Option<&'static str> {
        let traits = self.family.traits();
        let partial = self.rotary_dim() < self.head_dim;
        let options = [
            ("partial_rotary_factor", partial, traits.partial_rotation),
            ("rope_local_base_freq", self.rope_local_theta.is_some(), traits.local_rotation),
            ("embedding_multiplier", self.embedding_multiplier.is_some(), traits.multipliers),
            ("residual_multiplier", self.residual_multiplier.is_some(), traits.multipliers),
            ("logits_scaling", self.logits_scaling.is_some(), traits.multipliers),
            (
                "attention_multiplier",
                self.attention_multiplier.is_some(),
                traits.multipliers || traits.query_scalar,
            ),
        ];
        options.into_iter().find(|(_, set, has)| *set && !has).map(|(field, ..)| field)
    }

    fn check_numbers(&self, bad: &impl Fn(&str, &str) -> PolicyError) -> Result<(), PolicyError> {
        let numbers = [
            ("rms_norm_eps", Some(self.rms_norm_eps)),
            ("rope_theta", Some(self.rope_theta)),
            ("rope_local_base_freq", self.rope_local_theta),
            ("initializer_range", Some(self.initializer_range)),
            ("partial_rotary_factor", Some(self.partial_rotary_factor)),
            ("embedding_multiplier", self.embedding_multiplier),
            ("attention_multiplier", self.attention_multiplier),
            ("residual_multiplier", self.residual_multiplier),
            ("logits_scaling", self.logits_scaling),
        ];
        for (field, value) in numbers {
            if value.is_some_and(|value| !(value.is_finite() && value > 0.0)) {
                return Err(bad(field, "must be a number above 0"));
            }
        }
        for (field, theta) in
            [("rope_theta", Some(self.rope_theta)), ("rope_local_base_freq", self.rope_local_theta)]
        {
            if theta.is_some_and(|theta| theta <= 1.0) {
                return Err(bad(field, "must be above 1"));
            }
        }
        Ok(())
    }

    /// Bounds far above any published model, within which no product of sizes overflows.
    pub(super) fn check_sizes(&self, bad: &impl Fn(&str, &str) -> PolicyError) -> Result<(), PolicyError> {
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
        let norms = self.family.traits().norms.names().iter().flatten().count() as u128;
        let mut layer = hidden * (qkv + query + 3 * ff + norms);
        if self.attention_bias {
            layer += qkv;
        }
        if self.output_bias() {
            layer += hidden;
        }
        layer += self.head_norm_widths().map(wide).iter().sum::<u128>();
        let embeddings = if self.tie_word_embeddings { 1 } else { 2 };
        embeddings * wide(self.vocab_size) * hidden + wide(self.num_hidden_layers) * layer + hidden
    }

    /// Whether queries and keys are normalised.
    pub(crate) fn qk_norm(&self) -> bool {
        self.family.traits().head_norms != HeadNorms::Never
    }

    /// Numbers that the norms of queries and of keys look at together; 0 if there are none.
    pub(crate) fn head_norm_widths(&self) -> [usize; 2] {
        match self.family.traits().head_norms {
            HeadNorms::Never => [0; 2],
            HeadNorms::Each => [self.head_dim; 2],
            HeadNorms::Together => [self.query_width(), self.kv_width()],
        }
    }

    /// Whether the output of attention has biases.
    pub(crate) fn output_bias(&self) -> bool {
        self.attention_bias && self.family.traits().biases == Biases::Chosen
    }

    /// What a norm with these weights multiplies by: the weights, or 1 more.
    pub(crate) fn norm_factors<'w>(&self, weights: &'w [f32]) -> Cow<'w, [f32]> {
        if self.norms_from_one() {
            Cow::Owned(weights.iter().map(|w| 1.0 + w).collect())
        } else {
            Cow::Borrowed(weights)
        }
    }

    /// Whether a norm multiplies by 1 more than its weights.
    pub(crate) fn norms_from_one(&self) -> bool {
        self.family.traits().norms_from_one
    }

    /// Factor of embeddings, unless it is 1.
    pub(crate) fn embedding_scale(&self) -> Option<f32> {
        let scaled = self.family.traits().scaled_embedding;
        let scale = if scaled { Some((self.hidden_size as f64).sqrt()) } else { self.embedding_multiplier };
        scale.map(|scale| scale as f32)
    }

    /// Factor of scores.
    pub(crate) fn score_scale(&self) -> f32 {
        self.attention_multiplier.map_or_else(|| 1.0 / (self.head_dim as f32).sqrt(), |scale| scale as f32)
    }

    /// Factor of what attention and feed-forward add to the residual stream, unless it is 1.
    pub(crate) fn residual_scale(&self) -> Option<f32> {
        self.residual_multiplier.map(|scale| scale as f32)
    }

    /// Factor of logits, unless it is 1.
    pub(crate) fn logit_scale(&self) -> Option<f32> {
        self.logits_scaling.map(|divisor| (1.0 / divisor) as f32)
    }

    /// Whether the gate's function is GELU.
    pub(crate) fn is_gelu(&self) -> bool {
        self.activation == Activation::GeluTanh
    }

    /// Longest sequence that this backend computes, tokens.
    pub fn longest_sequence(&self) -> usize {
        self.rope_scaling.longest_sequence().unwrap_or(usize::MAX).min(self.max_position_embeddings)
    }

    /// How many numbers of a head turn.
    pub(crate) fn rotary_dim(&self) -> usize {
        (self.head_dim as f64 * self.partial_rotary_factor) as usize
    }

    /// Frequencies of each kind of rotation, and the factor of its cosines and sines.
    pub(crate) fn rotations(&self) -> Vec<(Vec<f32>, f64)> {
        let (dim, scaling) = (self.rotary_dim(), &self.rope_scaling);
        let local = self.rope_local_theta.map(|theta| (RopeScaling::Plain.frequencies(dim, theta), 1.0));
        let first = (scaling.frequencies(dim, self.rope_theta), scaling.attention_factor());
        [Some(first), local].into_iter().flatten().collect()
    }

    /// The rotation of a layer, by its place in [`ModelConfig::rotations`]; `None` if the layer does not turn.
    pub(crate) fn rotation(&self, layer: usize) -> Option<usize> {
        let LayerKind { slides, turns } = self.layer(layer);
        turns.then_some(usize::from(slides && self.rope_local_theta.is_some()))
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
