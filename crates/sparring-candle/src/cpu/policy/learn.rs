//! Learning: forward, loss, backward, step.

use super::CandlePolicy;
use super::frozen::gather;
use super::optimiser;
use crate::batch;
use crate::cpu::engine::{self, Block, HeadSettings, Keep, Recalled, Sink, Workspace};
use crate::learn::{AdamState, LossGradients, check_learning_rate, evaluate};
use crate::lora::Dropout;
use crate::threads::run_parts;
use sparring_core::{Learner, PolicyError, StepReport, TokenBatch, TokenLoss};

impl Learner for CandlePolicy {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError> {
        batch::check(batch, self.config())?;
        self.check_unmerged("training")?;
        let masks = batch::Masks::of(batch, self.config(), self.frozen.options.threads)?;
        let (temperature, entropy) = (batch.temperature, loss.needs_entropy());
        let settings = HeadSettings { temperature, entropy, masks: &masks };
        self.recordings.learn();
        let options = &self.frozen.options;
        let shards = engine::plan(batch, options.shards, options.share_prefixes);
        let mut workspaces = self.frozen.take_workspaces(shards.len());
        let dropout = self.lora().and_then(|lora| self.dropout.next(lora.dropout));
        let forward = self.forward(batch, &shards, settings, dropout, &mut workspaces);
        let outcome = forward.and_then(|(logp, entropy)| {
            let (value, gradients) = evaluate(batch, loss, &logp, &entropy)?;
            self.backward(&shards, settings, dropout, &gradients, &mut workspaces)?;
            self.dropout.calls += 1;
            self.count_rows(&shards, &workspaces);
            Ok(value)
        });
        workspaces.iter_mut().for_each(Workspace::forget_recalled);
        self.frozen.return_workspaces(workspaces);
        outcome
    }

    fn step(&mut self, lr: f64) -> Result<StepReport, PolicyError> {
        check_learning_rate(lr)?;
        self.check_unmerged("training")?;
        self.gradients_of(1);
        let threads = self.frozen.options.threads;
        optimiser::reduce(&mut self.gradients, threads)?;
        let parameters = self.frozen.trained().0.to_vec();
        let norm = optimiser::norm(&parameters, &self.gradients[0], threads)?;
        let adamw = self.frozen.options.adamw.clone();
        let weights = self.frozen.trained_mut();
        let report = self.adam.step(&adamw, lr, &parameters, (weights, &self.gradients[0]), norm, threads)?;
        self.gradients[0].fill(0.0);
        Ok(report)
    }

    fn reset(&mut self) {
        self.dropout.calls = 0;
        self.adam = AdamState::default();
        // What only learning needs is several times the weights: whoever resets may not learn for a while.
        self.gradients = Vec::new();
        self.frozen.free_workspaces();
        self.frozen.forget_packed();
        self.recordings.forget_all();
    }

    fn discard(&mut self) {
        for gradient in &mut self.gradients {
            gradient.fill(0.0);
        }
    }
}

impl CandlePolicy {
    /// Log-probabilities and entropies, flat.
    fn forward(
        &self,
        batch: TokenBatch<'_>,
        shards: &[Vec<Block>],
        settings: HeadSettings<'_>,
        dropout: Option<Dropout>,
        workspaces: &mut [Workspace],
    ) -> Result<(Vec<f32>, Vec<f32>), PolicyError> {
        let keep = if self.frozen.options.checkpoint_layers { Keep::Inputs } else { Keep::Layers };
        let model = self.frozen.model_with(dropout);
        let version = self.frozen.version();
        let recall = |block: &Block| {
            // Sampling has no dropout.
            if dropout.is_some() { None } else { Recalled::find(&self.recordings, version, block) }
        };
        let run = |i: usize, workspace: &mut Workspace| {
            engine::forward_shard(model, &shards[i], settings, keep, recall, workspace)
        };
        gather(batch, run_parts(self.frozen.options.threads, workspaces.iter_mut().collect(), run)?)
    }

    /// Counts the rows of a batch that ran forward.
    fn count_rows(&mut self, shards: &[Vec<Block>], workspaces: &[Workspace]) {
        for (blocks, workspace) in shards.iter().zip(workspaces) {
            for (block, acts) in blocks.iter().zip(&workspace.kept) {
                self.rows[usize::from(acts.recalled.is_none())] += block.rows() as u64;
            }
        }
    }

    /// Makes room for the gradients of the first `shards` shards.
    fn gradients_of(&mut self, shards: usize) {
        let len = self.frozen.trained().1.len();
        let all = self.gradients.len().max(shards);
        self.gradients.resize_with(all, Vec::new);
        self.gradients[..shards].iter_mut().for_each(|gradient| gradient.resize(len, 0.0));
    }

    fn backward(
        &mut self,
        shards: &[Vec<Block>],
        settings: HeadSettings<'_>,
        dropout: Option<Dropout>,
        gradients: &LossGradients,
        workspaces: &mut [Workspace],
    ) -> Result<(), PolicyError> {
        self.frozen.forget_packed();
        self.gradients_of(shards.len());
        let model = self.frozen.model_with(dropout);
        let run = |i: usize, (workspace, gradient): (&mut Workspace, &mut Vec<f32>)| {
            let mut sink =
                if model.adapter.is_some() { Sink::Adapter(gradient) } else { Sink::Base(gradient) };
            engine::backward_shard(model, &shards[i], settings, gradients, workspace, &mut sink);
        };
        let parts = workspaces.iter_mut().zip(&mut self.gradients).collect();
        run_parts(self.frozen.options.threads, parts, run).map(drop)
    }
}
