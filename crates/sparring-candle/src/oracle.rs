//! The same decoder in stock differentiable candle operations, in double precision: a slow reference.
//!
//! Every sequence runs alone, without a cache, packing or a shared prompt; gradients
//! come from one tape of candle's automatic differentiation. It shares only the shape of the model and the values of
//! its weights with the engine, so that tests compare two implementations. The decoder is that of
//! [`DevicePolicy`](crate::DevicePolicy), without its passes, its cache and its backward pass by layers.

use crate::cpu::{CandlePolicy, ModelParts};
use crate::device::decoder::{Decoder, forbidden, scores};
use crate::device::{TensorWeights, tensors};
use crate::error::candle_error;
use crate::model::ModelConfig;
use candle_core::{DType, Device, Result, Tensor, Var};
use sparring_core::{PolicyError, TokenBatch};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A copy of a policy's weights as candle variables.
#[derive(Debug)]
pub struct Oracle {
    config: ModelConfig,
    /// Of the trained parameters, in the policy's order.
    names: Vec<String>,
    weights: TensorWeights,
}

/// Log-probabilities and entropies of the completion tokens, and what they were computed from.
struct Scores {
    logp: Tensor,
    entropy: Tensor,
}

/// Every weight, and every factor on them, as a variable.
fn weights(policy: &CandlePolicy) -> Result<TensorWeights> {
    let ModelParts { spec, weights, adapter } = policy.parts();
    let mut tensors = tensors(&spec.layout.parameters, weights, (&Device::Cpu, DType::F64))?;
    let mut scales = BTreeMap::new();
    if let Some((adapter, factors)) = adapter {
        tensors.extend(self::tensors(adapter.parameters(), factors, (&Device::Cpu, DType::F64))?);
        scales = adapter.scales(&spec.layout);
    }
    let variable = |(name, tensor)| Ok((name, Var::from_tensor(&tensor)?.into_inner()));
    let variables = tensors.into_iter().map(variable).collect::<Result<Vec<_>>>()?;
    Ok(TensorWeights::new(variables, DType::F64, Arc::new(scales)))
}

impl Oracle {
    /// Copies the weights of `policy`.
    ///
    /// # Errors
    /// [`PolicyError::Backend`] if candle fails.
    pub fn new(policy: &CandlePolicy) -> std::result::Result<Self, PolicyError> {
        let names = policy.parameters().map(|(name, ..)| name.to_owned()).collect();
        let weights = weights(policy).map_err(candle_error)?;
        Ok(Self { config: policy.config().clone(), names, weights })
    }

    /// Logits after each token: tokens × vocab_size, one row after the other.
    ///
    /// # Errors
    /// [`PolicyError::Backend`] if candle fails.
    pub fn logits(&self, tokens: &[u32]) -> std::result::Result<Vec<f64>, PolicyError> {
        let run = || self.forward(tokens)?.flatten_all()?.to_vec1();
        run().map_err(candle_error)
    }

    /// Log-probabilities and entropies of the completion tokens, flat.
    ///
    /// # Errors
    /// [`PolicyError::Backend`] if candle fails.
    pub fn score(&self, batch: TokenBatch<'_>) -> std::result::Result<(Vec<f64>, Vec<f64>), PolicyError> {
        let run = || {
            let scores = self.scores(batch)?;
            Ok((scores.logp.to_vec1()?, scores.entropy.to_vec1()?))
        };
        run().map_err(candle_error)
    }

    /// The gradient of Σ logp·∂logp + Σ entropy·∂entropy, one vector per parameter, in the order of
    /// [`CandlePolicy::parameters`].
    ///
    /// # Errors
    /// [`PolicyError::Backend`] if candle fails, or leaves a parameter without a gradient.
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
                let of = gradients.get(&self.weights.get(name)?);
                of.ok_or_else(|| candle_core::Error::Msg(format!("{name} got no gradient")))?
                    .flatten_all()?
                    .to_vec1()
            };
            self.names.iter().map(gradient).collect::<Result<Vec<_>>>()
        };
        run().map_err(candle_error)
    }

    fn scores(&self, batch: TokenBatch<'_>) -> Result<Scores> {
        let (mut logp, mut entropy) = (Vec::new(), Vec::new());
        for group in batch.groups {
            for (i, completion) in group.completions.iter().enumerate().filter(|(_, c)| !c.is_empty()) {
                let tokens = [group.prompt, completion].concat();
                let from = group.prompt.len() - 1;
                let logits = self.forward(&tokens)?.narrow(0, from, completion.len())?;
                let ids = Tensor::new(*completion, &Device::Cpu)?;
                let vocab = self.config.vocab_size;
                let masks = group.masks(i, vocab).map_err(candle_core::Error::wrap)?;
                let masks: Vec<_> = masks.iter().collect();
                let forbidden = forbidden(&masks, vocab, (&Device::Cpu, DType::F64))?;
                let (l, h) = scores(&logits, &ids, batch.temperature, forbidden.as_ref())?;
                logp.push(l);
                entropy.push(h);
            }
        }
        Ok(Scores { logp: Tensor::cat(&logp, 0)?, entropy: Tensor::cat(&entropy, 0)? })
    }

    fn forward(&self, tokens: &[u32]) -> Result<Tensor> {
        let decoder = Decoder { config: &self.config, weights: &self.weights };
        decoder.all_logits(tokens, (&Device::Cpu, DType::F64))
    }
}
