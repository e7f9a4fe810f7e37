//! The policy: one decoder that samples, scores, learns and is saved.

mod adapter;
mod checkpoint;
mod frozen;
mod init;
mod learn;
mod optimiser;
mod weights;

pub use frozen::FrozenPolicy;

pub(crate) use frozen::ModelParts;

use crate::cpu::options::PolicyOptions;
use crate::cpu::recall::Recordings;
use crate::learn::AdamState;
use crate::lora::{self, DropoutState};
use crate::model::folder::{self, ModelFolder};
use crate::model::{ChatTokenizer, ModelConfig, ModelSpec};
use sparring_core::{Policy, PolicyError, Rollout, SampleRequest, Sampler, Scorer, Seed, TokenBatch};
use std::path::Path;
use std::sync::Arc;
use weights::FlatWeights;

/// A trainable decoder on the CPU.
///
/// ```no_run
/// use sparring_candle::{CandlePolicy, PolicyOptions};
/// use sparring_core::{Message, SampleRequest, Sampler, SamplingParams, Seed};
///
/// let policy = CandlePolicy::load("models/qwen2.5-0.5b", PolicyOptions::default())?;
/// let params = SamplingParams::default().with_max_tokens(32);
/// let request = SampleRequest::new(vec![Message::user("What is 6 times 7?")], 8, params, Seed::new(1));
/// for rollout in policy.sample_one(&request)? {
///     println!("{}", rollout.text);
/// }
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
///
/// # Memory
/// `accumulate` keeps the activations of its whole batch, about 4·layers·(3·hidden + qkv + attention +
/// 2·intermediate) bytes per row (4·layers·hidden with [`PolicyOptions::checkpoint_layers`]). Callers bound this by
/// the size of their micro-batches. A group's prompt has one row per token, however many completions share it.
/// Learning holds one gradient per shard and two moments in addition to the trained weights. Sampling records
/// activations, up to [`PolicyOptions::recall_mib`]; learning from recorded rows with the same weights keeps few of
/// its own.
///
/// Weights are read through memory maps: do not truncate the files while a folder is loaded.
#[derive(Debug)]
pub struct CandlePolicy {
    frozen: FrozenPolicy,
    /// One gradient per shard; empty until something is accumulated.
    gradients: Vec<Vec<f32>>,
    adam: AdamState,
    dropout: DropoutState,
    /// Activations recorded by sampling.
    recordings: Recordings,
    /// Rows that were recalled, and rows that were computed.
    rows: [u64; 2],
}

/// How much learning recalled of the activations that sampling recorded ([`PolicyOptions::recall_mib`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecallReport {
    /// Rows (tokens of prompts and completions) of `accumulate` whose forward pass was recalled from sampling.
    pub recalled_rows: u64,
    /// Rows whose forward pass was run.
    pub computed_rows: u64,
    /// Memory held for recordings, used or free.
    pub bytes: usize,
}

impl CandlePolicy {
    /// Loads a model of one of the [families](crate::ModelFamily): a folder in Hugging Face's layout, or a GGUF file,
    /// whose quantised weights are widened to single precision.
    ///
    /// # Errors
    /// [`PolicyError`] names the file (and field) that is missing, damaged or not supported, or the option
    /// that is out of range.
    pub fn load(dir: impl AsRef<Path>, options: PolicyOptions) -> Result<Self, PolicyError> {
        options.validate()?;
        let ModelFolder { config, weights, tokenizer } = ModelFolder::open(dir.as_ref())?;
        Ok(Self::from_parts(ModelSpec::new(config, tokenizer), weights, options))
    }

    /// A fresh model: normal weights of standard deviation `initializer_range` (residual projections
    /// divided by √(2·layers), arXiv:1904.10509 via GPT-2), norms 1, biases 0, all from `seed`.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if the configuration or an option is out of range, or the tokenizer has
    /// ids beyond the model's vocabulary.
    pub fn init(
        config: ModelConfig,
        tokenizer: ChatTokenizer,
        options: PolicyOptions,
        seed: Seed,
    ) -> Result<Self, PolicyError> {
        options.validate()?;
        config.validate()?;
        folder::check_vocabulary(&config, &tokenizer, Path::new("tokenizer.json"))?;
        let spec = ModelSpec::new(config, tokenizer);
        let weights = init::weights(&spec.config, &spec.layout, seed)?;
        Ok(Self::from_parts(spec, weights, options))
    }

    fn from_parts(spec: ModelSpec, weights: Vec<f32>, options: PolicyOptions) -> Self {
        Self::from_frozen(FrozenPolicy::new(Arc::new(spec), FlatWeights::new(weights), options))
    }

