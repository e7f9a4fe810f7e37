//! The decoder in candle's own differentiable operations, for any device and any floating-point type.
//!
//! Only operations that have a backward pass are used: candle's fused norm, softmax and rotary operations
//! have none, and cut the gradient silently. Norms, rotations and softmax are computed in single precision
//! if the weights are narrower.

use super::frame::{Frame, wide};
use super::weights::TensorWeights;
use crate::model::ModelConfig;
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
        x.reshape((rows, tokens, self.config.hidden_size))
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
        let h = self.norm(x, &format!("{prefix}.input_layernorm.weight"))?;
        let x = (x + self.attention(&h, &format!("{prefix}.self_attn"), frame, attend_to)?)?;
        let h = self.norm(&x, &format!("{prefix}.post_attention_layernorm.weight"))?;
        let project = |h: &Tensor, part: &str| self.linear(h, &format!("{prefix}.mlp.{part}"));
        let gate = project(&h, "gate_proj")?.silu()?;
        &x + project(&(gate * project(&h, "up_proj")?)?, "down_proj")?
    }

    /// Logits of single tokens, n × hidden_size to n × vocab_size, at least in single precision.
    pub(crate) fn logits(&self, x: &Tensor) -> Result<Tensor> {
        let tied = self.config.tie_word_embeddings;
        let head = if tied { "model.embed_tokens.weight" } else { "lm_head.weight" };
        let logits = self.norm(x, "model.norm.weight")?.matmul(&self.weights.get(head)?.t()?)?;
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
        h: &Tensor,
        prefix: &str,
        frame: &Frame,
        attend_to: impl FnOnce(KeyValue) -> Result<KeyValue>,
    ) -> Result<Tensor> {
        let (rows, tokens, _) = h.dims3()?;
        let (heads, groups) = (self.config.num_attention_heads, self.config.num_key_value_heads);
        let dim = self.config.head_dim;
        let project = |part: &str, heads: usize| {
            let x = self.linear(h, &format!("{prefix}.{part}_proj"))?;
            x.reshape((rows, tokens, heads, dim))?.transpose(1, 2)?.contiguous()
        };
        let turned = |part: &str, heads: usize| {
            let x = project(part, heads)?;
            let normed = if self.config.qk_norm() {
                self.norm(&x, &format!("{prefix}.{part}_norm.weight"))?
            } else {
                x
            };
            rotate(&normed, frame)
        };
        // The queries that share a key head are rows of one product: keys and values are never repeated.
        let q = turned("q", heads)?.reshape((rows, groups, heads / groups * tokens, dim))?;
        let KeyValue { key, value } =
            attend_to(KeyValue { key: turned("k", groups)?, value: project("v", groups)? })?;
        let total = key.dim(2)?;
        let scores = (q.matmul(&key.t()?)? / (dim as f64).sqrt())?.to_dtype(wide(h.dtype()))?;
        let scores = scores.reshape((rows, groups, heads / groups, tokens, total))?;
        let scores = match &frame.mask {
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

    /// `x / √(mean(x²) + eps) · weight` over the last dimension (arXiv:1910.07467).
    fn norm(&self, x: &Tensor, weight: &str) -> Result<Tensor> {
        let broad = x.to_dtype(wide(x.dtype()))?;
        let mean = broad.sqr()?.mean_keepdim(D::Minus1)?;
        let normed = broad.broadcast_div(&(mean + self.config.rms_norm_eps)?.sqrt()?)?;
        normed.to_dtype(x.dtype())?.broadcast_mul(&self.weights.get(weight)?)
    }
}

/// Turns the two halves of each head against each other.
fn rotate(x: &Tensor, frame: &Frame) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let broad = x.to_dtype(frame.cos.dtype())?;
    let (a, b) = (broad.narrow(D::Minus1, 0, half)?, broad.narrow(D::Minus1, half, half)?);
    let turn = |x: &Tensor, y: &Tensor| x.broadcast_mul(&frame.cos)? + y.broadcast_mul(&frame.sin)?;
    Tensor::cat(&[turn(&a, &b.neg()?)?, turn(&b, &a)?], D::Minus1)?.to_dtype(x.dtype())
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
