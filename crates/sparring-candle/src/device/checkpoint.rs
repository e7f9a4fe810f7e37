//! Saving and restoring on a device, in the same files as `CandlePolicy`: each restores the other's.

use super::DevicePolicy;
use super::model::{by_reference, flat, tensors, variables};
use super::optimiser::Moments;
use crate::error::candle_error;
use crate::learn::{AdamState, Counts, Trained, read_optimizer, read_trained, write_optimizer};
use candle_core::{DType, Result};
use sparring_core::{Checkpoint, PolicyError};
use std::path::Path;

impl Checkpoint for DevicePolicy {
    fn save(&self, dir: &Path) -> std::result::Result<(), PolicyError> {
        self.save_pretrained(dir)?;
        let parameters = self.model.parameters();
        let state = || -> Result<(AdamState, Vec<f32>)> {
            let moments = &self.moments;
            let adam = if moments.steps == 0 {
                AdamState::default()
            } else {
                let (m, v) = (by_reference(&moments.m), by_reference(&moments.v));
                AdamState { m: flat(parameters, &m)?, v: flat(parameters, &v)?, steps: moments.steps }
            };
            Ok((adam, flat(parameters, &by_reference(&self.gradients))?))
        };
        let (adam, gradient) = state().map_err(candle_error)?;
        let counts = Counts { dropout: self.dropout, changes: self.model.version };
        write_optimizer(dir, parameters, &adam, &[gradient], counts)
    }

    fn restore(&mut self, dir: &Path) -> std::result::Result<(), PolicyError> {
        let model = &self.model;
        let adapter = model.adapter.as_ref();
        let weights = read_trained(dir, &model.spec.layout, adapter.map(|adapter| &**adapter))?;
        let parameters = model.parameters();
        let Trained { adam, gradients, counts } = read_optimizer(dir, parameters, weights.len())?;
        let read = || {
            let place = (&model.device, DType::F32);
            let mut moments = Moments { steps: adam.steps, ..Moments::default() };
            if adam.steps > 0 {
                moments.m = tensors(parameters, &adam.m, place)?;
                moments.v = tensors(parameters, &adam.v, place)?;
            }
            let given = gradients.into_iter().filter(|gradient| !gradient.is_empty());
            let sum = given.reduce(|mut sum, shard| {
                sum.iter_mut().zip(&shard).for_each(|(sum, gradient)| *sum += gradient);
                sum
            });
            let gradients = sum.map(|sum| tensors(parameters, &sum, place)).transpose()?;
            let model = model.with_variables(variables(parameters, &weights, &model.device)?);
            Ok((model, moments, gradients.unwrap_or_default()))
        };
        (self.model, self.moments, self.gradients) = read().map_err(candle_error)?;
        (self.dropout, self.model.version) = (counts.dropout, counts.changes);
        Ok(())
    }
}
