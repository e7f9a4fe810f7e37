//! Products with weights that were packed once, for decoding.
//!
//! Every output element is one chain of multiply-adds over k in ascending order, started at the bias (or
//! 0): a row's result does not depend on how many rows are computed with it.

use super::{Fma, Level, level};

/// Outputs per panel: one AVX-512 register or two AVX2 registers.
const PANEL: usize = 16;
/// Most rows per tile.
const MAX_ROWS: usize = 12;

/// A weight matrix [n, k] in panels of 16 outputs: `panels[p][k][16]`, padded with zeros.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    outputs: usize,
    inputs: usize,
    panels: Vec<f32>,
    bias: Vec<f32>,
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
        Self { outputs, inputs, panels, bias: padded }
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
    let most = match level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => MAX_ROWS,
        _ => MAX_ROWS / 2,
    };
    let tiles = rows.div_ceil(most).max(1);
    let mut out = [0.0_f32; MAX_ROWS * PANEL];
    for (p, panel) in w.panels.chunks_exact(w.inputs * PANEL).enumerate() {
        let bias = &w.bias[p * PANEL..(p + 1) * PANEL];
        let width = PANEL.min(w.outputs - p * PANEL);
        for t in 0..tiles {
            // Tiles as even as possible: 8 rows are 4 + 4, not 6 + 2.
            let (from, to) = (t * rows / tiles, (t + 1) * rows / tiles);
            tile(&x[from * w.inputs..to * w.inputs], w.inputs, panel, bias, &mut out);
            for (r, sums) in (from..to).zip(out.chunks_exact(PANEL)) {
                let at = r * w.outputs + p * PANEL;
                let y = &mut y[at..at + width];
                if add {
                    y.iter_mut().zip(sums).for_each(|(y, s)| *y += s);
                } else {
                    y.copy_from_slice(&sums[..width]);
                }
            }
        }
    }
}

/// One tile: up to [`MAX_ROWS`] rows of `x` against one panel, into rows of 16 of `out`.
fn tile(x: &[f32], k: usize, panel: &[f32], bias: &[f32], out: &mut [f32; MAX_ROWS * PANEL]) {
    let rows = x.len() / k;
    assert!(rows <= MAX_ROWS && panel.len() == k * PANEL && bias.len() == PANEL, "shape of a tile");
    match level() {
        // SAFETY: `level` found the instruction sets; the lengths that the tiles read and write were
        // asserted above (x: rows·k, panel: k·16, bias: 16, out: 12·16 with rows ≤ 12).
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { x86::avx512(rows, x, k, panel, bias, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { x86::avx2(rows, x, k, panel, bias, out) },
        Level::Baseline => portable::<super::BaselineFma>(x, k, panel, bias, out),
    }
}

fn portable<S: Fma>(x: &[f32], k: usize, panel: &[f32], bias: &[f32], out: &mut [f32]) {
    for (row, out) in x.chunks_exact(k).zip(out.chunks_exact_mut(PANEL)) {
        let mut sums = [0.0_f32; PANEL];
        sums.copy_from_slice(bias);
        for (&x, w) in row.iter().zip(panel.chunks_exact(PANEL)) {
            for j in 0..PANEL {
                sums[j] = S::fma(x, w[j], sums[j]);
            }
        }
        out.copy_from_slice(&sums);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{MAX_ROWS, PANEL};
    use std::arch::x86_64::{
        _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps,
    };

    type Out = [f32; MAX_ROWS * PANEL];

    /// # Safety
    /// AVX2 and FMA; `x`: R rows of `k`; `panel`: k × 16; `bias`: 16; `out`: at least R × 16.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2_rows<const R: usize>(x: &[f32], k: usize, panel: &[f32], bias: &[f32], out: &mut Out) {
        // SAFETY: offsets stay below the lengths that the caller vouches for.
        unsafe {
            let (x, panel, bias) = (x.as_ptr(), panel.as_ptr(), bias.as_ptr());
            let mut sums = [[_mm256_loadu_ps(bias), _mm256_loadu_ps(bias.add(8))]; R];
            for i in 0..k {
                let low = _mm256_loadu_ps(panel.add(i * PANEL));
                let high = _mm256_loadu_ps(panel.add(i * PANEL + 8));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let v = _mm256_broadcast_ss(&*x.add(r * k + i));
                    sums[0] = _mm256_fmadd_ps(v, low, sums[0]);
                    sums[1] = _mm256_fmadd_ps(v, high, sums[1]);
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                _mm256_storeu_ps(out.as_mut_ptr().add(r * PANEL), sums[0]);
                _mm256_storeu_ps(out.as_mut_ptr().add(r * PANEL + 8), sums[1]);
            }
        }
    }

    /// # Safety
    /// As [`avx2_rows`], with AVX-512.
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512_rows<const R: usize>(x: &[f32], k: usize, panel: &[f32], bias: &[f32], out: &mut Out) {
        // SAFETY: offsets stay below the lengths that the caller vouches for.
        unsafe {
            let (x, panel) = (x.as_ptr(), panel.as_ptr());
            let mut sums = [_mm512_loadu_ps(bias.as_ptr()); R];
            for i in 0..k {
                let w = _mm512_loadu_ps(panel.add(i * PANEL));
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_fmadd_ps(_mm512_set1_ps(*x.add(r * k + i)), w, *sum);
                }
            }
            for (r, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(out.as_mut_ptr().add(r * PANEL), *sum);
            }
        }
    }

    macro_rules! by_rows {
        ($(#[$doc:meta])* $name:ident, $feature:literal, $tile:ident, $($r:literal)*) => {
            $(#[$doc])*
            #[target_feature(enable = $feature)]
            pub(super) unsafe fn $name(
                rows: usize, x: &[f32], k: usize, panel: &[f32], bias: &[f32], out: &mut Out,
            ) {
                // SAFETY: the caller vouches for the lengths, `rows` of them.
                unsafe {
                    match rows {
                        $($r => $tile::<$r>(x, k, panel, bias, out),)*
                        _ => {}
                    }
                }
            }
        };
    }
    by_rows! {
        /// # Safety
        /// AVX2 and FMA; `x`: rows of `k`; `panel`: k × 16; `bias`: 16; rows ≤ 6.
        avx2, "avx2,fma", avx2_rows, 1 2 3 4 5 6
    }
    by_rows! {
        /// # Safety
        /// AVX-512; `x`: rows of `k`; `panel`: k × 16; `bias`: 16; rows ≤ 12.
        avx512, "avx512f", avx512_rows, 1 2 3 4 5 6 7 8 9 10 11 12
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 0.37 + seed).sin()).collect()
    }

    #[test]
    fn a_row_is_the_same_in_any_batch_and_right() {
        for (rows, outputs, inputs) in [(1, 16, 8), (13, 37, 20), (7, 5, 33)] {
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
                    assert!((dot + f64::from(b[o]) - f64::from(alone[o])).abs() < 1e-5);
                }
            }
            let mut portable_sums = [0.0; MAX_ROWS * PANEL];
            let mut sums = portable_sums;
            let (few, panel) = (&x[..rows.min(6) * inputs], &packed.panels[..inputs * PANEL]);
            portable::<super::super::Fused>(few, inputs, panel, &packed.bias[..PANEL], &mut portable_sums);
            tile(few, inputs, panel, &packed.bias[..PANEL], &mut sums);
            assert!(level() == Level::Baseline || sums == portable_sums);
            let once = y.clone();
            packed_matmul(&x, &packed, &mut y, true);
            assert!(y.iter().zip(&once).all(|(y, o)| *y == o + o));
        }
    }
}
