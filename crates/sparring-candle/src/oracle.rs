//! The same decoder in stock differentiable candle operations, in double precision: a slow reference.
//!
//! Every sequence runs by itself, without a cache, without packing and without a shared prompt; gradients
//! come from candle's own automatic differentiation. Nothing here is shared with the engine but the shape of
//! the model and the values of its weights, so that tests compare two implementations. Only operations
//! that have a backward pass are used (candle's fused softmax, norm and rotary operations have none).

use crate::{CandlePolicy, ModelConfig};
use candle_core::{D, DType, Device, Result, Tensor, Var};
use sparring_core::{PolicyError, TokenBatch};
use std::collections::BTreeMap;

/// A copy of a policy's weights as candle variables.
#[derive(Debug)]
pub struct Oracle {
    config: ModelConfig,
    names: Vec<String>,
    vars: BTreeMap<String, Var>,
}

/// Log-probabilities and entropies of the completion tokens, and what they were computed from.
struct Scores {
    logp: Tensor,
    entropy: Tensor,
}

fn backend(error: candle_core::Error) -> PolicyError {
    PolicyError::backend("candle", error)
}

impl Oracle {
    /// Copies the weights of `policy`.
    ///
    /// # Errors
    /// [`PolicyError::Backend`] where candle fails.
    pub fn new(policy: &CandlePolicy) -> std::result::Result<Self, PolicyError> {
        let mut vars = BTreeMap::new();
        let mut names = Vec::new();
        for (name, shape, values) in policy.parameters() {
            let values: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).map_err(backend)?;
            vars.insert(name.to_owned(), Var::from_tensor(&tensor).map_err(backend)?);
            names.push(name.to_owned());
        }
        Ok(Self { config: policy.config().clone(), names, vars })
    }

    /// Logits after each token: tokens × vocab_size, one row after the other.
    ///
    /// # Errors
    /// [`PolicyError::Backend`] where candle fails.
    pub fn logits(&self, tokens: &[u32]) -> std::result::Result<Vec<f64>, PolicyError> {
        let run = || self.forward(tokens)?.flatten_all()?.to_vec1();
        run().map_err(backend)
    }

    /// Log-probabilities and entropies of the completion tokens, flat.
    ///
    /// # Errors
    /// [`PolicyError::Backend`] where candle fails.
    pub fn score(&self, batch: TokenBatch<'_>) -> std::result::Result<(Vec<f64>, Vec<f64>), PolicyError> {
        let run = || {
            let scores = self.scores(batch)?;
            Ok((scores.logp.to_vec1()?, scores.entropy.to_vec1()?))
        };
        run().map_err(backend)
    }

    /// The gradient of Σ logp·∂logp + Σ entropy·∂entropy, one vector a parameter, in the order of
    /// [`CandlePolicy::parameters`].
    ///
    /// # Errors
    /// [`PolicyError::Backend`] where candle fails, or leaves a parameter without a gradient.
    pub fn gradients(
        &self,
        batch: TokenBatch<'_>,
        d_logp: &[f32],
        d_entropy: &[f32],
    ) -> std::result::Result<Vec<Vec<f64>>, PolicyError> {
        let run = || {
            let scores = self.scores(batch)?;
            let weights = |w: &[f32]| Tensor::new(w, &Device::Cpu)?.to_dtype(DType::F64);
            let loss = ((scores.logp * weights(d_logp)?)?.sum_all()?
                + (scores.entropy * weights(d_entropy)?)?.sum_all()?)?;
            let gradients = loss.backward()?;
            let gradient = |name: &String| {
                let of = gradients.get(&self.vars[name]);
                of.ok_or_else(|| candle_core::Error::Msg(format!("{name} got no gradient")))?
                    .flatten_all()?
                    .to_vec1()
            };
            self.names.iter().map(gradient).collect::<Result<Vec<_>>>()
        };
        run().map_err(backend)
    }

    fn scores(&self, batch: TokenBatch<'_>) -> Result<Scores> {
        let (mut logp, mut entropy) = (Vec::new(), Vec::new());
        for group in batch.groups {
            for completion in group.completions.iter().filter(|c| !c.is_empty()) {
                let tokens = [group.prompt, completion].concat();
                let from = group.prompt.len() - 1;
                let logits = self.forward(&tokens)?.narrow(0, from, completion.len())?;
                let all = log_softmax(&(logits / f64::from(batch.temperature))?)?;
                let ids = Tensor::new(*completion, &Device::Cpu)?.unsqueeze(1)?;
                logp.push(all.gather(&ids, 1)?.squeeze(1)?);
                entropy.push((all.exp()? * &all)?.sum(D::Minus1)?.neg()?);
            }
        }
        Ok(Scores { logp: Tensor::cat(&logp, 0)?, entropy: Tensor::cat(&entropy, 0)? })
    }

    fn forward(&self, tokens: &[u32]) -> Result<Tensor> {
        let ids = Tensor::new(tokens, &Device::Cpu)?;
        let mut x = self.var("model.embed_tokens.weight").index_select(&ids, 0)?;
        for i in 0..self.config.num_hidden_layers {
            x = self.layer(&x, &format!("model.layers.{i}"))?;
        }
        let head =
            if self.config.tie_word_embeddings { "model.embed_tokens.weight" } else { "lm_head.weight" };
        self.norm(&x, "model.norm.weight")?.matmul(&self.var(head).t()?)
    }

    fn layer(&self, x: &Tensor, prefix: &str) -> Result<Tensor> {
        let h = self.norm(x, &format!("{prefix}.input_layernorm.weight"))?;
        let x = (x + self.attention(&h, &format!("{prefix}.self_attn"))?)?;
        let h = self.norm(&x, &format!("{prefix}.post_attention_layernorm.weight"))?;
        let project = |h: &Tensor, part: &str| self.linear(h, &format!("{prefix}.mlp.{part}"));
        let gate = project(&h, "gate_proj")?;
        &x + project(&(gate.silu()? * project(&h, "up_proj")?)?, "down_proj")?
    }

    fn attention(&self, h: &Tensor, prefix: &str) -> Result<Tensor> {
        let (n, dim) = (h.dim(0)?, self.config.head_dim);
        let (heads, kv_heads) = (self.config.num_attention_heads, self.config.num_key_value_heads);
        // heads × tokens × dim
        let project = |part: &str, heads: usize| {
            self.linear(h, &format!("{prefix}.{part}_proj"))?.reshape((n, heads, dim))?.transpose(0, 1)
        };
        let turn = |part: &str, heads: usize| {
            let x = project(part, heads)?;
            let normed = if self.config.qk_norm() {
                self.norm(&x, &format!("{prefix}.{part}_norm.weight"))?
            } else {
                x
            };
            self.rotate(&normed)
        };
        let q = turn("q", heads)?;
        let k = repeat(&turn("k", kv_heads)?, heads / kv_heads)?;
        let v = repeat(&project("v", kv_heads)?, heads / kv_heads)?;
        let scores = (q.matmul(&k.t()?)? / (dim as f64).sqrt())?;
        let p = log_softmax(&scores.broadcast_add(&causal_mask(n)?)?)?.exp()?;
        let out = p.matmul(&v)?.transpose(0, 1)?.reshape((n, heads * dim))?;
        self.linear(&out, &format!("{prefix}.o_proj"))
    }

    /// `x·wᵀ`, and the bias, where there is one.
    fn linear(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let y = x.matmul(&self.var(&format!("{name}.weight")).t()?)?;
        match self.vars.get(&format!("{name}.bias")) {
            Some(bias) => y.broadcast_add(bias.as_tensor()),
            None => Ok(y),
        }
    }

    /// Rotates the two halves of each head by position·frequency.
    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let (heads, n, dim) = x.dims3()?;
        let half = dim / 2;
        let frequencies = self.config.rope_scaling.frequencies(dim, self.config.rope_theta);
        let factor = self.config.rope_scaling.attention_factor();
        let angle = |t: usize, i: usize| t as f64 * f64::from(frequencies[i]);
        let table = |f: fn(f64) -> f64| {
            let row = |t: usize| (0..half).map(move |i| (t, i));
            let values: Vec<f64> = (0..n).flat_map(row).map(|(t, i)| factor * f(angle(t, i))).collect();
            Tensor::from_vec(values, (1, n, half), &Device::Cpu)?.broadcast_as((heads, n, half))
        };
        let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
        let (a, b) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
        let first = ((&a * &cos)? - (&b * &sin)?)?;
        let second = ((&b * &cos)? + (&a * &sin)?)?;
        Tensor::cat(&[first, second], 2)?.contiguous()
    }

    fn norm(&self, x: &Tensor, weight: &str) -> Result<Tensor> {
        let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
        x.broadcast_div(&(mean + self.config.rms_norm_eps)?.sqrt()?)?.broadcast_mul(self.var(weight))
    }

    fn var(&self, name: &str) -> &Tensor {
        self.vars[name].as_tensor()
    }
}

fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

/// −10⁹ above the diagonal.
fn causal_mask(n: usize) -> Result<Tensor> {
    let values: Vec<f64> = (0..n).flat_map(|q| (0..n).map(move |k| if k > q { -1e9 } else { 0.0 })).collect();
    Tensor::from_vec(values, (1, n, n), &Device::Cpu)
}

/// Each key head for all queries of its group.
fn repeat(x: &Tensor, times: usize) -> Result<Tensor> {
    let (heads, n, dim) = x.dims3()?;
    x.unsqueeze(1)?.broadcast_as((heads, times, n, dim))?.reshape((heads * times, n, dim))
}
