//! The decoder in candle's own differentiable operations, for any device and any floating-point type.
//!
//! Only operations that have a backward pass are used: candle's fused norm, softmax and rotary operations
//! have none, and cut the gradient silently. Norms, rotations and softmax are computed in single precision
//! if the weights are narrower.

use super::frame::{Frame, wide};
use super::weights::TensorWeights;
use crate::model::{HeadNorms, ModelConfig};
use candle_core::{D, DType, Device, Result, Tensor};
use sparring_core::TokenMask;

/// Keys and values of one layer: rows × key heads × tokens × head_dim.
#[derive(Debug, Clone)]
pub(crate) struct KeyValue {
    pub(crate) key: Tensor,
    pub(crate) value: Tensor,
}

impl KeyValue {
    /// Those of one row, which all rows of `own` see before their own.
    pub(crate) fn before(&self, own: &Self) -> Result<Self> {
        let join = |shared: &Tensor, own: &Tensor| {
            let (rows, heads, _, dim) = own.dims4()?;
            // Without `contiguous`, candle would join them in a layout that it cannot multiply.
            let shared = shared.broadcast_as((rows, heads, shared.dim(2)?, dim))?.contiguous()?;
            Tensor::cat(&[&shared, own], 2)
        };
        Ok(Self { key: join(&self.key, &own.key)?, value: join(&self.value, &own.value)? })
    }
}

/// A decoder's forward pass. With tracked weights the results carry a tape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoder<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) weights: &'a TensorWeights,
}

