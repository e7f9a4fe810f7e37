//! The policy on a device.

use super::model::{DeviceModel, by_reference, flat};
use super::optimiser::Moments;
use super::options::DeviceOptions;
use crate::cpu::CandlePolicy;
use crate::error::candle_error;
use crate::lora::{self, AdapterSpec, DropoutState, LoraConfig};
use crate::model::folder::{self, ModelFolder};
use crate::model::{ChatTokenizer, ModelConfig, ModelSpec};
use candle_core::Tensor;
use sparring_core::{Policy, PolicyError, Rollout, SampleRequest, Sampler, Scorer, Seed, TokenBatch};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

/// A trainable decoder on any device that candle computes on, in candle's stock operations.
///
/// It supports the same models, folders, checkpoints and adapters as [`CandlePolicy`], and draws the same tokens from
/// the same logits. On a CPU, `CandlePolicy` is two to eight times faster.
///
/// ```no_run
/// use sparring_candle::{DeviceKind, DeviceOptions, DevicePolicy, Precision};
/// let options = DeviceOptions::default().with_device(DeviceKind::Cuda(0)).with_precision(Precision::Bf16);
/// let policy = DevicePolicy::load("models/qwen2.5-0.5b", options)?;
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
///
/// # Reproducibility
/// On a CPU, the same calls on the same machine give the same bits. A completion is drawn from its own seed, but its
/// logits are computed together with other rows, by library products whose order of summation may depend on the shape
/// of the batch. Log-probabilities agree between batches up to rounding, and a draw on the edge between two tokens
/// (about one in a million in single precision) may differ. `CandlePolicy` does not have this limitation. On a GPU,
/// reproducibility depends on candle's kernels.
///
/// # Memory
/// `accumulate` keeps the input of every layer for the whole batch (4·layers·hidden_size bytes per token, half of it
/// with [`Precision::Bf16`](super::Precision::Bf16)) and computes one layer of one pass of
/// [`DeviceOptions::pass_tokens`] at a time with a tape.
#[derive(Debug)]
pub struct DevicePolicy {
    pub(super) model: DeviceModel,
    /// Sums since the last step, by parameter.
    pub(super) gradients: BTreeMap<String, Tensor>,
    pub(super) moments: Moments,
    /// Kept for checkpoints that `CandlePolicy` may resume; there is no dropout here.
    pub(super) dropout: DropoutState,
}

impl DevicePolicy {
    /// Copies the weights of a policy and of its adapter, with a fresh optimiser. A merged adapter is part of the
    /// weights.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the option that is out of range; [`PolicyError::Backend`] if the device
    /// fails; [`PolicyError::Unsupported`] for an adapter with dropout.
    pub fn new(policy: &CandlePolicy, options: DeviceOptions) -> Result<Self, PolicyError> {
        let parts = policy.parts();
        let model = DeviceModel::whole(Arc::clone(parts.spec), options, parts.weights)?;
        match parts.adapter {
            Some((adapter, factors)) => Ok(Self::of(model.adapted(Arc::clone(adapter), factors)?)),
            None => Ok(Self::of(model)),
        }
    }

    /// Loads a model of one of the [families](crate::ModelFamily): a folder in Hugging Face's layout, or a GGUF file,
    /// whose quantised weights are widened to single precision.
    ///
    /// # Errors
    /// As [`CandlePolicy::load`] and [`DevicePolicy::new`].
    pub fn load(dir: impl AsRef<Path>, options: DeviceOptions) -> Result<Self, PolicyError> {
        options.validate()?;
        let ModelFolder { config, weights, tokenizer } = ModelFolder::open(dir.as_ref())?;
        let spec = Arc::new(ModelSpec::new(config, tokenizer));
        Ok(Self::of(DeviceModel::whole(spec, options, &weights)?))
    }

