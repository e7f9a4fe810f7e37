//! Rotary position embedding (arXiv:2104.09864), in the half-split layout of Hugging Face checkpoints.

use super::simd;
use std::sync::OnceLock;

/// Positions per piece of the table.
const PIECE: usize = 512;

/// Cosines and sines of positions, computed piece by piece at first use, since few runs reach a model's full length.
#[derive(Debug)]
pub(crate) struct RopeTable {
    frequencies: Vec<f32>,
    /// Factor of cosines and sines.
    factor: f64,
    pieces: Vec<OnceLock<Vec<f32>>>,
}

impl RopeTable {
    /// Angles position·frequency, in single precision as the published models compute them.
    pub(crate) fn new(frequencies: Vec<f32>, factor: f64, positions: usize) -> Self {
        let pieces = (0..positions.div_ceil(PIECE)).map(|_| OnceLock::new()).collect();
        Self { frequencies, factor, pieces }
    }

    /// Cosines and sines of one position: half as many each as numbers of a head turn.
    pub(crate) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let half = self.frequencies.len();
        let piece = self.pieces[position / PIECE].get_or_init(|| self.piece(position / PIECE * PIECE));
        piece[position % PIECE * 2 * half..][..2 * half].split_at(half)
    }

    fn piece(&self, from: usize) -> Vec<f32> {
        let mut piece = Vec::with_capacity(PIECE * 2 * self.frequencies.len());
        for position in from..from + PIECE {
            for function in [f64::cos, f64::sin] {
                let angle = |f: &f32| f64::from(position as f32 * f);
                piece.extend(self.frequencies.iter().map(|f| (function(angle(f)) * self.factor) as f32));
            }
        }
        piece
    }
}

/// The tables of a model, and which of them each layer has.
#[derive(Debug)]
pub(crate) struct RopeTables {
    tables: Vec<RopeTable>,
    /// By layer; `None` if it does not turn.
    of: Vec<Option<usize>>,
}

impl RopeTables {
    pub(crate) fn new(tables: Vec<RopeTable>, of: Vec<Option<usize>>) -> Self {
        Self { tables, of }
    }

    /// The table of a layer, if it turns.
    pub(crate) fn of(&self, layer: usize) -> Option<&RopeTable> {
        self.of[layer].map(|table| &self.tables[table])
    }
}

/// Rotates heads of `dim` numbers that lie one after the other in `x`, in place; backwards for gradients. Numbers for
/// which there is no angle, at the end of a head, stay.
pub(crate) fn rope(x: &mut [f32], dim: usize, (cos, sin): (&[f32], &[f32]), backwards: bool) {
    rotate(x, dim, cos, sin, if backwards { -1.0 } else { 1.0 });
}

simd! {
    /// `(a, b) → (a·cos − b·d·sin, b·cos + a·d·sin)` for each head of `x`; d is the direction, ±1.
    fn rotate(x: &mut [f32], dim: usize, cos: &[f32], sin: &[f32], direction: f32) {
        let half = cos.len();
        let sin = &sin[..half];
        for head in x.chunks_exact_mut(dim) {
            let (a, b) = head.split_at_mut(half);
            let b = &mut b[..half];
            for i in 0..half {
                let (u, v, s) = (a[i], b[i], sin[i] * direction);
                a[i] = S::fma(u, cos[i], -v * s);
                b[i] = S::fma(v, cos[i], u * s);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotation_is_undone_and_keeps_length() {
        let table = RopeTable::new(vec![1.0, 0.1, 0.01, 0.001], 1.0, 20);
        let x: Vec<f32> = (0..16).map(|i| (i as f32 * 0.7).sin()).collect();
        let mut y = x.clone();
        rope(&mut y, 8, table.at(13), false);
        assert!(x.iter().zip(&y).any(|(a, b)| (a - b).abs() > 0.1));
        rope(&mut y, 8, table.at(13), true);
        assert!(x.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn position_zero_changes_nothing_and_angles_are_right() {
        let table = RopeTable::new(vec![1.0, 0.1], 1.0, 3);
        let mut x = vec![1.0, 0.0, 0.0, 1.0];
        rope(&mut x, 4, table.at(0), false);
        assert_eq!(x, [1.0, 0.0, 0.0, 1.0]);
        // Position 2 rotates the pairs (x0, x2) and (x1, x3).
        rope(&mut x, 4, table.at(2), false);
        let want = [2.0_f32.cos(), -(0.2_f32.sin()), 2.0_f32.sin(), 0.2_f32.cos()];
        assert!(x.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{x:?}");
    }

    #[test]
    fn the_end_of_a_head_may_stay() {
        let table = RopeTable::new(vec![1.0], 1.0, 3);
        let mut x = vec![1.0, 0.0, 7.0, 8.0, 0.0, 1.0, 9.0, 10.0];
        rope(&mut x, 4, table.at(2), false);
        let (cos, sin) = (2.0_f32.cos(), 2.0_f32.sin());
        let want = [cos, sin, 7.0, 8.0, -sin, cos, 9.0, 10.0];
        assert!(x.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{x:?}");
    }
}