impl Decoder<'_> {
    /// Embeddings: rows × tokens of ids to rows × tokens × hidden_size.
    pub(crate) fn embed(&self, ids: &Tensor) -> Result<Tensor> {
        let (rows, tokens) = ids.dims2()?;
        let embedding = self.weights.get("model.embed_tokens.weight")?;
        let x = embedding.index_select(&ids.flatten_all()?, 0)?;
        scaled(x, self.config.embedding_scale())?.reshape((rows, tokens, self.config.hidden_size))
    }

    /// One layer: rows × tokens × hidden_size to the same. `attend_to` receives the tokens' own keys and values and
    /// returns what they attend to.
    pub(crate) fn layer(
        &self,
        i: usize,
        x: &Tensor,
        frame: &Frame,
        attend_to: impl FnOnce(KeyValue) -> Result<KeyValue>,
    ) -> Result<Tensor> {
        let prefix = format!("model.layers.{i}");
        // The norms of what attention reads and gives, and of what the feed-forward part does.
        let norm = |x: Tensor, name: Option<&str>| match name {
            Some(name) => self.norm(&x, &format!("{prefix}.{name}.weight")),
            None => Ok(x),
        };
        let [reads, gives, reads_next, gives_next] = self.config.family.traits().norms.names();
        let attended = self.attention(i, &norm(x.clone(), reads)?, frame, attend_to)?;
        let x = (x + scaled(norm(attended, gives)?, self.config.residual_scale())?)?;
        let fed = self.feed_forward(&norm(x.clone(), reads_next)?, &format!("{prefix}.mlp"))?;
        x + scaled(norm(fed, gives_next)?, self.config.residual_scale())?
    }

    fn feed_forward(&self, h: &Tensor, prefix: &str) -> Result<Tensor> {
        let ff = self.config.intermediate_size;
        let parts = self.products(h, prefix, "gate_up_proj", &[("gate_proj", ff), ("up_proj", ff)])?;
        let gate = if self.config.is_gelu() { gelu(&parts[0])? } else { parts[0].silu()? };
        self.linear(&(gate * &parts[1])?, &format!("{prefix}.down_proj"))
    }

    /// The products of matrices with the same input: one matrix of the checkpoint each, or one for all of them.
    fn products(
        &self,
        h: &Tensor,
        prefix: &str,
        fused: &str,
        parts: &[(&str, usize)],
    ) -> Result<Vec<Tensor>> {
        if !self.config.family.traits().fused {
            return parts.iter().map(|(part, _)| self.linear(h, &format!("{prefix}.{part}"))).collect();
        }
        let all = self.linear(h, &format!("{prefix}.{fused}"))?;
        let mut from = 0;
        let part = |(_, width): &(&str, usize)| {
            from += width;
            all.narrow(D::Minus1, from - width, *width)
        };
        parts.iter().map(part).collect()
    }

    /// Logits of single tokens, n × hidden_size to n × vocab_size, at least in single precision.
    pub(crate) fn logits(&self, x: &Tensor) -> Result<Tensor> {
        let tied = self.config.tie_word_embeddings;
        let head = if tied { "model.embed_tokens.weight" } else { "lm_head.weight" };
        let normed = scaled(self.norm(x, "model.norm.weight")?, self.config.logit_scale())?;
        let logits = normed.matmul(&self.weights.get(head)?.t()?)?;
        logits.to_dtype(wide(logits.dtype()))
    }

    /// Logits after each token of one sequence: tokens × vocab_size.
    pub(crate) fn all_logits(&self, tokens: &[u32], place: (&Device, DType)) -> Result<Tensor> {
        let ids = Tensor::from_slice(tokens, (1, tokens.len()), place.0)?;
        let frame = Frame::causal(self.config, place, 0, tokens.len())?;
        let mut x = self.embed(&ids)?;
        for i in 0..self.config.num_hidden_layers {
            x = self.layer(i, &x, &frame, Ok)?;
        }
        self.logits(&x.squeeze(0)?)
    }

    fn attention(
        &self,
        layer: usize,
        h: &Tensor,
        frame: &Frame,
        attend_to: impl FnOnce(KeyValue) -> Result<KeyValue>,
    ) -> Result<Tensor> {
        let prefix = format!("model.layers.{layer}.self_attn");
        let (rows, tokens, _) = h.dims3()?;
        let (heads, groups) = (self.config.num_attention_heads, self.config.num_key_value_heads);
        let dim = self.config.head_dim;
        let (query, kv) = (self.config.query_width(), self.config.kv_width());
        let parts = [("q_proj", query), ("k_proj", kv), ("v_proj", kv)];
        let parts = self.products(h, &prefix, "qkv_proj", &parts)?;
        let split =
            |x: &Tensor, heads: usize| x.reshape((rows, tokens, heads, dim))?.transpose(1, 2)?.contiguous();
        let turned = |x: &Tensor, norm: &str, heads: usize| {
            let norm = |x: &Tensor| self.norm(x, &format!("{prefix}.{norm}.weight"));
            let x = match self.config.family.traits().head_norms {
                HeadNorms::Never => split(x, heads)?,
                HeadNorms::Each => norm(&split(x, heads)?)?,
                HeadNorms::Together => split(&norm(x)?, heads)?,
            };
            self.config.rotation(layer).map_or(Ok(x.clone()), |rotation| rotate(&x, &frame.turns[rotation]))
        };
        // The queries that share a key head are rows of one product: keys and values are never repeated.
        let q = turned(&parts[0], "q_norm", heads)?.reshape((rows, groups, heads / groups * tokens, dim))?;
        let own = KeyValue { key: turned(&parts[1], "k_norm", groups)?, value: split(&parts[2], groups)? };
        let KeyValue { key, value } = attend_to(own)?;
        let total = key.dim(2)?;
        let scale = self.config.attention_multiplier.unwrap_or(1.0 / (dim as f64).sqrt());
        let scores = (q.matmul(&key.t()?)? * scale)?.to_dtype(wide(h.dtype()))?;
        let scores = scores.reshape((rows, groups, heads / groups, tokens, total))?;
        let scores = match frame.mask(self.config.window(layer)) {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let p = softmax(&scores)?.to_dtype(h.dtype())?.reshape((rows, groups, (), total))?;
        let out = p.matmul(&value)?.reshape((rows, heads, tokens, dim))?;
        self.linear(&out.transpose(1, 2)?.reshape((rows, tokens, heads * dim))?, &format!("{prefix}.o_proj"))
    }

    /// `x·wᵀ`, with bias and low-rank factors (arXiv:2106.09685) if present.
    fn linear(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let (rows, tokens, width) = x.dims3()?;
        // In two dimensions: the gradient of a matrix that is broadcast over rows would be one per row.
        let x = x.reshape((rows * tokens, width))?;
        let mut y = x.matmul(&self.weights.get(&format!("{name}.weight"))?.t()?)?;
        if let Some(bias) = self.weights.find(&format!("{name}.bias"))? {
            y = y.broadcast_add(&bias)?;
        }
        if let Some((a, b, scale)) = self.weights.factors(name)? {
            y = (y + (x.matmul(&a.t()?)?.matmul(&b.t()?)? * scale)?)?;
        }
        let outputs = y.dim(1)?;
        y.reshape((rows, tokens, outputs))
    }

    /// `x / √(mean(x²) + eps) · weight` over the last dimension (arXiv:1910.07467); by 1 more than the weight where the
    /// family does so.
    fn norm(&self, x: &Tensor, weight: &str) -> Result<Tensor> {
        let broad = x.to_dtype(wide(x.dtype()))?;
        let mean = broad.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = broad.broadcast_div(&(mean + self.config.rms_norm_eps)?.sqrt()?)?;
        let weight = self.weights.get(weight)?;
        if self.config.norms_from_one() {
            let factors = (weight.to_dtype(normed.dtype())? + 1.0)?;
            return normed.broadcast_mul(&factors)?.to_dtype(x.dtype());
        }
        normed.to_dtype(x.dtype())?.broadcast_mul(&weight)
    }
}

