//! The position of each parameter in the flat buffer of all parameters.
//!
//! Query, key and value matrices are adjacent, and so are gate and up: one product for the engine, separate tensors for
//! a checkpoint.

use super::config::ModelConfig;
use sparring_core::PolicyError;
use std::hint::black_box;
use std::ops::Range;

/// One tensor of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) at: Range<usize>,
}

impl Parameter {
    /// Matrices decay; norms and biases do not.
    pub(crate) fn decays(&self) -> bool {
        self.shape.len() > 1
    }
}

/// A product `y = x·wᵀ + bias`: one matrix of a checkpoint, or several with the same input.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    /// outputs × inputs.
    pub(crate) weight: Range<usize>,
    /// One per output; empty if there are none.
    pub(crate) bias: Range<usize>,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Number of the product within the model.
    pub(crate) index: usize,
    /// Checkpoint names (without `.weight`) of its matrices, and the outputs of each.
    pub(crate) parts: Vec<(String, Range<usize>)>,
}

/// The products of one layer.
#[derive(Debug, Clone)]
pub(crate) struct LayerRanges {
    /// On what attention reads. Like all norms, empty if the family has none.
    pub(crate) attention_norm: Range<usize>,
    pub(crate) qkv: Linear,
    /// head_dim, or all heads.
    pub(crate) query_norm: Range<usize>,
    pub(crate) key_norm: Range<usize>,
    pub(crate) output: Linear,
    /// On what attention gives.
    pub(crate) attended_norm: Range<usize>,
    /// On what the feed-forward part reads.
    pub(crate) mlp_norm: Range<usize>,
    pub(crate) gate_up: Linear,
    pub(crate) down: Linear,
    /// On what the feed-forward part gives.
    pub(crate) fed_norm: Range<usize>,
}

impl LayerRanges {
    /// The products of the layer, in the order of their numbers.
    pub(crate) fn products(&self) -> [&Linear; 4] {
        [&self.qkv, &self.output, &self.gate_up, &self.down]
    }
}

/// All parameters, in the order of the flat buffer.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) embedding: Range<usize>,
    pub(crate) layers: Vec<LayerRanges>,
    pub(crate) norm: Range<usize>,
    /// The embedding itself if the two are tied.
    pub(crate) head: Range<usize>,
    pub(crate) len: usize,
}

/// A buffer of zeros; an error where memory does not suffice.
pub(crate) fn zeros(len: usize) -> Result<Vec<f32>, PolicyError> {
    // `vec!` gets pages that are zero already, but ends the process where there are none.
    let mut tried = Vec::<f32>::new();
    let refused = black_box(&mut tried).try_reserve_exact(len).is_err();
    drop(tried);
    if refused {
        let gib = len as f64 * 4.0 / f64::from(1 << 30);
        return Err(PolicyError::invalid(format!(
            "{len} weights take {gib:.1} GiB, more than this machine gives; choose a smaller model, or a smaller rank"
        )));
    }
    Ok(vec![0.0; len])
}

impl Layout {
    /// The layout of a configuration that was checked: no size overflows.
    pub(crate) fn new(config: &ModelConfig) -> Self {
        let mut tensors = Builder::default();
        let (hidden, ff) = (config.hidden_size, config.intermediate_size);
        let embedding = tensors.add("model.embed_tokens.weight", &[config.vocab_size, hidden]);
        let layers = (0..config.num_hidden_layers).map(|i| tensors.layer(config, i, hidden, ff)).collect();
        let norm = tensors.add("model.norm.weight", &[hidden]);
        let head = if config.tie_word_embeddings {
            embedding.clone()
        } else {
            tensors.add("lm_head.weight", &[config.vocab_size, hidden])
        };
        let len = tensors.len;
        Self { parameters: tensors.parameters, embedding, layers, norm, head, len }
    }

    /// Every product of every layer, in the order of their numbers.
    pub(crate) fn products(&self) -> impl Iterator<Item = &Linear> {
        self.layers.iter().flat_map(LayerRanges::products)
    }
}

#[derive(Default)]
struct Builder {
    parameters: Vec<Parameter>,
    len: usize,
    products: usize,
}

impl Builder {
    fn add(&mut self, name: &str, shape: &[usize]) -> Range<usize> {
        let at = self.len..self.len + shape.iter().product::<usize>();
        self.len = at.end;
        self.parameters.push(Parameter { name: name.to_owned(), shape: shape.to_vec(), at: at.clone() });
        at
    }

