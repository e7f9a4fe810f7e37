//! Saves and restores training state, bit for bit.
//!
//! A checkpoint is a model folder, which can be loaded and published unchanged, with one more file,
//! `optimizer.safetensors`: both moments of every trained parameter, the numbers of steps and of weight changes, and
//! the gradients that were accumulated but not applied. A policy with an adapter saves the adapter alone.

use crate::lora::{self, AdapterSpec, DropoutState};
use crate::model::folder;
use crate::model::tensors::{self, NamedTensor, TensorFile};
use crate::model::{Layout, Parameter};
use sparring_core::{PolicyError, Seed};
use std::path::Path;

const OPTIMIZER: &str = "optimizer.safetensors";
const STEPS: &str = "steps";
const WHY: &str = "a checkpoint needs it beside the weights; use another checkpoint";

/// Maximum number of gradients in a checkpoint: one per shard.
pub(crate) const MOST_SHARDS: usize = 4096;

/// Moments and the number of steps taken. Empty moments are zero moments.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct AdamState {
    pub(crate) m: Vec<f32>,
    pub(crate) v: Vec<f32>,
    pub(crate) steps: u64,
}

/// The content of a checkpoint other than the weights.
#[derive(Debug)]
pub(crate) struct Trained {
    pub(crate) adam: AdamState,
    /// One a shard, to be summed. An empty one is zero.
    pub(crate) gradients: Vec<Vec<f32>>,
    pub(crate) counts: Counts,
}

/// The counters of a checkpoint other than the optimiser's steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) dropout: DropoutState,
    /// Version of the weights.
    pub(crate) changes: u64,
}

/// Writes the content of a checkpoint other than the weights.
///
/// # Errors
/// [`PolicyError::Io`] names the file.
pub(crate) fn write_optimizer(
    dir: &Path,
    parameters: &[Parameter],
    adam: &AdamState,
    gradients: &[Vec<f32>],
    Counts { dropout, changes }: Counts,
) -> Result<(), PolicyError> {
    let mut tensors = Vec::new();
    for (kind, values) in [("m.", &adam.m), ("v.", &adam.v)] {
        if !values.is_empty() {
            tensors.extend(parameters.iter().map(|p| NamedTensor::of(p, kind, values)));
        }
    }
    for (shard, gradient) in gradients.iter().enumerate() {
        if gradient.iter().any(|g| *g != 0.0) {
            let name = format!("gradient.{shard}");
            tensors.push(NamedTensor { name, shape: vec![gradient.len()], data: gradient });
        }
    }
    let counts = format!("{} {} {} {changes}", adam.steps, dropout.calls, dropout.seed.value());
    tensors::write(dir, OPTIMIZER, &tensors, [(STEPS, counts)])
}

/// Reads the content of a checkpoint other than the `len` weights.
///
/// # Errors
/// [`PolicyError::Invalid`] names the file and the tensor that is missing or damaged.
pub(crate) fn read_optimizer(
    dir: &Path,
    parameters: &[Parameter],
    len: usize,
) -> Result<Trained, PolicyError> {
    let file = TensorFile::read(&dir.join(OPTIMIZER), WHY)?;
    let (steps, counts) = read_counts(&file)?;
    let adam = read_moments(&file, parameters, len, steps)?;
    Ok(Trained { adam, gradients: read_gradients(&file, len)?, counts })
}

/// The trained weights of a folder, which must belong to the same model (or adapter) as the policy.
///
/// # Errors
/// [`PolicyError::Invalid`] names the file and the problem.
pub(crate) fn read_trained(
    dir: &Path,
    layout: &Layout,
    adapter: Option<&AdapterSpec>,
) -> Result<Vec<f32>, PolicyError> {
    let Some(adapter) = adapter else {
        return folder::read_weights(dir, layout);
    };
    let (spec, weights) = lora::read(dir, layout, &adapter.base)?;
    if spec.config == adapter.config && spec.whole == adapter.whole {
        return Ok(weights);
    }
    Err(PolicyError::invalid(format!(
        "{}: adapter_config.json does not match this policy's adapter; use load_adapter",
        dir.display()
    )))
}

/// Optimiser steps and the other counters.
fn read_counts(file: &TensorFile) -> Result<(u64, Counts), PolicyError> {
    let text = file.metadata(STEPS).unwrap_or_default();
    let counts: Option<Vec<u64>> = text.split(' ').map(|n| n.parse().ok()).collect();
    match counts.as_deref() {
        Some(&[steps, calls, seed, changes]) => {
            Ok((steps, Counts { dropout: DropoutState { seed: Seed::new(seed), calls }, changes }))
        }
        _ => Err(file.bad(format_args!(
            "its metadata \"{STEPS}\" is \"{text}\", not four numbers (steps, calls, seed, changes); use another checkpoint"
        ))),
    }
}

fn read_moments(
    file: &TensorFile,
    parameters: &[Parameter],
    len: usize,
    steps: u64,
) -> Result<AdamState, PolicyError> {
    if steps == 0 {
        return Ok(AdamState::default());
    }
    let mut adam = AdamState { m: vec![0.0; len], v: vec![0.0; len], steps };
    for (kind, values) in [("m", &mut adam.m), ("v", &mut adam.v)] {
        for p in parameters {
            file.copy(&format!("{kind}.{}", p.name), &p.shape, &mut values[p.at.clone()])?;
        }
    }
    Ok(adam)
}

fn read_gradients(file: &TensorFile, len: usize) -> Result<Vec<Vec<f32>>, PolicyError> {
    let mut gradients = Vec::new();
    for name in file.names().iter().filter(|name| name.starts_with("gradient.")) {
        let shard: Option<usize> = name.strip_prefix("gradient.").and_then(|n| n.parse().ok());
        let Some(shard) = shard.filter(|shard| *shard < MOST_SHARDS) else {
            return Err(
                file.bad(format_args!("tensor \"{name}\" belongs to no shard; use another checkpoint"))
            );
        };
        if gradients.len() <= shard {
            gradients.resize_with(shard + 1, Vec::new);
        }
        gradients[shard] = vec![0.0; len];
        file.copy(name, &[len], &mut gradients[shard])?;
    }
    Ok(gradients)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_gradients_of_the_file_take_memory() {
        let dir = tempfile::tempdir().unwrap();
        let counts = Counts { dropout: DropoutState { seed: Seed::new(1), calls: 2 }, changes: 3 };
        let gradients = [vec![0.0; 3], Vec::new(), vec![1.0, 2.0, 3.0]];
        write_optimizer(dir.path(), &[], &AdamState::default(), &gradients, counts).unwrap();
        let read = read_optimizer(dir.path(), &[], 3).unwrap();
        assert_eq!(read.gradients, [Vec::new(), Vec::new(), vec![1.0, 2.0, 3.0]]);
    }
}
