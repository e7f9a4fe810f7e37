//! Saving and restoring in the middle of a run, bit for bit.
//!
//! A checkpoint is a model folder (it can be loaded and published as it is) with one more file,
//! `optimizer.safetensors`: both moments of every parameter, the number of steps, and the gradients that
//! were accumulated but not applied.

use super::CandlePolicy;
use super::optimiser::AdamState;
use crate::files::write_atomically;
use crate::folder;
use crate::layout::Layout;
use crate::tensors::{NamedTensor, TensorFile, serialize};
use sparring_core::{Checkpoint, PolicyError};
use std::path::Path;

const OPTIMIZER: &str = "optimizer.safetensors";
const STEPS: &str = "steps";
const WHY: &str = "a checkpoint needs it beside model.safetensors; use another checkpoint";

impl Checkpoint for CandlePolicy {
    fn save(&self, dir: &Path) -> Result<(), PolicyError> {
        self.save_pretrained(dir)?;
        let mut tensors = Vec::new();
        for (kind, values) in [("m", &self.adam.m), ("v", &self.adam.v)] {
            if !values.is_empty() {
                for p in &self.frozen.spec.layout.parameters {
                    let name = format!("{kind}.{}", p.name);
                    tensors.push(NamedTensor { name, shape: p.shape.clone(), data: &values[p.at.clone()] });
                }
            }
        }
        for (shard, gradient) in self.gradients.iter().enumerate() {
            if gradient.iter().any(|g| *g != 0.0) {
                let name = format!("gradient.{shard}");
                tensors.push(NamedTensor { name, shape: vec![gradient.len()], data: gradient });
            }
        }
        write_atomically(dir, OPTIMIZER, &serialize(&tensors, (STEPS, self.adam.steps.to_string()))?)
    }

    fn restore(&mut self, dir: &Path) -> Result<(), PolicyError> {
        let layout = &self.frozen.spec.layout;
        let weights = folder::read_weights(dir, layout)?;
        let file = TensorFile::read(&dir.join(OPTIMIZER), WHY)?;
        let adam = read_moments(&file, layout)?;
        let gradients = read_gradients(&file, layout.len)?;
        self.frozen.set_weights(weights);
        self.adam = adam;
        self.gradients = gradients;
        Ok(())
    }
}

fn read_moments(file: &TensorFile, layout: &Layout) -> Result<AdamState, PolicyError> {
    let steps = file
        .metadata(STEPS)?
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| file.bad("its metadata has no number of steps; use another checkpoint"))?;
    if steps == 0 {
        return Ok(AdamState::default());
    }
    let mut adam = AdamState { m: vec![0.0; layout.len], v: vec![0.0; layout.len], steps };
    for (kind, values) in [("m", &mut adam.m), ("v", &mut adam.v)] {
        for p in &layout.parameters {
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