    /// Adds the weights of a norm; none if it has no name.
    fn norm(&mut self, prefix: &str, name: Option<&str>, width: usize) -> Range<usize> {
        self.add_if(name.is_some(), &format!("{prefix}.{}.weight", name.unwrap_or_default()), &[width])
    }

    fn add_if(&mut self, there: bool, name: &str, shape: &[usize]) -> Range<usize> {
        if there { self.add(name, shape) } else { self.len..self.len }
    }

    /// Adds matrices with the same input, one after the other, and then their biases, if any.
    fn linear(&mut self, prefix: &str, inputs: usize, parts: &[(&str, usize)], biased: bool) -> Linear {
        let (start, mut outputs) = (self.len, 0);
        let mut named = Vec::with_capacity(parts.len());
        for (part, width) in parts {
            let name = format!("{prefix}.{part}");
            self.add(&format!("{name}.weight"), &[*width, inputs]);
            named.push((name, outputs..outputs + width));
            outputs += width;
        }
        let weight = start..self.len;
        for (part, width) in parts {
            self.add_if(biased, &format!("{prefix}.{part}.bias"), &[*width]);
        }
        self.products += 1;
        let (bias, index) = (weight.end..self.len, self.products - 1);
        Linear { weight, bias, inputs, outputs, index, parts: named }
    }

    fn layer(&mut self, config: &ModelConfig, i: usize, hidden: usize, ff: usize) -> LayerRanges {
        let (q, kv, traits) = (config.query_width(), config.kv_width(), config.family.traits());
        let prefix = format!("model.layers.{i}");
        let (attention, mlp) = (format!("{prefix}.self_attn"), format!("{prefix}.mlp"));
        let (qkv, gate_up) = if traits.fused {
            (vec![("qkv_proj", q + 2 * kv)], vec![("gate_up_proj", 2 * ff)])
        } else {
            (vec![("q_proj", q), ("k_proj", kv), ("v_proj", kv)], vec![("gate_proj", ff), ("up_proj", ff)])
        };
        let [reads, gives, reads_next, gives_next] = traits.norms.names();
        let head_norm = |name| config.qk_norm().then_some(name);
        let [query_norm, key_norm] = config.head_norm_widths();
        LayerRanges {
            attention_norm: self.norm(&prefix, reads, hidden),
            qkv: self.linear(&attention, hidden, &qkv, config.attention_bias),
            query_norm: self.norm(&attention, head_norm("q_norm"), query_norm),
            key_norm: self.norm(&attention, head_norm("k_norm"), key_norm),
            output: self.linear(&attention, q, &[("o_proj", hidden)], config.output_bias()),
            attended_norm: self.norm(&prefix, gives, hidden),
            mlp_norm: self.norm(&prefix, reads_next, hidden),
            gate_up: self.linear(&mlp, hidden, &gate_up, false),
            down: self.linear(&mlp, ff, &[("down_proj", hidden)], false),
            fed_norm: self.norm(&prefix, gives_next, hidden),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::ModelFamily;

    #[test]
    fn parameters_tile_the_buffer() {
        for tied in [true, false] {
            let config = ModelConfig::qwen2(50, 16, 2, 4, 24).with_kv_heads(2).with_tied_embeddings(tied);
            let layout = Layout::new(&config);
            let mut at = 0;
            for p in &layout.parameters {
                assert_eq!(p.at.start, at, "{}", p.name);
                assert_eq!(p.at.len(), p.shape.iter().product::<usize>());
                at = p.at.end;
            }
            assert_eq!(at, layout.len);
            assert_eq!(config.weights(), layout.len as u128);
            let layer = 16 * (16 + 2 * 8) + 32 + 16 * 16 + 2 * 16 + 3 * 16 * 24;
            let embedding = 50 * 16;
            assert_eq!(layout.len, embedding * if tied { 1 } else { 2 } + 2 * layer + 16);
        }
    }

    #[test]
    fn weights_are_counted_for_every_family() {
        for family in ModelFamily::ALL {
            for biased in [true, false] {
                let config = ModelConfig::new(family, 50, 16, 3, 4, 24).with_kv_heads(2).with_head_dim(6);
                let config = config.with_attention_bias(biased);
                assert_eq!(config.weights(), Layout::new(&config).len as u128, "{family:?} {biased}");
            }
        }
    }

    #[test]
    fn too_much_memory_is_an_error() {
        let error = zeros(usize::MAX / 8).unwrap_err().to_string();
        assert!(error.contains("GiB"), "{error}");
        assert_eq!(zeros(3).unwrap(), [0.0; 3]);
    }
}
