//! A model on a device: immutable weights for scoring and sampling.

use super::decoder::Decoder;
use super::options::DeviceOptions;
use super::pass::Pass;
use super::weights::TensorWeights;
use crate::batch;
use crate::error::candle_error;
use crate::lora::{AdapterSpec, Whole};
use crate::model::{ModelSpec, Parameter, digest};
use candle_core::{DType, Device, Result, Tensor, Var};
use sparring_core::{PolicyError, Rollout, SampleRequest, Sampler, Scorer, TokenBatch, TokenGroup};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Weights of a decoder on a device, shared by clones. They never change; a step creates new ones.
#[derive(Debug, Clone)]
pub(super) struct DeviceModel {
    pub(super) spec: Arc<ModelSpec>,
    pub(super) options: DeviceOptions,
    pub(super) device: Device,
    /// The weights of the base, if only low-rank factors are trained.
    pub(super) base: Option<Arc<BTreeMap<String, Tensor>>>,
    pub(super) adapter: Option<Arc<AdapterSpec>>,
    /// In single precision.
    pub(super) variables: Arc<BTreeMap<String, Var>>,
    /// How many times they have changed.
    pub(super) version: u64,
    /// The weights for passes without learning, created once.
    detached: Arc<OnceLock<TensorWeights>>,
}

/// Tensors of these parameters, cut from a flat buffer.
pub(crate) fn tensors(
    parameters: &[Parameter],
    flat: &[f32],
    (device, dtype): (&Device, DType),
) -> Result<BTreeMap<String, Tensor>> {
    let tensor = |p: &Parameter| {
        let tensor = Tensor::from_slice(&flat[p.at.clone()], p.shape.as_slice(), device)?.to_dtype(dtype)?;
        Ok((p.name.clone(), tensor))
    };
    parameters.iter().map(tensor).collect()
}

/// The same, as leaves of tapes.
pub(super) fn variables(
    parameters: &[Parameter],
    flat: &[f32],
    device: &Device,
) -> Result<BTreeMap<String, Var>> {
    let tensors = tensors(parameters, flat, (device, DType::F32))?;
    tensors.into_iter().map(|(name, tensor)| Ok((name, Var::from_tensor(&tensor)?))).collect()
}

/// The inverse of [`tensors`]; missing parameters are zero.
pub(super) fn flat<T: std::ops::Deref<Target = Tensor>>(
    parameters: &[Parameter],
    tensors: &BTreeMap<String, T>,
) -> Result<Vec<f32>> {
    let mut flat = vec![0.0; parameters.last().map_or(0, |p| p.at.end)];
    for p in parameters {
        if let Some(tensor) = tensors.get(&p.name) {
            let values = tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
            flat[p.at.clone()].copy_from_slice(&values);
        }
    }
    Ok(flat)
}

/// The same map with references, as input of [`flat`].
pub(super) fn by_reference(map: &BTreeMap<String, Tensor>) -> BTreeMap<String, &Tensor> {
    map.iter().map(|(name, tensor)| (name.clone(), tensor)).collect()
}

impl DeviceModel {
    /// A model whose own weights are trained.
    pub(super) fn whole(
        spec: Arc<ModelSpec>,
        options: DeviceOptions,
        weights: &[f32],
    ) -> std::result::Result<Self, PolicyError> {
        options.validate()?;
        let device = options.device.open()?;
        let variables = variables(&spec.layout.parameters, weights, &device).map_err(candle_error)?;
        Ok(Self {
            spec,
            options,
            device,
            base: None,
            adapter: None,
            variables: Arc::new(variables),
            version: 0,
            detached: Arc::default(),
        })
    }

    /// A model with low-rank factors on this model's weights, which both share. Dropout is not supported.
    pub(super) fn adapted(
        &self,
        adapter: Arc<AdapterSpec>,
        factors: &[f32],
    ) -> std::result::Result<Self, PolicyError> {
        if adapter.config.dropout > 0.0 {
            return Err(PolicyError::Unsupported { what: "dropout on a device (lora_dropout: set it to 0)" });
        }
        let dtype = self.options.precision.dtype();
        let base = || {
            let cast =
                |(name, var): (&String, &Var)| Ok((name.clone(), var.as_detached_tensor().to_dtype(dtype)?));
            self.variables.iter().map(cast).collect::<Result<_>>()
        };
        let variables = variables(adapter.parameters(), factors, &self.device).map_err(candle_error)?;
        let mut model = self.with_variables(variables);
        (model.base, model.adapter) = (Some(Arc::new(base().map_err(candle_error)?)), Some(adapter));
        Ok(model)
    }

