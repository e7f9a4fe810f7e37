//! Building blocks: exponential, dot product, sums in a fixed order.

use super::{Fma, simd};

/// Lanes of every reduction.
pub(super) const LANES: usize = 32;

/// Natural exponential: range reduction by ln 2 in two parts, then the degree-5 minimax polynomial of the
/// Cephes library; relative error below 2e-7. Arguments are clamped to [-87, 88].
#[inline(always)]
pub(super) fn exp<S: Fma>(x: f32) -> f32 {
    // Adding and subtracting 1.5·2²³ rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = S::fma(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = S::fma(-n, LN2_LOW, S::fma(-n, LN2_HIGH, x));
    let mut p = 1.987_569_1e-4_f32;
    p = S::fma(p, r, 1.398_2e-3);
    p = S::fma(p, r, 8.333_452e-3);
    p = S::fma(p, r, 4.166_579_6e-2);
    p = S::fma(p, r, 1.666_666_5e-1);
    p = S::fma(p, r, 0.5);
    let y = S::fma(p, r * r, r) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()) << 23;
    f32::from_bits(y.to_bits().wrapping_add(exponent))
}

/// Sum of the lanes, by halves.
#[inline(always)]
pub(super) fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
pub(super) fn dot_body<S: Fma>(x: &[f32], y: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (mut xs, mut ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    for (a, b) in (&mut xs).zip(&mut ys) {
        for i in 0..LANES {
            lanes[i] = S::fma(a[i], b[i], lanes[i]);
        }
    }
    let mut tail = 0.0;
    for (a, b) in xs.remainder().iter().zip(ys.remainder()) {
        tail = S::fma(*a, *b, tail);
    }
    fold(lanes) + tail
}

simd! {
    /// Σ xᵢ·yᵢ of two slices of one length.
    fn dot(x: &[f32], y: &[f32]) -> f32 {
        dot_body::<S>(x, y)
    }
}

simd! {
    /// `y += x`, element by element.
    fn add(y: &mut [f32], x: &[f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }
}

simd! {
    /// `out = k·x`, element by element.
    fn scale_row(x: &[f32], k: f32, out: &mut [f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = x * k;
        }
    }
}

simd! {
    /// `x *= k`, element by element.
    fn scale_in_place(x: &mut [f32], k: f32) {
        for x in x {
            *x *= k;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fused, Separate};
    use super::*;

    #[test]
    fn exp_is_close_everywhere() {
        for i in -86_000..88_000 {
            let x = i as f32 / 1000.0;
            let want = f64::from(x).exp();
            for got in [exp::<Fused>(x), exp::<Separate>(x)] {
                assert!((f64::from(got) / want - 1.0).abs() < 3e-7, "exp({x}) = {got}, want {want}");
            }
        }
        assert_eq!(exp::<Fused>(0.0).to_bits(), 1.0_f32.to_bits());
        assert!(exp::<Fused>(-1e30) < 1e-37);
    }

    #[test]
    fn dot_of_any_length() {
        for n in [0, 1, 31, 32, 33, 100] {
            let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let want: f32 = x.iter().map(|v| v * v).sum();
            assert!((dot(&x, &x) - want).abs() <= 1e-6 * want);
        }
    }
}
