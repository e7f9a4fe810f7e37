//! Where the low-rank factors on the products of a decoder lie, and what dropout draws from.

use super::LoraConfig;
use crate::model::{Layout, Parameter};
use sparring_core::{PolicyError, Seed};
use std::ops::Range;

/// The two factors of one matrix: `Δw = scale·b·a`.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// rank × inputs.
    pub(crate) a: Range<usize>,
    /// outputs × rank.
    pub(crate) b: Range<usize>,
    pub(crate) rank: usize,
    /// Outputs of the product that the matrix gives.
    pub(crate) outputs: Range<usize>,
    pub(crate) scale: f32,
    /// Number of the pair, for what it draws.
    pub(crate) index: u64,
}

/// Where each factor lies in the adapter's flat buffer.
#[derive(Debug, Clone)]
pub(crate) struct AdapterLayout {
    pub(crate) parameters: Vec<Parameter>,
    /// Pairs of each product, by the number of the product.
    pub(crate) products: Vec<Vec<Pair>>,
    pub(crate) len: usize,
}

impl AdapterLayout {
    /// Factors for every matrix that the configuration names.
    pub(crate) fn new(config: &LoraConfig, base: &Layout) -> Result<Self, PolicyError> {
        let targets = config.matcher()?;
        let mut layout = Self { parameters: Vec::new(), products: Vec::new(), len: 0 };
        let mut pairs = 0;
        for linear in base.products() {
            let mut product = Vec::new();
            for (module, outputs) in &linear.parts {
                if let Some((rank, scale)) = targets.of(module) {
                    let a = layout.add(module, "A", [rank, linear.inputs]);
                    let b = layout.add(module, "B", [outputs.len(), rank]);
                    product.push(Pair { a, b, rank, outputs: outputs.clone(), scale, index: pairs });
                    pairs += 1;
                }
            }
            layout.products.push(product);
        }
        targets.check_all_used(base)?;
        Ok(layout)
    }

    fn add(&mut self, module: &str, factor: &str, shape: [usize; 2]) -> Range<usize> {
        let at = self.len..self.len + shape[0] * shape[1];
        self.len = at.end;
        let name = format!("base_model.model.{module}.lora_{factor}.weight");
        self.parameters.push(Parameter { name, shape: shape.to_vec(), at: at.clone() });
        at
    }
}

/// What a pass drops from the inputs of the factors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    pub(crate) probability: f32,
    /// Another one for each call of `accumulate`.
    pub(crate) seed: u64,
}

/// Where a policy is in the sequence of what it drops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DropoutState {
    pub(crate) seed: Seed,
    /// Calls of `accumulate` that succeeded.
    pub(crate) calls: u64,
}

impl Default for DropoutState {
    fn default() -> Self {
        Self { seed: Seed::new(0), calls: 0 }
    }
}

impl DropoutState {
    /// What the next pass drops.
    pub(crate) fn next(&self, probability: f64) -> Option<Dropout> {
        let seed = self.seed.index(self.calls).value();
        (probability > 0.0).then_some(Dropout { probability: probability as f32, seed })
    }
}
