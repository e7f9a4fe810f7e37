//! Immutable weights: sampling and scoring.

use super::weights::FlatWeights;
use crate::batch;
use crate::cpu::decode::{self, DecodeAdapter, DecodeWeights};
use crate::cpu::engine::{self, AdapterView, EngineModel, HeadSettings, TokenResults, Workspace};
use crate::cpu::options::PolicyOptions;
use crate::cpu::recall::{Recorder, Version};
use crate::kernels::{RopeTable, RopeTables};
use crate::lora::{AdapterSpec, Dropout};
use crate::model::{ModelSpec, Parameter};
use crate::threads::run_parts;
use sparring_core::{PolicyError, Rollout, SampleRequest, Sampler, Scorer, TokenBatch, TokenGroup};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Low-rank factors on a base.
#[derive(Debug, Clone)]
pub(super) struct Adapter {
    pub(super) spec: Arc<AdapterSpec>,
    pub(super) weights: Arc<FlatWeights<DecodeAdapter>>,
    /// The base without the factors, while they are merged into the weights.
    pub(super) unmerged: Option<Arc<FlatWeights<DecodeWeights>>>,
}

/// Config and weights of a policy, for another backend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelParts<'a> {
    pub(crate) spec: &'a Arc<ModelSpec>,
    pub(crate) weights: &'a [f32],
    pub(crate) adapter: Option<(&'a Arc<AdapterSpec>, &'a [f32])>,
}

/// A decoder that samples and scores but does not learn: a reference model, or an opponent.
///
/// Cloning is cheap: the weights are shared.
#[derive(Debug)]
pub struct FrozenPolicy {
    pub(super) spec: Arc<ModelSpec>,
    rope: Arc<RopeTables>,
    pub(super) weights: Arc<FlatWeights<DecodeWeights>>,
    pub(super) adapter: Option<Adapter>,
    pub(super) options: PolicyOptions,
    /// How many times the trained weights have changed.
    pub(super) changes: u64,
    /// Buffers for reuse.
    workspaces: Mutex<Vec<Workspace>>,
}

impl Clone for FrozenPolicy {
    fn clone(&self) -> Self {
        Self {
            spec: Arc::clone(&self.spec),
            rope: Arc::clone(&self.rope),
            weights: Arc::clone(&self.weights),
            adapter: self.adapter.clone(),
            options: self.options.clone(),
            changes: self.changes,
            workspaces: Mutex::default(),
        }
    }
}

impl FrozenPolicy {
    pub(super) fn new(
        spec: Arc<ModelSpec>,
        weights: Arc<FlatWeights<DecodeWeights>>,
        options: PolicyOptions,
    ) -> Self {
        let config = &spec.config;
        let table = |(frequencies, factor)| RopeTable::new(frequencies, factor, config.longest_sequence());
        let tables = config.rotations().into_iter().map(table).collect();
        let of = (0..config.num_hidden_layers).map(|layer| config.rotation(layer)).collect();
        let rope = Arc::new(RopeTables::new(tables, of));
        Self { spec, rope, weights, adapter: None, options, changes: 0, workspaces: Mutex::default() }
    }

