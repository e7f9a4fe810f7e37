//! The gated unit of the feed-forward layer: `silu(gate)·up` (arXiv:2002.05202).

use super::math::exp;
use super::simd;

simd! {
    /// `y = silu(gate)·up` for each row.
    ///
    /// # Shapes
    /// `gate_up`: rows × 2·width (gate, then up); `y`: rows × width.
    fn swiglu_forward(gate_up: &[f32], width: usize, y: &mut [f32]) {
        for (gate_up, y) in gate_up.chunks_exact(2 * width).zip(y.chunks_exact_mut(width)) {
            let (gate, up) = gate_up.split_at(width);
            for i in 0..width {
                y[i] = gate[i] * up[i] / (1.0 + exp::<S>(-gate[i]));
            }
        }
    }
}

simd! {
    /// Writes ∂L/∂(gate, up) to `d_gate_up` given ∂L/∂y in `dy`, and y itself, recomputed, to `y`.
    ///
    /// # Shapes
    /// `gate_up`, `d_gate_up`: rows × 2·width; `dy`, `y`: rows × width.
    fn swiglu_backward(gate_up: &[f32], dy: &[f32], width: usize, d_gate_up: &mut [f32], y: &mut [f32]) {
        let inputs = gate_up.chunks_exact(2 * width).zip(dy.chunks_exact(width));
        let outputs = d_gate_up.chunks_exact_mut(2 * width).zip(y.chunks_exact_mut(width));
        for ((gate_up, dy), (d_gate_up, y)) in inputs.zip(outputs) {
            let (gate, up) = gate_up.split_at(width);
            let (d_gate, d_up) = d_gate_up.split_at_mut(width);
            for i in 0..width {
                let sigmoid = 1.0 / (1.0 + exp::<S>(-gate[i]));
                let silu = gate[i] * sigmoid;
                y[i] = silu * up[i];
                d_up[i] = dy[i] * silu;
                d_gate[i] = dy[i] * up[i] * sigmoid * (1.0 + gate[i] - silu);
            }
        }
    }
}
