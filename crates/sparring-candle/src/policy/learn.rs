//! Learning: forward, loss, backward, step.

use super::CandlePolicy;
use super::frozen::gather;
use super::optimiser::{self, AdamState};
use crate::engine::plan::{self, Block};
use crate::engine::{self, Cotangents, HeadSettings, Workspace};
use crate::threads::run_parts;
use sparring_core::{Learner, PolicyError, StepReport, TokenBatch, TokenCotangents, TokenLoss, TokenStats};

impl Learner for CandlePolicy {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError> {
        plan::check(batch, self.config())?;
        let settings = HeadSettings { temperature: batch.temperature, entropy: loss.needs_entropy() };
        let shards = plan::plan(batch, self.frozen.options.shards);
        let mut workspaces = self.frozen.take_workspaces(shards.len());
        let outcome = self.forward(batch, &shards, settings, &mut workspaces).and_then(|(logp, entropy)| {
            let (value, cotangents) = evaluate(batch, loss, &logp, &entropy)?;
            self.backward(&shards, settings, &cotangents, &mut workspaces)?;
            Ok(value)
        });
        self.frozen.return_workspaces(workspaces);
        outcome
    }

    fn step(&mut self, lr: f64) -> Result<StepReport, PolicyError> {
        if !(lr.is_finite() && lr >= 0.0) {
            return Err(PolicyError::invalid(format!(
                "learning rate {lr}: it must be a number of at least 0"
            )));
        }
        if self.gradients.is_empty() {
            self.gradients = vec![vec![0.0; self.frozen.spec.layout.len]];
        }
        optimiser::reduce(&mut self.gradients);
        let spec = self.frozen.spec.clone();
        let norm = optimiser::norm(&spec.layout, &self.gradients[0])?;
        let adamw = self.frozen.options.adamw;
        let weights = self.frozen.weights_mut();
        let report = self.adam.step(&adamw, lr, &spec.layout, (weights, &self.gradients[0]), norm);
        self.gradients[0].fill(0.0);
        Ok(report)
    }

    fn reset(&mut self) {
        self.discard();
        self.adam = AdamState::default();
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
        settings: HeadSettings,
        workspaces: &mut [Workspace],
    ) -> Result<(Vec<f32>, Vec<f32>), PolicyError> {
        let run = |i: usize, workspace: &mut Workspace| {
            engine::forward_shard(self.frozen.model(), &shards[i], settings, workspace)
        };
        gather(batch, run_parts(self.frozen.options.threads, workspaces.iter_mut().collect(), run)?)
    }

    fn backward(
        &mut self,
        shards: &[Vec<Block>],
        settings: HeadSettings,
        cotangents: &OwnedCotangents,
        workspaces: &mut [Workspace],
    ) -> Result<(), PolicyError> {
        let len = self.frozen.spec.layout.len;
        if self.gradients.len() < shards.len() {
            self.gradients.resize_with(shards.len(), || vec![0.0; len]);
        }
        let model = self.frozen.model();
        let cotangents = cotangents.borrow();
        let run = |i: usize, (workspace, gradient): (&mut Workspace, &mut Vec<f32>)| {
            engine::backward_shard(model, &shards[i], settings, cotangents, workspace, gradient);
        };
        let parts = workspaces.iter_mut().zip(&mut self.gradients).collect();
        run_parts(self.frozen.options.threads, parts, run).map(drop)
    }
}

/// What a loss wrote.
struct OwnedCotangents {
    logp: Vec<f32>,
    entropy: Option<Vec<f32>>,
}

impl OwnedCotangents {
    fn borrow(&self) -> Cotangents<'_> {
        Cotangents { logp: &self.logp, entropy: self.entropy.as_deref() }
    }
}

/// Asks the loss, and checks what it says.
fn evaluate(
    batch: TokenBatch<'_>,
    loss: &dyn TokenLoss,
    logp: &[f32],
    entropy: &[f32],
) -> Result<(f64, OwnedCotangents), PolicyError> {
    let wanted = loss.needs_entropy();
    let mut cotangents =
        OwnedCotangents { logp: vec![0.0; logp.len()], entropy: wanted.then(|| vec![0.0; logp.len()]) };
    let value = loss.evaluate(
        TokenStats { logp, entropy: wanted.then_some(entropy) },
        TokenCotangents { logp: &mut cotangents.logp, entropy: cotangents.entropy.as_deref_mut() },
    );
    let parts = [("logp", Some(&cotangents.logp)), ("entropy", cotangents.entropy.as_ref())];
    for (name, values) in parts {
        if let Some(flat) = values.and_then(|v| v.iter().position(|c| !c.is_finite())) {
            let place = plan::place(batch, flat);
            return Err(PolicyError::NonFinite { what: format!("∂L/∂{name} of {place}") });
        }
    }
    if !value.is_finite() {
        return Err(PolicyError::NonFinite { what: format!("the loss ({value})") });
    }
    Ok((value, cotangents))
}
