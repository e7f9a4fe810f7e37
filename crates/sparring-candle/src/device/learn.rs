//! Learning on a device: forward, loss, backward layer by layer, step.

use super::gradients::GradientSums;
use super::optimiser;
use super::pass::Pass;
use super::{DevicePolicy, plan};
use crate::batch::{self, Masks};
use crate::error::candle_error;
use crate::learn::{LossGradients, check_learning_rate, evaluate};
use candle_core::{Result, Tensor};
use sparring_core::{Learner, PolicyError, StepReport, TokenBatch, TokenLoss};
use std::collections::BTreeMap;

impl Learner for DevicePolicy {
    fn accumulate(
        &mut self,
        batch: TokenBatch<'_>,
        loss: &dyn TokenLoss,
    ) -> std::result::Result<f64, PolicyError> {
        batch::check(batch, self.config())?;
        let (mut logp, mut entropy) =
            (vec![0.0; batch.completion_tokens()], vec![0.0; batch.completion_tokens()]);
        let masks = Masks::of(batch, self.config(), 1)?;
        let kept = self.forward(batch, &masks, &mut logp, &mut entropy).map_err(candle_error)?;
        batch::check_finite(batch, &logp)?;
        let (value, gradients) = evaluate(batch, loss, &logp, &entropy)?;
        let found = self.backward(kept, &gradients).map_err(candle_error)?;
        self.gradients = self.sum_with(found).map_err(candle_error)?;
        self.dropout.calls += 1;
        Ok(value)
    }

    fn step(&mut self, lr: f64) -> std::result::Result<StepReport, PolicyError> {
        check_learning_rate(lr)?;
        let parameters = self.model.parameters();
        let norm = optimiser::norm(parameters, &self.gradients)?;
        let state = (&*self.model.variables, &self.gradients);
        let adamw = &self.model.options.adamw;
        let (weights, report) =
            self.moments.step(adamw, lr, parameters, state, norm).map_err(candle_error)?;
        self.model = self.model.with_variables(weights);
        self.model.version += 1;
        self.gradients.clear();
        Ok(report)
    }

    fn reset(&mut self) {
        self.discard();
        self.dropout.calls = 0;
        self.moments = optimiser::Moments::default();
    }

    fn discard(&mut self) {
        self.gradients.clear();
    }
}

impl DevicePolicy {
    /// Runs all passes forward, with what each keeps for the backward pass.
    fn forward<'a>(
        &'a self,
        batch: TokenBatch<'_>,
        masks: &'a Masks,
        logp: &mut [f32],
        entropy: &mut [f32],
    ) -> Result<Vec<(Pass<'a>, Vec<super::pass::Streams>)>> {
        let weights = self.model.detached()?;
        let mut kept = Vec::new();
        for planned in plan::plan(batch, self.model.options.pass_tokens) {
            let place = (&self.model.device, self.model.dtype());
            let pass = Pass::new(&self.model.spec.config, place, &planned, batch.temperature, masks)?;
            let mut states = Vec::new();
            let (l, h) = pass.forward(weights, Some(&mut states))?;
            pass.scatter(&l, logp);
            pass.scatter(&h, entropy);
            kept.push((pass, states));
        }
        Ok(kept)
    }

    fn backward(
        &self,
        kept: Vec<(Pass<'_>, Vec<super::pass::Streams>)>,
        gradients: &LossGradients,
    ) -> Result<BTreeMap<String, Tensor>> {
        let weights = self.model.tracked();
        let mut sink = GradientSums::new(&self.model.variables);
        for (pass, states) in kept {
            let own = LossGradients {
                logp: pass.collect(&gradients.logp),
                entropy: gradients.entropy.as_ref().map(|h| pass.collect(h)),
            };
            pass.backward(&weights, states, &own, &mut sink)?;
        }
        Ok(sink.into_sums())
    }

    /// The accumulated gradient and this batch's.
    fn sum_with(&self, mut found: BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>> {
        for (name, old) in &self.gradients {
            let sum = match found.get(name) {
                Some(new) => (old + new)?,
                None => old.clone(),
            };
            found.insert(name.clone(), sum);
        }
        Ok(found)
    }
}