fn scaled(x: Tensor, factor: Option<f32>) -> Result<Tensor> {
    factor.map_or(Ok(x.clone()), |factor| x * f64::from(factor))
}

/// `x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))` (arXiv:1606.08415); candle's own has a derivative of six digits.
fn gelu(x: &Tensor) -> Result<Tensor> {
    let cubic = (x + ((x.sqr()? * x)? * 0.044_715)?)?;
    let tanh = (cubic * (2.0 / std::f64::consts::PI).sqrt())?.tanh()?;
    (x * 0.5)? * (tanh + 1.0)?
}

/// Turns the two halves of each head against each other; the end of a head for which there is no angle stays.
fn rotate(x: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Result<Tensor> {
    let (half, width) = (cos.dim(D::Minus1)?, x.dim(D::Minus1)?);
    let broad = x.to_dtype(cos.dtype())?;
    let (a, b) = (broad.narrow(D::Minus1, 0, half)?, broad.narrow(D::Minus1, half, half)?);
    let turn = |x: &Tensor, y: &Tensor| x.broadcast_mul(cos)? + y.broadcast_mul(sin)?;
    let mut parts = vec![turn(&a, &b.neg()?)?, turn(&b, &a)?];
    if 2 * half < width {
        parts.push(broad.narrow(D::Minus1, 2 * half, width - 2 * half)?);
    }
    Tensor::cat(&parts, D::Minus1)?.to_dtype(x.dtype())
}

/// Over the last dimension. The largest is a constant: a shift does not change the result.
fn softmax(x: &Tensor) -> Result<Tensor> {
    let e = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    e.broadcast_div(&e.sum_keepdim(D::Minus1)?)
}

/// Log-probabilities of `ids` and entropies under softmax(logits / temperature), one each a row. `forbidden` is added
/// to the logits: see [`forbidden`].
pub(crate) fn scores(
    logits: &Tensor,
    ids: &Tensor,
    temperature: f32,
    forbidden: Option<&Tensor>,
) -> Result<(Tensor, Tensor)> {
    let logits = (logits / f64::from(temperature))?;
    let logits = match forbidden {
        Some(forbidden) => (logits + forbidden)?,
        None => logits,
    };
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let all = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    let logp = all.gather(&ids.unsqueeze(1)?, 1)?.squeeze(1)?;
    let entropy = (all.exp()? * &all)?.sum(D::Minus1)?.neg()?;
    Ok((logp, entropy))
}

/// What to add to the logits of some rows so that only allowed tokens have a probability: 0, and a number so far below
/// every logit that its exponential is 0, but whose product with 0 is 0. `None` if every token is allowed.
pub(crate) fn forbidden(
    masks: &[&TokenMask],
    vocab_size: usize,
    (device, dtype): (&Device, DType),
) -> Result<Option<Tensor>> {
    const FAR_BELOW: f32 = -1e30;
    if masks.iter().all(|mask| **mask == TokenMask::All) {
        return Ok(None);
    }
    let mut values = vec![FAR_BELOW; masks.len() * vocab_size];
    for (row, mask) in values.chunks_exact_mut(vocab_size).zip(masks) {
        mask.allowed(0..vocab_size as u32).for_each(|token| row[token as usize] = 0.0);
    }
    Tensor::from_vec(values, (masks.len(), vocab_size), device)?.to_dtype(dtype).map(Some)
}
