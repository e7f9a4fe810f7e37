//! Low-rank factors on the products of a decoder, and how the engine reads them.

use super::LoraConfig;
use crate::engine::Rows;
use crate::kernels::Buffer;
use crate::layout::{Layout, Linear, Parameter};
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

/// An adapter as a pass reads it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdapterView<'a> {
    pub(crate) layout: &'a AdapterLayout,
    pub(crate) weights: &'a [f32],
    pub(crate) dropout: Option<Dropout>,
}

impl<'a> AdapterView<'a> {
    pub(crate) fn get(&self, range: &Range<usize>) -> &'a [f32] {
        &self.weights[range.clone()]
    }

    /// The pairs on a product.
    pub(crate) fn pairs(&self, linear: &Linear) -> &'a [Pair] {
        &self.layout.products[linear.index]
    }

    /// Whether anything is dropped.
    pub(crate) fn drops(&self) -> bool {
        self.dropout.is_some()
    }

    /// The input of a pair: `x`, or a copy in `buffer` with elements dropped.
    pub(crate) fn dropped<'b>(
        &self,
        pair: &Pair,
        rows: Rows<'_>,
        x: &'b [f32],
        width: usize,
        buffer: &'b mut Buffer,
    ) -> &'b [f32] {
        if !self.drops() {
            return x;
        }
        let copy = buffer.fit(x.len());
        copy.copy_from_slice(x);
        self.drop(pair, rows, copy, width);
        copy
    }

    /// Sets each element to 0 with the probability of the dropout, and scales the others up. What is dropped
    /// depends on the seed, the pair and the token alone, so that forward and backward agree, and so does
    /// any division of a batch into shards.
    pub(crate) fn drop(&self, pair: &Pair, rows: Rows<'_>, x: &mut [f32], width: usize) {
        let Some(Dropout { probability, seed }) = self.dropout else { return };
        let keep = 1.0 / (1.0 - probability);
        let limit = (f64::from(probability) * 65536.0) as u64;
        for (row, key) in x.chunks_exact_mut(width).zip(rows.keys) {
            let state = mix(mix(seed ^ mix(pair.index)) ^ key);
            for (i, four) in row.chunks_mut(4).enumerate() {
                let bits = mix(state.wrapping_add(i as u64));
                for (j, x) in four.iter_mut().enumerate() {
                    *x *= if (bits >> (16 * j)) & 0xffff < limit { 0.0 } else { keep };
                }
            }
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
