//! Weights that do not change: sampling and scoring.

use super::Spec;
use crate::decode::{self, DecodeWeights};
use crate::engine::plan;
use crate::engine::{self, HeadSettings, Model, TokenResults, Workspace};
use crate::options::PolicyOptions;
use crate::threads::run_parts;
use sparring_core::{PolicyError, Rollout, SampleRequest, Sampler, Scorer, TokenBatch, TokenGroup};
use std::sync::{Arc, Mutex, PoisonError};

/// A decoder that samples and scores but does not learn: a reference model, or an opponent.
///
/// Cloning is cheap: the weights are shared.
#[derive(Debug)]
pub struct FrozenPolicy {
    pub(super) spec: Arc<Spec>,
    pub(super) weights: Arc<Vec<f32>>,
    pub(super) options: PolicyOptions,
    /// Packed when first sampled from.
    packed: Mutex<Option<Arc<DecodeWeights>>>,
    /// Buffers to be used again.
    workspaces: Mutex<Vec<Workspace>>,
}

impl Clone for FrozenPolicy {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.spec), Arc::clone(&self.weights), self.options)
    }
}

impl FrozenPolicy {
    pub(super) fn new(spec: Arc<Spec>, weights: Arc<Vec<f32>>, options: PolicyOptions) -> Self {
        Self { spec, weights, options, packed: Mutex::default(), workspaces: Mutex::default() }
    }

    pub(super) fn model(&self) -> Model<'_> {
        Model {
            config: &self.spec.config,
            layout: &self.spec.layout,
            weights: &self.weights,
            rope: &self.spec.rope,
        }
    }

    /// The weights, to change: what was derived from them is forgotten. Copies them where they are shared.
    pub(super) fn weights_mut(&mut self) -> &mut Vec<f32> {
        *self.packed.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        Arc::make_mut(&mut self.weights)
    }

    /// Replaces the weights.
    pub(super) fn set_weights(&mut self, weights: Vec<f32>) {
        *self.packed.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        self.weights = Arc::new(weights);
    }

    /// Takes `n` sets of buffers.
    pub(super) fn take_workspaces(&self, n: usize) -> Vec<Workspace> {
        let mut pool = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken: Vec<_> = (0..n).map_while(|_| pool.pop()).collect();
        taken.resize_with(n, Workspace::default);
        taken
    }

    /// Gives buffers back.
    pub(super) fn return_workspaces(&self, workspaces: Vec<Workspace>) {
        self.workspaces.lock().unwrap_or_else(PoisonError::into_inner).extend(workspaces);
    }

    pub(super) fn logits(&self, tokens: &[u32]) -> Result<Vec<f32>, PolicyError> {
        let prompt = &tokens[..tokens.len().min(1)];
        // The engine gives logits where a token is predicted: let the last position predict any token.
        let continuation: Vec<u32> = tokens.iter().skip(1).copied().chain([0]).collect();
        let checked = [TokenGroup { prompt, completions: vec![&continuation[..continuation.len() - 1]] }];
        plan::check(TokenBatch { groups: &checked, temperature: 1.0 }, &self.spec.config)?;
        let groups = [TokenGroup { prompt, completions: vec![&continuation] }];
        let plan = plan::plan(TokenBatch { groups: &groups, temperature: 1.0 }, 1);
        let mut workspaces = self.take_workspaces(1);
        let logits = plan.iter().flatten().zip(&mut workspaces);
        let logits = logits.flat_map(|(block, w)| engine::logits(self.model(), block, w)).collect();
        self.return_workspaces(workspaces);
        Ok(logits)
    }

    fn packed(&self) -> Arc<DecodeWeights> {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        let pack = || Arc::new(DecodeWeights::new(self.model(), Arc::clone(&self.weights)));
        Arc::clone(packed.get_or_insert_with(pack))
    }
}

impl Scorer for FrozenPolicy {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        plan::check(batch, &self.spec.config)?;
        let head = HeadSettings { temperature: batch.temperature, entropy: false };
        let shards = plan::plan(batch, self.options.shards);
        let mut workspaces = self.take_workspaces(shards.len());
        let score = |i: usize, workspace: &mut Workspace| {
            engine::score_shard(self.model(), &shards[i], head, workspace)
        };
        let results = run_parts(self.options.threads, workspaces.iter_mut().collect(), score)?;
        self.return_workspaces(workspaces);
        gather(batch, results).map(|(logp, _)| logp)
    }
}

/// Results of all shards, flat. A log-probability that is not a number names its token.
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
    match logp.iter().position(|l| !l.is_finite()) {
        None => Ok((logp, entropy)),
        Some(flat) => Err(PolicyError::NonFinite {
            what: format!("the log-probability of {}", plan::place(batch, flat)),
        }),
    }
}

impl Sampler for FrozenPolicy {
    fn sample(&self, requests: &[SampleRequest]) -> Result<Vec<Vec<Rollout>>, PolicyError> {
        let packed = self.packed();
        decode::sample(&self.spec, &packed, requests, self.options.threads, self.options.decode_rows)
    }
}
