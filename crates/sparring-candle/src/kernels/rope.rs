//! Rotary position embedding (arXiv:2104.09864), in the half-split layout of Hugging Face checkpoints.

use super::simd;

/// Cosines and sines of every position up to a length.
#[derive(Debug, Clone, Default)]
pub(crate) struct RopeTable {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// Angles position·theta^(−2i/head_dim), in single precision as the published models compute them.
    pub(crate) fn new(head_dim: usize, theta: f64, positions: usize) -> Self {
        let half = head_dim / 2;
        let frequencies: Vec<f32> =
            (0..half).map(|i| (1.0 / theta.powf(2.0 * i as f64 / head_dim as f64)) as f32).collect();
        let angle = |p: usize, f: f32| f64::from(p as f32 * f);
        let table = |g: fn(f64) -> f64| {
            (0..positions).flat_map(|p| frequencies.iter().map(move |&f| g(angle(p, f)) as f32)).collect()
        };
        Self { half, cos: table(f64::cos), sin: table(f64::sin) }
    }

    /// Cosines and sines of one position: head_dim/2 each.
    pub(crate) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let range = position * self.half..(position + 1) * self.half;
        (&self.cos[range.clone()], &self.sin[range])
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
        let table = RopeTable::new(8, 1e4, 20);
        let x: Vec<f32> = (0..16).map(|i| (i as f32 * 0.7).sin()).collect();
        let mut y = x.clone();
        rope(&mut y, table.at(13), false);
        assert!(x.iter().zip(&y).any(|(a, b)| (a - b).abs() > 0.1));
        rope(&mut y, table.at(13), true);
        assert!(x.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn position_zero_changes_nothing_and_angles_are_right() {
        let table = RopeTable::new(4, 100.0, 3);
        let mut x = vec![1.0, 0.0, 0.0, 1.0];
        rope(&mut x, table.at(0), false);
        assert_eq!(x, [1.0, 0.0, 0.0, 1.0]);
        // Frequencies 1 and 100^(-1/2) = 0.1; position 2 rotates the pairs (x0, x2) and (x1, x3).
        rope(&mut x, table.at(2), false);
        let want = [2.0_f32.cos(), -(0.2_f32.sin()), 2.0_f32.sin(), 0.2_f32.cos()];
        assert!(x.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{x:?}");
    }
}
