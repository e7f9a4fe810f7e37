//! Low-rank factors for a pass.

use super::plan::Rows;
use crate::kernels::Buffer;
use crate::lora::{AdapterLayout, Dropout, Pair};
use crate::model::{Linear, mix};
use std::ops::Range;

/// An adapter for a pass.
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

    /// Whether there is dropout.
    pub(crate) fn drops(&self) -> bool {
        self.dropout.is_some()
    }

    /// The input of a pair: `x`, or a copy in `buffer` after dropout.
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

    /// Sets each element to 0 with the probability of the dropout, and scales the others up. The mask depends on the
    /// seed, the pair and the token alone, so forward and backward agree, and so does any division of a batch into
    /// shards.
    pub(crate) fn drop(&self, pair: &Pair, rows: Rows<'_>, x: &mut [f32], width: usize) {
        let Some(Dropout { probability, seed }) = self.dropout else { return };
        let keep = 1.0 / (1.0 - probability);
        let limit = (f64::from(probability) * 65536.0) as u64;
        for (row, key) in x.chunks_exact_mut(width).zip(rows.keys) {
            let state = drawn(drawn(seed ^ drawn(pair.index)) ^ key);
            for (i, four) in row.chunks_mut(4).enumerate() {
                let bits = drawn(state.wrapping_add(i as u64));
                for (j, x) in four.iter_mut().enumerate() {
                    *x *= if (bits >> (16 * j)) & 0xffff < limit { 0.0 } else { keep };
                }
            }
        }
    }
}

/// One number of SplitMix64 (Steele, Lea and Flood, 2014), whose state was `state`.
fn drawn(state: u64) -> u64 {
    mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15))
}
