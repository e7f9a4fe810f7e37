//! Learning: forward, loss, backward, step.

use super::frozen::gather;
use super::optimiser::{self, AdamState};
use super::CandlePolicy;
use crate::engine::plan::{self, Block};
use crate::engine::{self, Cotangents, HeadSettings, Workspace};
use crate::threads::run_parts;
use sparring_core::{
    Learner, PolicyError, StepReport, TokenBatch, TokenCotangents, TokenLoss, TokenStats,
};

impl Learner for CandlePolicy {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError> {
        plan::check(batch, self.config())?;
        let settings = HeadSettings { temperature: batch.temperature, entropy: loss.needs_entropy() };
        let shards = plan::plan(batch, self.frozen.options.shards);
        let workspaces = self.frozen.take_workspaces(shards.len());
        let (workspaces, logp, entropy) = self.forward(batch, &shards, settings, workspaces)?;
        let evaluated = evaluate(batch, loss, &logp, &entropy);
        let workspaces = match evaluated {
            Ok((value, cotangents)) => {
                let workspaces = self.backward(&shards, settings, &cotangents, workspaces)?;
                self.frozen.return_workspaces(workspaces);
                return Ok(value);
            }
            Err(error) => (error, workspaces),
        };
        self.frozen.return_workspaces(workspaces.1);
        Err(workspaces.0)
    }

    fn step(&mut self, lr: f64) -> Result<StepReport, PolicyError> {
        if !(lr.is_finite() && lr >= 0.0) {
            return Err(PolicyError::invalid(format!("learning rate {lr}: it must be a number of at least 0")));
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

type Forward = (Vec<Workspace>, Vec<f32>, Vec<f32>);

impl CandlePolicy {
    fn forward(
        &self,
        batch: TokenBatch<'_>,
        shards: &[Vec<Block>],
        settings: HeadSettings,
        workspaces: Vec<Workspace>,
    ) -> Result<Forward, PolicyError> {
        let run = |i: usize, mut workspace: Workspace| {
            let results = engine::forward_shard(self.frozen.model(), &shards[i], settings, &mut workspace);
            (results, workspace)
        };
        let (results, workspaces) =
            run_parts(self.frozen.options.threads, workspaces, run)?.into_iter().unzip();
        let (logp, entropy) = gather(batch, results)?;
        Ok((workspaces, logp, entropy))
    }

    fn backward(
        &mut self,
        shards: &[Vec<Block>],
        settings: HeadSettings,
        cotangents: &OwnedCotangents,
        workspaces: Vec<Workspace>,
    ) -> Result<Vec<Workspace>, PolicyError> {
        let len = self.frozen.spec.layout.len;
        if self.gradients.len() < shards.len() {
            self.gradients.resize_with(shards.len(), || vec![0.0; len]);
        }
        let model = self.frozen.model();
        let cotangents = cotangents.borrow();
        let run = |i: usize, (mut workspace, gradient): (Workspace, &mut Vec<f32>)| {
            engine::backward_shard(model, &shards[i], settings, cotangents, &mut workspace, gradient);
            workspace
        };
        let parts = workspaces.into_iter().zip(&mut self.gradients).collect();
        run_parts(self.frozen.options.threads, parts, run)
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
