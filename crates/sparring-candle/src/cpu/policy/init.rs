//! Fresh weights.

use crate::model::ModelConfig;
use crate::model::{Layout, Parameter, zeros};
use rand::Rng;
use sparring_core::{PolicyError, Seed};

/// Weights from `seed`; each tensor draws from a child named after it.
pub(super) fn weights(config: &ModelConfig, layout: &Layout, seed: Seed) -> Result<Vec<f32>, PolicyError> {
    let mut weights = zeros(layout.len)?;
    for p in &layout.parameters {
        fill(config, p, seed.child(&p.name), &mut weights[p.at.clone()]);
    }
    Ok(weights)
}

fn fill(config: &ModelConfig, parameter: &Parameter, seed: Seed, out: &mut [f32]) {
    let name = parameter.name.as_str();
    if name.ends_with("norm.weight") {
        out.fill(if config.norms_from_one() { 0.0 } else { 1.0 });
    } else if parameter.decays() {
        let residual = name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
        let depth = if residual { (2.0 * config.num_hidden_layers as f64).sqrt() } else { 1.0 };
        normal(seed, config.initializer_range / depth, out);
    }
}

/// Normal numbers by the method of Box and Muller (1958), two at a time.
fn normal(seed: Seed, deviation: f64, out: &mut [f32]) {
    let mut rng = seed.rng();
    for pair in out.chunks_mut(2) {
        // 1 − u is in (0, 1]: its logarithm is finite.
        let radius = deviation * (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        for (out, x) in pair.iter_mut().zip([cos, sin]) {
            *out = (radius * x) as f32;
        }
    }
}