    /// A fresh optimiser on some weights.
    fn from_frozen(frozen: FrozenPolicy) -> Self {
        let (gradients, adam) = (Vec::new(), AdamState::default());
        let recordings = Recordings::new(&frozen.spec.config);
        recordings.set_limit(frozen.options.recall_bytes());
        Self { frozen, gradients, adam, dropout: DropoutState::default(), recordings, rows: [0; 2] }
    }

    /// Another policy with the same weights and a fresh optimiser.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let dropout = DropoutState { calls: 0, ..self.dropout };
        Self { dropout, ..Self::from_frozen(self.frozen.clone()) }
    }

    /// A snapshot of the current weights for sampling and scoring. It does not change when the policy learns.
    #[must_use]
    pub fn freeze(&self) -> FrozenPolicy {
        self.frozen.clone()
    }

    /// Writes a model folder for `transformers` and [`CandlePolicy::load`], or, if the policy has an adapter, the
    /// adapter's folder for PEFT and [`CandlePolicy::load_adapter`]. Creates `dir`; each file is whole or absent.
    ///
    /// # Errors
    /// [`PolicyError::Io`] names the file.
    pub fn save_pretrained(&self, dir: impl AsRef<Path>) -> Result<(), PolicyError> {
        let (dir, spec) = (dir.as_ref(), &self.frozen.spec);
        match &self.frozen.adapter {
            Some(adapter) => lora::save(dir, &adapter.spec, &adapter.weights.flat),
            None => folder::save(dir, &spec.config, &spec.layout, &self.frozen.weights.flat, &spec.tokenizer),
        }
    }

    pub(crate) fn parts(&self) -> ModelParts<'_> {
        self.frozen.parts()
    }

    /// The tokenizer and its chat template.
    pub fn tokenizer(&self) -> &ChatTokenizer {
        &self.frozen.spec.tokenizer
    }

    /// Changes the tokenizer, for example one with other variables of the chat template
    /// ([`ChatTokenizer::with_variable`]). Snapshots and policies that share the weights keep theirs.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if the tokenizer has ids beyond the model's vocabulary.
    pub fn set_tokenizer(&mut self, tokenizer: ChatTokenizer) -> Result<(), PolicyError> {
        ModelSpec::set_tokenizer(&mut self.frozen.spec, tokenizer)
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.frozen.spec.config
    }

    /// The settings.
    pub fn options(&self) -> &PolicyOptions {
        &self.frozen.options
    }

    /// Changes the settings (threads, optimiser). Weights, moments and gradients are kept.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the option that is out of range.
    pub fn set_options(&mut self, options: PolicyOptions) -> Result<(), PolicyError> {
        options.validate()?;
        self.recordings.set_limit(options.recall_bytes());
        self.frozen.options = options;
        Ok(())
    }

    /// Number of trained weights; tied embeddings count once.
    pub fn parameter_count(&self) -> usize {
        self.frozen.trained().1.len()
    }

    /// Every trained parameter with its checkpoint name, shape and values, in a fixed order.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &[usize], &[f32])> {
        let (parameters, weights) = self.frozen.trained();
        parameters.iter().map(|p| (p.name.as_str(), p.shape.as_slice(), &weights[p.at.clone()]))
    }

    /// The gradient accumulated since the last step, one vector per parameter, in the order of
    /// [`CandlePolicy::parameters`].
    pub fn gradients(&self) -> Vec<Vec<f32>> {
        let sum = |i: usize| self.gradients.iter().fold(0.0, |sum, shard| sum + shard.get(i).unwrap_or(&0.0));
        self.frozen.trained().0.iter().map(|p| p.at.clone().map(sum).collect()).collect()
    }

    /// How many of the rows learned from so far had been recorded by sampling.
    pub fn recall_report(&self) -> RecallReport {
        let [recalled_rows, computed_rows] = self.rows;
        RecallReport { recalled_rows, computed_rows, bytes: self.recordings.bytes() }
    }

    /// Logits after each token of a sequence, at temperature 1.
    ///
    /// # Shapes
    /// tokens × vocab_size, one row after the other.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] for an empty or too long sequence, or an unknown token id.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<f32>, PolicyError> {
        self.frozen.logits(tokens)
    }
}

impl Scorer for CandlePolicy {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        self.frozen.score(batch)
    }
}

impl Sampler for CandlePolicy {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        // A merged adapter cannot be trained; with dropout, training computes other activations than sampling.
        let learns = !self.is_merged() && self.lora().is_none_or(|lora| lora.dropout == 0.0);
        let records = learns && self.frozen.options.recall_mib > 0;
        let recorder = if records { self.recordings.recorder(self.frozen.version()) } else { None };
        if recorder.is_some() {
            self.frozen.free_activations();
        }
        self.frozen.sample_with(requests, recorder)
    }

    fn rest(&self) {
        self.frozen.rest();
    }
}

impl Policy for CandlePolicy {
    fn freeze(&self) -> Result<Box<dyn Scorer>, PolicyError> {
        Ok(Box::new(self.frozen.clone()))
    }
}
