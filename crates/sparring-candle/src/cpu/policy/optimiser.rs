//! AdamW over the flat weights, its work divided over threads: no element depends on another.

use crate::kernels::{AdamStep, adamw, add, sum_of_squares};
use crate::learn::{AdamState, AdamWConfig};
use crate::model::Parameter;
use crate::threads::run_parts;
use sparring_core::{PolicyError, StepReport};

/// Elements that a thread works on at a time.
const PIECE: usize = 1 << 16;

/// Adds all shards' gradients into the first, in order, and clears the others.
pub(super) fn reduce(gradients: &mut [Vec<f32>], threads: usize) -> Result<(), PolicyError> {
    let Some((first, others)) = gradients.split_first_mut() else { return Ok(()) };
    for other in others {
        let pieces = first.chunks_mut(PIECE).zip(other.chunks_mut(PIECE)).collect();
        run_parts(threads, pieces, |_, (sum, more): (&mut [f32], &mut [f32])| {
            add(sum, more);
            more.fill(0.0);
        })?;
    }
    Ok(())
}

/// Global L2 norm of a gradient.
///
/// # Errors
/// [`PolicyError::NonFinite`] names the first parameter whose gradient is not finite.
pub(super) fn norm(parameters: &[Parameter], gradient: &[f32], threads: usize) -> Result<f64, PolicyError> {
    let squares = |_: usize, p: &Parameter| sum_of_squares(&gradient[p.at.clone()]);
    let squares = run_parts(threads, parameters.iter().collect(), squares)?;
    match parameters.iter().zip(&squares).find(|(_, s)| !s.is_finite()) {
        None => Ok(squares.iter().sum::<f64>().sqrt()),
        Some((p, _)) => Err(PolicyError::NonFinite { what: format!("the gradient of {}", p.name) }),
    }
}

/// A piece of the weights with its gradient, its moments and its settings.
struct Piece<'a> {
    weights: &'a mut [f32],
    gradient: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    settings: AdamStep,
}

impl AdamState {
    /// One step on `weights` with `gradient`, whose norm was found finite. The parameters tile both.
    pub(super) fn step(
        &mut self,
        config: &AdamWConfig,
        lr: f64,
        parameters: &[Parameter],
        (weights, gradient): (&mut [f32], &[f32]),
        norm: f64,
        threads: usize,
    ) -> Result<StepReport, PolicyError> {
        self.m.resize(weights.len(), 0.0);
        self.v.resize(weights.len(), 0.0);
        self.steps += 1;
        let clip = config.grad_clip.filter(|&most| norm > most);
        let shared = self.settings(config, lr, clip.map_or(1.0, |most| most / norm));
        let mut pieces = Vec::new();
        let (mut weights, mut m, mut v) = (weights, self.m.as_mut_slice(), self.v.as_mut_slice());
        for p in parameters {
            let (lr, decay) = config.rates(p, lr);
            let settings = AdamStep { lr: lr as f32, decay: decay as f32, ..shared };
            let (own, rest) = weights.split_at_mut(p.at.len());
            let (own_m, rest_m) = m.split_at_mut(p.at.len());
            let (own_v, rest_v) = v.split_at_mut(p.at.len());
            (weights, m, v) = (rest, rest_m, rest_v);
            let moments = own_m.chunks_mut(PIECE).zip(own_v.chunks_mut(PIECE));
            let numbers = own.chunks_mut(PIECE).zip(gradient[p.at.clone()].chunks(PIECE));
            pieces.extend(numbers.zip(moments).map(|((weights, gradient), (m, v))| Piece {
                weights,
                gradient,
                m,
                v,
                settings,
            }));
        }
        run_parts(threads, pieces, |_, p: Piece<'_>| adamw(p.weights, p.gradient, p.m, p.v, p.settings))?;
        Ok(StepReport::new(norm, clip.is_some()))
    }

    fn settings(&self, config: &AdamWConfig, lr: f64, grad_scale: f64) -> AdamStep {
        let correction = |beta: f64| (1.0 / (1.0 - beta.powf(self.steps as f64))) as f32;
        AdamStep {
            lr: lr as f32,
            beta1: config.beta1 as f32,
            beta2: config.beta2 as f32,
            correction1: correction(config.beta1),
            correction2: correction(config.beta2),
            eps: config.eps as f32,
            decay: 0.0,
            grad_scale: grad_scale as f32,
        }
    }
}