    /// The digest of the weights, for an adapter on them.
    pub(super) fn digest(&self) -> std::result::Result<String, PolicyError> {
        if self.adapter.is_some() {
            return Err(PolicyError::invalid("the policy already has an adapter; start from the base"));
        }
        let layout = &self.spec.layout;
        let weights = flat(&layout.parameters, &self.variables).map_err(candle_error)?;
        Ok(digest(layout, &weights))
    }

    /// The model with some of its parameters replaced.
    pub(super) fn replaced(&self, whole: &[Whole]) -> std::result::Result<Self, PolicyError> {
        if whole.is_empty() {
            return Ok(self.clone());
        }
        let mut all = (*self.variables).clone();
        for Whole { parameter, values } in whole {
            let alone = Parameter { at: 0..values.len(), ..parameter.clone() };
            all.extend(variables(&[alone], values, &self.device).map_err(candle_error)?);
        }
        // A head that is the embedding has no variable.
        all.retain(|name, _| self.variables.contains_key(name));
        Ok(self.with_variables(all))
    }

    /// The same model with other trained weights.
    pub(super) fn with_variables(&self, variables: BTreeMap<String, Var>) -> Self {
        Self { variables: Arc::new(variables), detached: Arc::default(), ..self.clone() }
    }

    /// The trained parameters, in the order of the checkpoint.
    pub(super) fn parameters(&self) -> &[Parameter] {
        match &self.adapter {
            Some(adapter) => adapter.parameters(),
            None => &self.spec.layout.parameters,
        }
    }

    pub(super) fn dtype(&self) -> DType {
        self.options.precision.dtype()
    }

    /// Weights whose results carry a tape.
    pub(super) fn tracked(&self) -> TensorWeights {
        let own = self.variables.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone()));
        let base = self.base.iter().flat_map(|base| base.iter());
        let base = base.map(|(name, tensor)| (name.clone(), tensor.clone()));
        let scales = self.adapter.as_ref().map(|adapter| adapter.scales(&self.spec.layout));
        TensorWeights::new(base.chain(own), self.dtype(), Arc::new(scales.unwrap_or_default()))
    }

    /// Weights whose results carry no tape.
    pub(super) fn detached(&self) -> Result<&TensorWeights> {
        if let Some(weights) = self.detached.get() {
            return Ok(weights);
        }
        let weights = self.tracked().detached()?;
        Ok(self.detached.get_or_init(|| weights))
    }

    pub(super) fn logits(&self, tokens: &[u32]) -> std::result::Result<Vec<f32>, PolicyError> {
        let groups = [TokenGroup::new(tokens, vec![&[]])];
        batch::check(TokenBatch::new(&groups, 1.0), &self.spec.config)?;
        let run = || {
            let logits = Decoder { config: &self.spec.config, weights: self.detached()? }
                .all_logits(tokens, (&self.device, self.dtype()))?;
            logits.flatten_all()?.to_vec1()
        };
        run().map_err(candle_error)
    }
}

impl Scorer for DeviceModel {
    fn score(&self, batch: TokenBatch<'_>) -> std::result::Result<Vec<f32>, PolicyError> {
        batch::check(batch, &self.spec.config)?;
        let masks = batch::Masks::of(batch, &self.spec.config, 1)?;
        let mut logp = vec![0.0; batch.completion_tokens()];
        let mut run = || {
            for pass in super::plan::plan(batch, self.options.pass_tokens) {
                let place = (&self.device, self.dtype());
                let pass = Pass::new(&self.spec.config, place, &pass, batch.temperature, &masks)?;
                let (found, _) = pass.forward(self.detached()?, None)?;
                pass.scatter(&found, &mut logp);
            }
            Ok(())
        };
        run().map_err(candle_error)?;
        batch::check_finite(batch, &logp)?;
        Ok(logp)
    }
}

impl Sampler for DeviceModel {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<std::result::Result<Vec<Rollout>, PolicyError>> {
        super::sample::sample(self, requests)
    }
}
