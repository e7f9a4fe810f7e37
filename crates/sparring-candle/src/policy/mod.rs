//! The policy: one decoder that samples, scores, learns and is saved.

mod checkpoint;
mod frozen;
mod init;
mod learn;
mod lora;
mod optimiser;
mod weights;

pub use frozen::FrozenPolicy;

pub(crate) use checkpoint::{Counts, Trained, read_optimizer, read_trained, write_optimizer};
pub(crate) use frozen::Parts;
pub(crate) use learn::{Asked, ask, check_rate};
pub(crate) use optimiser::AdamState;

use crate::config::ModelConfig;
use crate::folder::{self, ModelFolder};
use crate::kernels::RopeTable;
use crate::layout::Layout;
use crate::lora::DropoutState;
use crate::options::PolicyOptions;
use crate::recall::Recordings;
use crate::tokenizer::ChatTokenizer;
use sparring_core::{
    Learner, Policy, PolicyError, Rollout, SampleRequest, Sampler, Scorer, Seed, TokenBatch,
};
use std::path::Path;
use std::sync::Arc;
use weights::Weights;

/// What stays the same while a policy learns.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) config: ModelConfig,
    pub(crate) layout: Layout,
    pub(crate) rope: RopeTable,
    pub(crate) tokenizer: ChatTokenizer,
}

impl Spec {
    fn new(config: ModelConfig, tokenizer: ChatTokenizer) -> Self {
        let frequencies = config.rope_scaling.frequencies(config.head_dim, config.rope_theta);
        let factor = config.rope_scaling.attention_factor();
        let rope = RopeTable::new(frequencies, factor, config.max_position_embeddings);
        Self { layout: Layout::new(&config), rope, config, tokenizer }
    }
}

/// A trainable decoder on the CPU.
///
/// ```no_run
/// use sparring_candle::{CandlePolicy, PolicyOptions};
/// use sparring_core::{Message, Policy, SampleRequest, Sampler, SamplingParams, Seed};
///
/// let policy = CandlePolicy::load("models/qwen2.5-0.5b", PolicyOptions::default())?;
/// let request = SampleRequest::new(vec![Message::user("What is 6 times 7?")], 8, SamplingParams::default().with_max_tokens(32), Seed::new(1));
/// for rollout in &policy.sample(&[request])?[0] {
///     println!("{}", rollout.text);
/// }
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
///
/// # Memory
/// `accumulate` keeps the activations of the whole batch that it is given, about
/// 4·layers·(3·hidden + qkv + attention + 2·intermediate) bytes a row (4·layers·hidden with
/// [`PolicyOptions::checkpoint_layers`]): callers bound it by the size of their micro-batches. A group's prompt is one
/// row a token, however many completions share it. Learning holds one gradient per shard and two moments beside the
/// trained weights. Sampling records activations, up to [`PolicyOptions::recall_mib`], and what is then learned from with
/// the same weights keeps few of its own.
///
/// Folders are read through mapped files: they must not be shortened while they are loaded.
#[derive(Debug)]
pub struct CandlePolicy {
    frozen: FrozenPolicy,
    /// One gradient a shard; empty until something was accumulated.
    gradients: Vec<Vec<f32>>,
    adam: AdamState,
    dropout: DropoutState,
    /// What sampling computed.
    recordings: Recordings,
    /// Rows that were recalled, and rows that were computed.
    rows: [u64; 2],
}

/// What learning had of the activations that sampling recorded ([`PolicyOptions::recall_mib`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecallReport {
    /// Rows (tokens of prompts and completions) of `accumulate` whose forward pass was recalled from sampling.
    pub recalled_rows: u64,
    /// Rows whose forward pass was run.
    pub computed_rows: u64,
    /// Memory that is held for recordings, in use or free.
    pub bytes: usize,
}

