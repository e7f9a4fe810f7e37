//! Products with weights that were packed once, for decoding.
//!
//! Every output element is one chain of multiply-adds over k in ascending order, started at the bias (or
//! 0, or what the product is added to): a row's result does not depend on how many rows are computed with it.

use super::math::add as add_to;
use super::tile::{PANEL, Start, Strided, panel};

/// Inputs worked on at once: a panel's share of them and a few rows of x stay in the first cache.
const INPUTS: usize = 256;
/// Numbers of x worked on at once: they stay in the second cache while the panels pass by.
const BLOCK: usize = 1 << 16;

/// A weight matrix [n, k] in panels of 16 outputs: `panels[p][k][16]`, padded with zeros.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    outputs: usize,
    inputs: usize,
    panels: Vec<f32>,
    bias: Vec<f32>,
    biased: bool,
}

impl Packed {
    /// Packs `w` (outputs × inputs, rows one after the other) and its bias, if any.
    pub(crate) fn new(w: &[f32], inputs: usize, bias: Option<&[f32]>) -> Self {
        let outputs = w.len() / inputs;
        let count = outputs.div_ceil(PANEL);
        let mut panels = vec![0.0; count * inputs * PANEL];
        for (panel, rows) in panels.chunks_exact_mut(inputs * PANEL).zip(w.chunks(inputs * PANEL)) {
            for (j, row) in rows.chunks_exact(inputs).enumerate() {
                for (k, &v) in row.iter().enumerate() {
                    panel[k * PANEL + j] = v;
                }
            }
        }
        let mut padded = vec![0.0; count * PANEL];
        if let Some(bias) = bias {
            padded[..outputs].copy_from_slice(bias);
        }
        Self { outputs, inputs, panels, bias: padded, biased: bias.is_some() }
    }

    /// The bias of panel `p`.
    fn bias(&self, p: usize) -> &[f32] {
        &self.bias[p * PANEL..(p + 1) * PANEL]
    }

    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }
}

/// `y (+)= x·wᵀ + bias`.
///
/// # Shapes
/// `x`: rows × inputs; `y`: rows × outputs.
pub(crate) fn packed_matmul(x: &[f32], w: &Packed, y: &mut [f32], add: bool) {
    let rows = x.len() / w.inputs;
    assert!(x.len() == rows * w.inputs && y.len() == rows * w.outputs, "shapes of a packed product");
    if add && w.biased {
        y.chunks_exact_mut(w.outputs).for_each(|row| add_to(row, &w.bias[..w.outputs]));
    }
    // A multiple of the rows of a tile of either instruction set.
    let block = (BLOCK / w.inputs / 12).max(2) * 12;
    for (x, y) in x.chunks(block * w.inputs).zip(y.chunks_mut(block * w.outputs)) {
        for p in 0..w.outputs / PANEL {
            product(
                x,
                w,
                p,
                if add { Start::Out } else { Start::Row(w.bias(p)) },
                (&mut y[p * PANEL..], w.outputs),
            );
        }
        last_panel(x, w, y, add);
    }
}

/// Outputs that do not fill a panel are computed beside the result.
fn last_panel(x: &[f32], w: &Packed, y: &mut [f32], add: bool) {
    let (p, width) = (w.outputs / PANEL, w.outputs % PANEL);
    if width == 0 {
        return;
    }
    let mut out = vec![0.0; x.len() / w.inputs * PANEL];
    let rows = y.chunks_exact_mut(w.outputs).zip(out.chunks_exact_mut(PANEL));
    rows.for_each(|(y, out)| out[..width].copy_from_slice(&y[p * PANEL..]));
    product(x, w, p, if add { Start::Out } else { Start::Row(w.bias(p)) }, (&mut out, PANEL));
    let rows = y.chunks_exact_mut(w.outputs).zip(out.chunks_exact(PANEL));
    rows.for_each(|(y, out)| y[p * PANEL..].copy_from_slice(&out[..width]));
}

/// Rows of `x` against panel `p`.
fn product(x: &[f32], w: &Packed, p: usize, start: Start<'_>, (out, stride): (&mut [f32], usize)) {
    let rows = x.len() / w.inputs;
    let weights = &w.panels[p * w.inputs * PANEL..(p + 1) * w.inputs * PANEL];
    for (i, weights) in weights.chunks(INPUTS * PANEL).enumerate() {
        let start = if i == 0 { start } else { Start::Out };
        let x = Strided { data: &x[i * INPUTS..], stride: w.inputs };
        let w = Strided { data: weights, stride: PANEL };
        panel([rows, weights.len() / PANEL], x, w, start, (out, stride));
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::super::numbers;
    use super::*;

    #[test]
    fn a_row_is_the_same_in_any_batch_and_right() {
        for (rows, outputs, inputs) in [(1, 16, 8), (13, 37, 20), (7, 5, 33), (260, 18, 270)] {
            let (x, w, b) =
                (numbers(rows * inputs, 0.1), numbers(outputs * inputs, 0.7), numbers(outputs, 2.0));
            let packed = Packed::new(&w, inputs, Some(&b));
            let mut y = vec![1.0; rows * outputs];
            packed_matmul(&x, &packed, &mut y, false);
            for r in 0..rows {
                let mut alone = vec![0.0; outputs];
                packed_matmul(&x[r * inputs..(r + 1) * inputs], &packed, &mut alone, false);
                assert_eq!(alone, y[r * outputs..(r + 1) * outputs]);
                for o in 0..outputs {
                    let dot: f64 = (0..inputs)
                        .map(|k| f64::from(x[r * inputs + k]) * f64::from(w[o * inputs + k]))
                        .sum();
                    assert!((dot + f64::from(b[o]) - f64::from(alone[o])).abs() < 1e-4);
                }
            }
            for w in [packed, Packed::new(&w, inputs, None)] {
                let (mut sum, mut product) = (y.clone(), vec![0.0; y.len()]);
                packed_matmul(&x, &w, &mut sum, true);
                packed_matmul(&x, &w, &mut product, false);
                let close = |s: f32, y: f32, p: f32| (s - y - p).abs() < 1e-5 * (1.0 + y.abs() + p.abs());
                assert!(sum.iter().zip(&y).zip(&product).all(|((s, y), p)| close(*s, *y, *p)));
            }
        }
    }
}
