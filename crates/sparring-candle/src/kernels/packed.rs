//! Packed weights for decoding.

use super::math::add as add_to;
use super::product::{Write, pack, packed_len, product};
use super::tile::{Mat, MatMut, PANEL, Panels, Start};

/// A weight matrix (outputs × inputs) in panels of 16 outputs, with its bias.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    outputs: usize,
    inputs: usize,
    panels: Vec<f32>,
    /// In whole panels; 0 if there is none.
    bias: Vec<f32>,
    biased: bool,
}

impl Packed {
    /// Packs `w` (outputs × inputs, rows one after the other) and its bias, if any.
    pub(crate) fn new(w: &[f32], inputs: usize, bias: Option<&[f32]>) -> Self {
        let outputs = w.len() / inputs;
        let mut panels = vec![0.0; packed_len(outputs, inputs)];
        pack(Mat::transposed(w, inputs), [outputs, inputs], &mut panels);
        let mut padded = vec![0.0; outputs.next_multiple_of(PANEL)];
        if let Some(bias) = bias {
            padded[..outputs].copy_from_slice(bias);
        }
        Self { outputs, inputs, panels, bias: padded, biased: bias.is_some() }
    }

    /// Number of outputs.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }
}

/// `y (+)= x·wᵀ + bias`: a row's result does not depend on how many rows are computed with it.
///
/// # Shapes
/// `x`: rows × inputs; `y`: rows × outputs.
pub(crate) fn packed_matmul(x: &[f32], w: &Packed, y: &mut [f32], write: Write) {
    let rows = x.len() / w.inputs;
    assert!(x.len() == rows * w.inputs && y.len() == rows * w.outputs, "shapes of a packed product");
    if write == Write::Add && w.biased {
        y.chunks_exact_mut(w.outputs).for_each(|row| add_to(row, &w.bias[..w.outputs]));
    }
    let panels = Panels { data: &w.panels, stride: w.inputs * PANEL };
    let start = if write == Write::Add { Start::Out } else { Start::Row(&w.bias) };
    let shape = [rows, w.outputs, w.inputs];
    product(shape, Mat::rows(x, w.inputs), panels, start, MatMut::rows(y, w.outputs));
}

/// Some elements of one row of `y = x·wᵀ + bias`, those of whole panels of 16: the bits of [`packed_matmul`].
pub(crate) fn packed_panels(x: &[f32], w: &Packed, panels: impl IntoIterator<Item = usize>, y: &mut [f32]) {
    assert!(x.len() == w.inputs && y.len() == w.outputs, "shapes of a packed product");
    let all = Panels { data: &w.panels, stride: w.inputs * PANEL };
    for panel in panels {
        let columns = panel * PANEL..w.outputs.min((panel + 1) * PANEL);
        let shape = [1, columns.len(), w.inputs];
        let (start, y) = (Start::Row(&w.bias[panel * PANEL..]), &mut y[columns]);
        let stride = y.len();
        product(shape, Mat::rows(x, w.inputs), all.from(0, panel), start, MatMut::rows(y, stride));
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
            packed_matmul(&x, &packed, &mut y, Write::Replace);
            for r in 0..rows {
                let mut alone = vec![0.0; outputs];
                packed_matmul(&x[r * inputs..(r + 1) * inputs], &packed, &mut alone, Write::Replace);
                assert_eq!(alone, y[r * outputs..(r + 1) * outputs]);
                let mut odd = vec![f32::NAN; outputs];
                let panels = (0..outputs.div_ceil(PANEL)).filter(|panel| panel % 2 == 1 || *panel == 0);
                packed_panels(&x[r * inputs..(r + 1) * inputs], &packed, panels, &mut odd);
                for (o, odd) in odd.iter().enumerate() {
                    let computed = o / PANEL % 2 == 1 || o / PANEL == 0;
                    assert!(if computed { *odd == alone[o] } else { odd.is_nan() }, "element {o}");
                }
                for o in 0..outputs {
                    let dot: f64 = (0..inputs)
                        .map(|k| f64::from(x[r * inputs + k]) * f64::from(w[o * inputs + k]))
                        .sum();
                    assert!((dot + f64::from(b[o]) - f64::from(alone[o])).abs() < 1e-4);
                }
            }
            for w in [packed, Packed::new(&w, inputs, None)] {
                let (mut sum, mut product) = (y.clone(), vec![0.0; y.len()]);
                packed_matmul(&x, &w, &mut sum, Write::Add);
                packed_matmul(&x, &w, &mut product, Write::Replace);
                let close = |s: f32, y: f32, p: f32| (s - y - p).abs() < 1e-5 * (1.0 + y.abs() + p.abs());
                assert!(sum.iter().zip(&y).zip(&product).all(|((s, y), p)| close(*s, *y, *p)));
            }
        }
    }
}