    pub(super) fn model(&self) -> EngineModel<'_> {
        self.model_with(None)
    }

    /// The model, with this dropout on the adapter's inputs.
    pub(super) fn model_with(&self, dropout: Option<Dropout>) -> EngineModel<'_> {
        EngineModel {
            config: &self.spec.config,
            layout: &self.spec.layout,
            weights: &self.weights.flat,
            rope: &self.rope,
            adapter: self.unmerged().map(|a| AdapterView {
                layout: &a.spec.layout,
                weights: &a.weights.flat,
                dropout,
            }),
        }
    }

    /// The adapter, unless it is merged into the weights.
    fn unmerged(&self) -> Option<&Adapter> {
        self.adapter.as_ref().filter(|a| a.unmerged.is_none())
    }

    /// The model as it samples: its weights, and the adapter that is not merged into them.
    pub(super) fn parts(&self) -> ModelParts<'_> {
        ModelParts {
            spec: &self.spec,
            weights: &self.weights.flat,
            adapter: self.unmerged().map(|a| (&a.spec, a.weights.flat.as_slice())),
        }
    }

    /// The trained parameters: the adapter's, if there is one.
    pub(super) fn trained(&self) -> (&[Parameter], &[f32]) {
        match &self.adapter {
            Some(adapter) => (adapter.spec.parameters(), &adapter.weights.flat),
            None => (&self.spec.layout.parameters, &self.weights.flat),
        }
    }

    /// Mutable access to the trained weights. Copies them if they are shared.
    pub(super) fn trained_mut(&mut self) -> &mut Vec<f32> {
        self.changes += 1;
        match &mut self.adapter {
            Some(adapter) => FlatWeights::change(&mut adapter.weights),
            None => FlatWeights::change(&mut self.weights),
        }
    }

    /// Drops the packed weights before gradients are computed, unless they are shared: a step replaces them, and
    /// their memory is needed for the gradients.
    pub(super) fn forget_packed(&self) {
        match &self.adapter {
            Some(adapter) if Arc::strong_count(&adapter.weights) == 1 => adapter.weights.forget_packed(),
            None if Arc::strong_count(&self.weights) == 1 => self.weights.forget_packed(),
            _ => {}
        }
    }

    fn pool(&self) -> MutexGuard<'_, Vec<Workspace>> {
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `n` sets of buffers.
    pub(super) fn take_workspaces(&self, n: usize) -> Vec<Workspace> {
        let mut pool = self.pool();
        let mut taken: Vec<_> = (0..n).map_while(|_| pool.pop()).collect();
        taken.resize_with(n, Workspace::default);
        taken
    }

    /// Returns buffers.
    pub(super) fn return_workspaces(&self, workspaces: Vec<Workspace>) {
        self.pool().extend(workspaces);
    }

    /// Frees all buffers.
    pub(super) fn free_workspaces(&self) {
        self.pool().clear();
    }

    /// Frees the activations of the last pass: the next pass uses what is recorded now.
    pub(super) fn free_activations(&self) {
        self.pool().iter_mut().for_each(|workspace| workspace.kept.clear());
    }

    pub(super) fn logits(&self, tokens: &[u32]) -> Result<Vec<f32>, PolicyError> {
        let prompt = &tokens[..tokens.len().min(1)];
        // The engine computes logits of positions that predict a token, so the last position predicts an arbitrary one.
        let continuation: Vec<u32> = tokens.iter().skip(1).copied().chain([0]).collect();
        let checked = [TokenGroup::new(prompt, vec![&continuation[..continuation.len() - 1]])];
        batch::check(TokenBatch::new(&checked, 1.0), &self.spec.config)?;
        let groups = [TokenGroup::new(prompt, vec![&continuation])];
        let plan = engine::plan(TokenBatch::new(&groups, 1.0), 1, false);
        let mut workspaces = self.take_workspaces(1);
        let logits = plan.iter().flatten().zip(&mut workspaces);
        let logits = logits.flat_map(|(block, w)| engine::logits(self.model(), block, w)).collect();
        self.return_workspaces(workspaces);
        Ok(logits)
    }
}

impl Scorer for FrozenPolicy {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        batch::check(batch, &self.spec.config)?;
        let masks = batch::Masks::of(batch, &self.spec.config, self.options.threads)?;
        let head = HeadSettings { temperature: batch.temperature, entropy: false, masks: &masks };
        let shards = engine::plan(batch, self.options.shards, self.options.share_prefixes);
        let mut workspaces = self.take_workspaces(shards.len());
        let score = |i: usize, workspace: &mut Workspace| {
            engine::score_shard(self.model(), &shards[i], head, workspace)
        };
        let results = run_parts(self.options.threads, workspaces.iter_mut().collect(), score)?;
        self.return_workspaces(workspaces);
        gather(batch, results).map(|(logp, _)| logp)
    }
}

/// Results of all shards, flat. The error for a log-probability that is not a number names its token.
pub(super) fn gather(
    batch: TokenBatch<'_>,
    results: Vec<TokenResults>,
) -> Result<(Vec<f32>, Vec<f32>), PolicyError> {
    let tokens = batch.completion_tokens();
    let entropies = results.iter().any(|r| !r.entropy.is_empty());
    let (mut logp, mut entropy) = (vec![0.0; tokens], vec![0.0; if entropies { tokens } else { 0 }]);
    for result in results {
        result.logp.into_iter().for_each(|(flat, value)| logp[flat] = value);
        result.entropy.into_iter().for_each(|(flat, value)| entropy[flat] = value);
    }
    batch::check_finite(batch, &logp)?;
    Ok((logp, entropy))
}

impl Sampler for FrozenPolicy {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        self.sample_with(requests, None)
    }

    /// Drops the packed weights, and buffers of sampling and scoring.
    fn rest(&self) {
        self.weights.forget_packed();
        if let Some(adapter) = &self.adapter {
            adapter.weights.forget_packed();
        }
        self.free_workspaces();
    }
}

impl FrozenPolicy {
    /// Identifies the current weights among all of this process.
    pub(super) fn version(&self) -> Version {
        (self.weights.id(), self.unmerged().map(|a| a.weights.id()))
    }

    /// Samples, and records activations for learning.
    pub(super) fn sample_with(
        &self,
        requests: &[SampleRequest],
        recorder: Option<Recorder<'_>>,
    ) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        let weights = &*self.weights.packed(|flat| DecodeWeights::new(&self.spec, flat));
        let adapter = self
            .unmerged()
            .map(|a| a.weights.packed(|flat| DecodeAdapter::new(&a.spec.layout, &self.spec, flat)));
        let model = decode::DecodeModel {
            spec: &self.spec,
            rope: &self.rope,
            flat: &self.weights.flat,
            weights,
            adapter: adapter.as_deref(),
            version: self.changes,
        };
        let PolicyOptions { threads, decode_rows, share_prefixes, .. } = self.options;
        decode::sample(model, requests, decode::Schedule { threads, decode_rows, share_prefixes }, recorder)
    }
}
