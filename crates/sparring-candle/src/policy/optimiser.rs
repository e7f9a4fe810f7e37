//! AdamW over the flat weights.

use crate::kernels::{AdamStep, adamw, add, sum_of_squares};
use crate::layout::Parameter;
use crate::options::AdamWConfig;
use sparring_core::{PolicyError, StepReport};

/// Moments and the number of steps taken. Empty moments are zero moments.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AdamState {
    pub(crate) m: Vec<f32>,
    pub(crate) v: Vec<f32>,
    pub(crate) steps: u64,
}

/// Adds all shards' gradients into the first, in order, and clears the others.
pub(super) fn reduce(gradients: &mut [Vec<f32>]) {
    if let [first, others @ ..] = gradients {
        for other in others {
            add(first, other);
            other.fill(0.0);
        }
    }
}

/// Global L2 norm of a gradient.
///
/// # Errors
/// [`PolicyError::NonFinite`] names the first parameter whose gradient is not finite.
pub(super) fn norm(parameters: &[Parameter], gradient: &[f32]) -> Result<f64, PolicyError> {
    let mut total = 0.0;
    for p in parameters {
        let squares = sum_of_squares(&gradient[p.at.clone()]);
        if !squares.is_finite() {
            return Err(PolicyError::NonFinite { what: format!("the gradient of {}", p.name) });
        }
        total += squares;
    }
    Ok(total.sqrt())
}

impl AdamState {
    /// One step on `weights` with `gradient`, whose norm was found finite.
    pub(super) fn step(
        &mut self,
        config: &AdamWConfig,
        lr: f64,
        parameters: &[Parameter],
        (weights, gradient): (&mut [f32], &[f32]),
        norm: f64,
    ) -> StepReport {
        self.m.resize(weights.len(), 0.0);
        self.v.resize(weights.len(), 0.0);
        self.steps += 1;
        let clip = config.grad_clip.filter(|&most| norm > most);
        let correction = |beta: f64| (1.0 / (1.0 - beta.powf(self.steps as f64))) as f32;
        let shared = AdamStep {
            lr: lr as f32,
            beta1: config.beta1 as f32,
            beta2: config.beta2 as f32,
            correction1: correction(config.beta1),
            correction2: correction(config.beta2),
            eps: config.eps as f32,
            decay: 0.0,
            grad_scale: clip.map_or(1.0, |most| (most / norm) as f32),
        };
        for p in parameters {
            let group = config.group(&p.name);
            let decay = group.and_then(|g| g.weight_decay).unwrap_or(config.weight_decay);
            let decay = if p.decays() { decay as f32 } else { 0.0 };
            let lr = (lr * group.map_or(1.0, |g| g.lr_scale)) as f32;
            let (m, v) = (&mut self.m[p.at.clone()], &mut self.v[p.at.clone()]);
            adamw(
                &mut weights[p.at.clone()],
                &gradient[p.at.clone()],
                m,
                v,
                AdamStep { lr, decay, ..shared },
            );
        }
        StepReport::new(norm, clip.is_some())
    }
}