impl CandlePolicy {
    /// Loads a model folder in Hugging Face's layout.
    ///
    /// # Errors
    /// [`PolicyError`] names the file (and field) that is missing, damaged or not supported, or the option
    /// that is out of range.
    pub fn load(dir: impl AsRef<Path>, options: PolicyOptions) -> Result<Self, PolicyError> {
        options.validate()?;
        let ModelFolder { config, weights, tokenizer } = ModelFolder::open(dir.as_ref())?;
        Ok(Self::from_parts(Spec::new(config, tokenizer), weights, options))
    }

    /// A fresh model: normal weights of standard deviation `initializer_range` (residual projections
    /// divided by √(2·layers), arXiv:1904.10509 via GPT-2), norms 1, biases 0, all from `seed`.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] where the configuration or an option is out of range, or the tokenizer has
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
        let spec = Spec::new(config, tokenizer);
        let weights = init::weights(&spec.config, &spec.layout, seed);
        Ok(Self::from_parts(spec, weights, options))
    }

    fn from_parts(spec: Spec, weights: Vec<f32>, options: PolicyOptions) -> Self {
        Self::from_frozen(FrozenPolicy::new(Arc::new(spec), Weights::new(weights), options))
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

    /// The current weights, to sample from and to score with; it does not change when the policy learns.
    #[must_use]
    pub fn freeze(&self) -> FrozenPolicy {
        self.frozen.clone()
    }

    /// Writes a model folder that `transformers` and [`CandlePolicy::load`] read; of a policy with an adapter, the
    /// adapter's folder, which PEFT and [`CandlePolicy::load_adapter`] read. Creates `dir`; each file is written
    /// under a temporary name first.
    ///
    /// # Errors
    /// [`PolicyError::Io`] names the file.
    pub fn save_pretrained(&self, dir: impl AsRef<Path>) -> Result<(), PolicyError> {
        let (dir, spec) = (dir.as_ref(), &self.frozen.spec);
        match &self.frozen.adapter {
            Some(adapter) => crate::lora::save(dir, &adapter.spec, &adapter.weights.flat),
            None => folder::save(dir, &spec.config, &spec.layout, &self.frozen.weights.flat, &spec.tokenizer),
        }
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        self.frozen.parts()
    }

    /// The tokenizer and its chat template.
    pub fn tokenizer(&self) -> &ChatTokenizer {
        &self.frozen.spec.tokenizer
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.frozen.spec.config
    }

    /// The settings.
    pub fn options(&self) -> &PolicyOptions {
        &self.frozen.options
    }

    /// Changes the settings (threads, optimiser); weights, moments and gradients stay.
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

    /// The gradient that was accumulated since the last step, one vector a parameter, in the order of
    /// [`CandlePolicy::parameters`].
    pub fn gradients(&self) -> Vec<Vec<f32>> {
        let sum = |i: usize| self.gradients.iter().fold(0.0, |sum, shard| sum + shard[i]);
        self.frozen.trained().0.iter().map(|p| p.at.clone().map(sum).collect()).collect()
    }

    /// How much of what learning read so far had been recorded by sampling.
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
    fn sample(&self, requests: &[SampleRequest]) -> Result<Vec<Vec<Rollout>>, PolicyError> {
        // What is merged cannot be learned from; what drops elements drops none in sampling.
        let learns = !self.is_merged() && self.lora().is_none_or(|lora| lora.dropout == 0.0);
        let records = learns && self.frozen.options.recall_mib > 0;
        let recorder = if records { self.recordings.recorder(self.frozen.version()) } else { None };
        if recorder.is_some() {
            self.frozen.free_activations();
        }
        self.frozen.sample_with(requests, recorder)
    }
}

impl Policy for CandlePolicy {
    fn sampler(&self) -> &dyn Sampler {
        self
    }

    fn scorer(&self) -> &dyn Scorer {
        self
    }

    fn learner(&mut self) -> &mut dyn Learner {
        self
    }

    fn freeze(&self) -> Result<Box<dyn Scorer>, PolicyError> {
        Ok(Box::new(self.frozen.clone()))
    }
}
