//! Where each parameter lies in the one flat buffer that holds them all.
//!
//! Query, key and value matrices are neighbours, and so are gate and up: each is one product for the
//! engine and separate tensors for a checkpoint.

use crate::config::ModelConfig;
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

/// Ranges of one layer, as the engine multiplies them.
#[derive(Debug, Clone)]
pub(crate) struct LayerRanges {
    pub(crate) attention_norm: Range<usize>,
    pub(crate) qkv: Range<usize>,
    /// Empty where the family has no biases.
    pub(crate) qkv_bias: Range<usize>,
    pub(crate) output: Range<usize>,
    pub(crate) mlp_norm: Range<usize>,
    pub(crate) gate_up: Range<usize>,
    pub(crate) down: Range<usize>,
}

/// All parameters, in the order of the flat buffer.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) embedding: Range<usize>,
    pub(crate) layers: Vec<LayerRanges>,
    pub(crate) norm: Range<usize>,
    /// The embedding itself where the two are tied.
    pub(crate) head: Range<usize>,
    pub(crate) len: usize,
}

impl Layout {
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
}

#[derive(Default)]
struct Builder {
    parameters: Vec<Parameter>,
    len: usize,
}

impl Builder {
    fn add(&mut self, name: &str, shape: &[usize]) -> Range<usize> {
        let at = self.len..self.len + shape.iter().product::<usize>();
        self.len = at.end;
        self.parameters.push(Parameter { name: name.to_owned(), shape: shape.to_vec(), at: at.clone() });
        at
    }

    /// Neighbouring tensors as one range.
    fn group(&mut self, prefix: &str, tensors: &[(&str, &[usize])]) -> Range<usize> {
        let start = self.len;
        for (name, shape) in tensors {
            self.add(&format!("{prefix}.{name}"), shape);
        }
        start..self.len
    }

    fn layer(&mut self, config: &ModelConfig, i: usize, hidden: usize, ff: usize) -> LayerRanges {
        let (q, kv) = (config.query_width(), config.kv_width());
        let prefix = format!("model.layers.{i}");
        let attention = format!("{prefix}.self_attn");
        let biases: &[(&str, &[usize])] =
            &[("q_proj.bias", &[q]), ("k_proj.bias", &[kv]), ("v_proj.bias", &[kv])];
        LayerRanges {
            attention_norm: self.add(&format!("{prefix}.input_layernorm.weight"), &[hidden]),
            qkv: self.group(
                &attention,
                &[
                    ("q_proj.weight", &[q, hidden]),
                    ("k_proj.weight", &[kv, hidden]),
                    ("v_proj.weight", &[kv, hidden]),
                ],
            ),
            qkv_bias: self.group(&attention, if config.family.qkv_bias() { biases } else { &[] }),
            output: self.add(&format!("{attention}.o_proj.weight"), &[hidden, q]),
            mlp_norm: self.add(&format!("{prefix}.post_attention_layernorm.weight"), &[hidden]),
            gate_up: self.group(
                &format!("{prefix}.mlp"),
                &[("gate_proj.weight", &[ff, hidden]), ("up_proj.weight", &[ff, hidden])],
            ),
            down: self.add(&format!("{prefix}.mlp.down_proj.weight"), &[hidden, ff]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let layer = 16 * (16 + 2 * 8) + 32 + 16 * 16 + 2 * 16 + 3 * 16 * 24;
            let embedding = 50 * 16;
            assert_eq!(layout.len, embedding * if tied { 1 } else { 2 } + 2 * layer + 16);
        }
    }
}
