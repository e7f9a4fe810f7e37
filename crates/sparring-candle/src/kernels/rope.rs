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

    /// Cosines and sines of one position: head_dim/2 each.
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

/// Rotates `heads` heads that lie one after the other in `x`, in place; backwards for gradients.
pub(crate) fn rope(x: &mut [f32], (cos, sin): (&[f32], &[f32]), backwards: bool) {
    rotate(x, cos, sin, if backwards { -1.0 } else { 1.0 });
}

simd! {
    /// `(a, b) → (a·cos − b·d·sin, b·cos + a·d·sin)` for each head of `x`; d is the direction, ±1.
    fn rotate(x: &mut [f32], cos: &[f32], sin: &[f32], direction: f32) {
        let half = cos.len();
        let sin = &sin[..half];
        for head in x.chunks_exact_mut(2 * half) {
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
        rope(&mut y, table.at(13), false);
        assert!(x.iter().zip(&y).any(|(a, b)| (a - b).abs() > 0.1));
        rope(&mut y, table.at(13), true);
        assert!(x.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn position_zero_changes_nothing_and_angles_are_right() {
        let table = RopeTable::new(vec![1.0, 0.1], 1.0, 3);
        let mut x = vec![1.0, 0.0, 0.0, 1.0];
        rope(&mut x, table.at(0), false);
        assert_eq!(x, [1.0, 0.0, 0.0, 1.0]);
        // Position 2 rotates the pairs (x0, x2) and (x1, x3).
        rope(&mut x, table.at(2), false);
        let want = [2.0_f32.cos(), -(0.2_f32.sin()), 2.0_f32.sin(), 0.2_f32.cos()];
        assert!(x.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{x:?}");
    }
}