    /// Another policy with the same weights, which both share until one of them learns, and a fresh optimiser.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self { dropout: DropoutState { calls: 0, ..self.dropout }, ..Self::of(self.model.clone()) }
    }

    fn of(model: DeviceModel) -> Self {
        Self {
            model,
            gradients: BTreeMap::new(),
            moments: Moments::default(),
            dropout: DropoutState::default(),
        }
    }

    /// A policy with fresh adapters on this policy's weights, which are shared and not changed; see
    /// [`CandlePolicy::with_lora`].
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if a setting is out of range, a target matches nothing, or this policy has an
    /// adapter already; [`PolicyError::Unsupported`] for dropout.
    pub fn with_lora(&self, config: LoraConfig, seed: Seed) -> Result<Self, PolicyError> {
        let adapter = AdapterSpec::new(config, &self.model.spec.layout, self.model.digest()?)?;
        let factors = adapter.init(seed.child("factors"))?;
        Ok(Self::of(self.model.adapted(adapter, &factors)?))
    }

    /// A policy with an adapter written by PEFT or `save_pretrained`, on this policy's weights, which are shared.
    ///
    /// # Errors
    /// As [`CandlePolicy::load_adapter`]; [`PolicyError::Unsupported`] for dropout.
    pub fn load_adapter(&self, dir: impl AsRef<Path>) -> Result<Self, PolicyError> {
        let (adapter, factors) = lora::read(dir.as_ref(), &self.model.spec.layout, &self.model.digest()?)?;
        let base = self.model.replaced(&adapter.whole)?;
        Ok(Self::of(base.adapted(adapter, &factors)?))
    }

    /// Writes a model folder for `transformers`, [`CandlePolicy::load`] and [`DevicePolicy::load`], or the adapter's
    /// folder if the policy has an adapter.
    ///
    /// # Errors
    /// [`PolicyError::Io`] names the file; [`PolicyError::Backend`] if the device fails.
    pub fn save_pretrained(&self, dir: impl AsRef<Path>) -> Result<(), PolicyError> {
        let (dir, spec) = (dir.as_ref(), &self.model.spec);
        let weights = flat(self.model.parameters(), &self.model.variables).map_err(candle_error)?;
        match &self.model.adapter {
            Some(adapter) => lora::save(dir, adapter, &weights),
            None => folder::save(dir, &spec.config, &spec.layout, &weights, &spec.tokenizer),
        }
    }

    /// The tokenizer and its chat template.
    pub fn tokenizer(&self) -> &ChatTokenizer {
        &self.model.spec.tokenizer
    }

    /// Changes the tokenizer, for example one with other variables of the chat template
    /// ([`ChatTokenizer::with_variable`]). Snapshots and policies that share the weights keep theirs.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if the tokenizer has ids beyond the model's vocabulary.
    pub fn set_tokenizer(&mut self, tokenizer: ChatTokenizer) -> Result<(), PolicyError> {
        ModelSpec::set_tokenizer(&mut self.model.spec, tokenizer)
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.model.spec.config
    }

    /// The settings.
    pub fn options(&self) -> &DeviceOptions {
        &self.model.options
    }

    /// Names and shapes of the trained parameters, in the order of the checkpoint.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.model.parameters().iter().map(|p| (p.name.as_str(), p.shape.as_slice()))
    }

    /// The trained weights, copied from the device, one vector per parameter.
    ///
    /// # Errors
    /// [`PolicyError::Backend`] if the device fails.
    pub fn weights(&self) -> Result<Vec<Vec<f32>>, PolicyError> {
        self.download(&self.model.variables)
    }

    /// The gradient accumulated since the last step, one vector per parameter.
    ///
    /// # Errors
    /// [`PolicyError::Backend`] if the device fails.
    pub fn gradients(&self) -> Result<Vec<Vec<f32>>, PolicyError> {
        self.download(&by_reference(&self.gradients))
    }

    fn download<T: Deref<Target = Tensor>>(
        &self,
        tensors: &BTreeMap<String, T>,
    ) -> Result<Vec<Vec<f32>>, PolicyError> {
        let parameters = self.model.parameters();
        let flat = flat(parameters, tensors).map_err(candle_error)?;
        Ok(parameters.iter().map(|p| flat[p.at.clone()].to_vec()).collect())
    }

    /// Logits after each token of a sequence, at temperature 1.
    ///
    /// # Shapes
    /// tokens × vocab_size, one row after the other.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] for an empty or too long sequence, or an unknown token id.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<f32>, PolicyError> {
        self.model.logits(tokens)
    }
}

impl Scorer for DevicePolicy {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        self.model.score(batch)
    }
}

impl Sampler for DevicePolicy {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        self.model.sample(requests)
    }
}

impl Policy for DevicePolicy {
    fn freeze(&self) -> Result<Box<dyn Scorer>, PolicyError> {
        Ok(Box::new(self.model.clone()))
    }
}
