//! Saving and restoring a policy on the CPU.

use super::CandlePolicy;
use crate::learn::{Counts, read_optimizer, read_trained, write_optimizer};
use sparring_core::{Checkpoint, PolicyError};
use std::path::Path;

impl Checkpoint for CandlePolicy {
    fn save(&self, dir: &Path) -> Result<(), PolicyError> {
        self.check_unmerged("saving")?;
        self.save_pretrained(dir)?;
        let parameters = self.frozen.trained().0;
        let counts = Counts { dropout: self.dropout, changes: self.frozen.changes };
        write_optimizer(dir, parameters, &self.adam, &self.gradients, counts)
    }

    fn restore(&mut self, dir: &Path) -> Result<(), PolicyError> {
        self.check_unmerged("restoring")?;
        let adapter = self.frozen.adapter.as_ref().map(|adapter| &*adapter.spec);
        let weights = read_trained(dir, &self.frozen.spec.layout, adapter)?;
        let state = read_optimizer(dir, self.frozen.trained().0, weights.len())?;
        *self.frozen.trained_mut() = weights;
        (self.adam, self.gradients) = (state.adam, state.gradients);
        (self.dropout, self.frozen.changes) = (state.counts.dropout, state.counts.changes);
        Ok(())
    }
}
