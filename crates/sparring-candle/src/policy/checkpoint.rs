//! Saving and restoring in the middle of a run, bit for bit.
//!
//! A checkpoint is a model folder (it can be loaded and published as it is) with one more file,
//! `optimizer.safetensors`: both moments of every trained parameter, the number of steps, and the gradients that
//! were accumulated but not applied. A policy with an adapter saves the adapter alone.

use super::CandlePolicy;
use super::optimiser::AdamState;
use crate::folder;
use crate::layout::{Layout, Parameter};
use crate::lora::{self, LoraConfig};
use crate::tensors::{self, NamedTensor, TensorFile};
use sparring_core::{Checkpoint, PolicyError};
use std::path::Path;

const OPTIMIZER: &str = "optimizer.safetensors";
const STEPS: &str = "steps";
const WHY: &str = "a checkpoint needs it beside model.safetensors; use another checkpoint";

impl Checkpoint for CandlePolicy {
    fn save(&self, dir: &Path) -> Result<(), PolicyError> {
        self.save_pretrained(dir)?;
        let parameters = self.frozen.trained().0;
        write_optimizer(dir, parameters, &self.adam, &self.gradients, self.accumulated)
    }

    fn restore(&mut self, dir: &Path) -> Result<(), PolicyError> {
        if self.is_merged() {
            return Err(PolicyError::invalid(
                "the adapter is merged; call unmerge_adapter before restoring".to_owned(),
            ));
        }
        let weights = read_trained(dir, &self.frozen.spec.layout, self.lora())?;
        let state = read_optimizer(dir, self.frozen.trained().0, weights.len())?;
        *self.frozen.trained_mut() = weights;
        (self.adam, self.gradients, self.accumulated) = (state.adam, state.gradients, state.accumulated);
        Ok(())
    }
}

/// What a checkpoint holds beside the weights.
#[derive(Debug)]
pub(crate) struct Trained {
    pub(crate) adam: AdamState,
    /// One a shard, to be summed.
    pub(crate) gradients: Vec<Vec<f32>>,
    /// Calls of `accumulate`.
    pub(crate) accumulated: u64,
}

/// Writes what a checkpoint holds beside the weights.
///
/// # Errors
/// [`PolicyError::Io`] names the file.
pub(crate) fn write_optimizer(
    dir: &Path,
    parameters: &[Parameter],
    adam: &AdamState,
    gradients: &[Vec<f32>],
    accumulated: u64,
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
    tensors::write(dir, OPTIMIZER, &tensors, (STEPS, format!("{} {accumulated}", adam.steps)))
}

/// Reads what a checkpoint holds beside the `len` weights.
///
/// # Errors
/// [`PolicyError::Invalid`] names the file and the tensor that is missing or damaged.
pub(crate) fn read_optimizer(
    dir: &Path,
    parameters: &[Parameter],
    len: usize,
) -> Result<Trained, PolicyError> {
    let file = TensorFile::read(&dir.join(OPTIMIZER), WHY)?;
    let (steps, accumulated) = read_counts(&file)?;
    let adam = read_moments(&file, parameters, len, steps)?;
    Ok(Trained { adam, gradients: read_gradients(&file, len)?, accumulated })
}

/// The trained weights of a folder, which must be of the same model (or adapter) as the policy that asks.
///
/// # Errors
/// [`PolicyError::Invalid`] names the file and what is wrong with it.
pub(crate) fn read_trained(
    dir: &Path,
    layout: &Layout,
    adapter: Option<&LoraConfig>,
) -> Result<Vec<f32>, PolicyError> {
    let Some(adapter) = adapter else {
        return folder::read_weights(dir, layout);
    };
    let (spec, weights) = lora::read(dir, layout)?;
    if spec.config == *adapter {
        return Ok(weights);
    }
    Err(PolicyError::invalid(format!(
        "{}: adapter_config.json describes another adapter than this policy's; load it with load_adapter",
        dir.display()
    )))
}

/// Optimiser steps, and calls of `accumulate`.
fn read_counts(file: &TensorFile) -> Result<(u64, u64), PolicyError> {
    let text = file.metadata(STEPS)?.unwrap_or_default();
    let mut counts = text.split(' ').map(str::parse);
    match (counts.next(), counts.next()) {
        (Some(Ok(steps)), Some(Ok(accumulated))) => Ok((steps, accumulated)),
        _ => Err(file.bad("its metadata has no number of steps; use another checkpoint")),
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
    let shards = file
        .names()?
        .iter()
        .filter_map(|name| name.strip_prefix("gradient.")?.parse::<usize>().ok())
        .max()
        .map_or(0, |last| last + 1);
    let mut gradients = vec![vec![0.0; len]; shards.min(4096)];
    for (shard, gradient) in gradients.iter_mut().enumerate() {
        let name = format!("gradient.{shard}");
        if file.shape(&name)?.is_some() {
            file.copy(&name, &[len], gradient)?;
        }
    }
    Ok(gradients)
}
