//! The layout of low-rank factors in an adapter's buffer, and the random choices of dropout.

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
    /// The matrix's outputs within its product.
    pub(crate) outputs: Range<usize>,
    pub(crate) scale: f32,
    /// Number of the pair, for its random choices.
    pub(crate) index: u64,
}

/// The position of each factor in the adapter's flat buffer.
#[derive(Debug, Clone)]
pub(crate) struct AdapterLayout {
    pub(crate) parameters: Vec<Parameter>,
    /// Pairs of each product, by the number of the product.
    pub(crate) products: Vec<Vec<Pair>>,
    pub(crate) len: usize,
}

impl AdapterLayout {
    /// Factors for every matrix that the configuration names. Each name must match a matrix if it is `strict`, and else
    /// one of them.
    pub(crate) fn new(config: &LoraConfig, base: &Layout, strict: bool) -> Result<Self, PolicyError> {
        let targets = config.matcher()?;
        let mut layout = Self { parameters: Vec::new(), products: Vec::new(), len: 0 };
        let mut pairs = 0;
        for linear in base.products() {
            let mut product = Vec::new();
            for (module, outputs) in &linear.parts {
                if let Some((rank, scale)) = targets.of(module) {
                    let a = layout.add(module, "A", [rank, linear.inputs])?;
                    let b = layout.add(module, "B", [outputs.len(), rank])?;
                    product.push(Pair { a, b, rank, outputs: outputs.clone(), scale, index: pairs });
                    pairs += 1;
                }
            }
            layout.products.push(product);
        }
        if strict {
            targets.check_all_used(base)?;
        } else {
            targets.check_some_used(base)?;
        }
        Ok(layout)
    }

    fn add(&mut self, module: &str, factor: &str, shape: [usize; 2]) -> Result<Range<usize>, PolicyError> {
        let end = shape[0].checked_mul(shape[1]).and_then(|size| self.len.checked_add(size));
        let end = end.ok_or_else(|| {
            PolicyError::invalid(
                "lora.r: factors of this rank are more than memory can hold; choose a smaller one",
            )
        })?;
        let at = self.len..end;
        self.len = end;
        let name = format!("base_model.model.{module}.lora_{factor}.weight");
        self.parameters.push(Parameter { name, shape: shape.to_vec(), at: at.clone() });
        Ok(at)
    }
}

/// The dropout of a pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    pub(crate) probability: f32,
    /// Differs for each call of `accumulate`.
    pub(crate) seed: u64,
}

/// The position of a policy in its sequence of dropout masks.
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
    /// The dropout of the next pass.
    pub(crate) fn next(&self, probability: f64) -> Option<Dropout> {
        let seed = self.seed.index(self.calls).value();
        (probability > 0.0).then_some(Dropout { probability: probability as f32, seed })
    }
}
