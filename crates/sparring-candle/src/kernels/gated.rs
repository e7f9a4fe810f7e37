//! The gated unit of the feed-forward layer (arXiv:2002.05202): `silu(gate)·up`, or with GELU instead of silu.
//!
//! Both functions are g·σ(z(g)): z is g itself for silu, and 2·√(2/π)·(g + 0.044715·g³) for GELU's approximation by
//! a tanh (arXiv:1606.08415, section 2).

use super::math::exp;
use super::{Fma, simd};

/// The function of the gate.
trait Gate {
    /// z(g).
    fn argument(gate: f32) -> f32;

    /// The derivative of g·σ(z(g)) over σ(z(g)), where `value` is the function's.
    fn slope(gate: f32, value: f32) -> f32;
}

struct Silu;

impl Gate for Silu {
    #[inline(always)]
    fn argument(gate: f32) -> f32 {
        gate
    }

    #[inline(always)]
    fn slope(gate: f32, value: f32) -> f32 {
        1.0 + gate - value
    }
}

struct GeluTanh;

/// 2·√(2/π).
const TWICE_ROOT: f32 = 1.595_769;
const CUBE: f32 = 0.044_715;

impl Gate for GeluTanh {
    #[inline(always)]
    fn argument(gate: f32) -> f32 {
        TWICE_ROOT * (gate + CUBE * gate * gate * gate)
    }

    #[inline(always)]
    fn slope(gate: f32, value: f32) -> f32 {
        1.0 + (gate - value) * TWICE_ROOT * (1.0 + 3.0 * CUBE * gate * gate)
    }
}

#[inline(always)]
fn forward<S: Fma, G: Gate>(gate_up: &[f32], width: usize, y: &mut [f32]) {
    for (gate_up, y) in gate_up.chunks_exact(2 * width).zip(y.chunks_exact_mut(width)) {
        let (gate, up) = gate_up.split_at(width);
        for i in 0..width {
            y[i] = gate[i] * up[i] / (1.0 + exp::<S>(-G::argument(gate[i])));
        }
    }
}

#[inline(always)]
fn backward<S: Fma, G: Gate>(
    gate_up: &[f32],
    dy: &[f32],
    width: usize,
    d_gate_up: &mut [f32],
    y: &mut [f32],
) {
    let inputs = gate_up.chunks_exact(2 * width).zip(dy.chunks_exact(width));
    let outputs = d_gate_up.chunks_exact_mut(2 * width).zip(y.chunks_exact_mut(width));
    for ((gate_up, dy), (d_gate_up, y)) in inputs.zip(outputs) {
        let (gate, up) = gate_up.split_at(width);
        let (d_gate, d_up) = d_gate_up.split_at_mut(width);
        for i in 0..width {
            let sigmoid = 1.0 / (1.0 + exp::<S>(-G::argument(gate[i])));
            let value = gate[i] * sigmoid;
            y[i] = value * up[i];
            d_up[i] = dy[i] * value;
            d_gate[i] = dy[i] * up[i] * sigmoid * G::slope(gate[i], value);
        }
    }
}

simd! {
    fn silu_forward(gate_up: &[f32], width: usize, y: &mut [f32]) {
        forward::<S, Silu>(gate_up, width, y);
    }
}

simd! {
    fn gelu_forward(gate_up: &[f32], width: usize, y: &mut [f32]) {
        forward::<S, GeluTanh>(gate_up, width, y);
    }
}

simd! {
    fn silu_backward(gate_up: &[f32], dy: &[f32], width: usize, d_gate_up: &mut [f32], y: &mut [f32]) {
        backward::<S, Silu>(gate_up, dy, width, d_gate_up, y);
    }
}

simd! {
    fn gelu_backward(gate_up: &[f32], dy: &[f32], width: usize, d_gate_up: &mut [f32], y: &mut [f32]) {
        backward::<S, GeluTanh>(gate_up, dy, width, d_gate_up, y);
    }
}

/// `y = f(gate)·up` for each row; f is silu, or GELU if `gelu`.
///
/// # Shapes
/// `gate_up`: rows × 2·width (gate, then up); `y`: rows × width.
pub(crate) fn gated_forward(gelu: bool, gate_up: &[f32], width: usize, y: &mut [f32]) {
    if gelu { gelu_forward(gate_up, width, y) } else { silu_forward(gate_up, width, y) }
}

/// Writes ∂L/∂(gate, up) to `d_gate_up` given ∂L/∂y in `dy`, and y itself, recomputed, to `y`.
///
/// # Shapes
/// `gate_up`, `d_gate_up`: rows × 2·width; `dy`, `y`: rows × width.
pub(crate) fn gated_backward(
    gelu: bool,
    gate_up: &[f32],
    dy: &[f32],
    width: usize,
    d_gate_up: &mut [f32],
    y: &mut [f32],
) {
    if gelu {
        gelu_backward(gate_up, dy, width, d_gate_up, y);
    } else {
        silu_backward(gate_up, dy, width, d_gate_up, y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 7·f(g), in double precision.
    fn reference(gelu: bool, gate: f64) -> f64 {
        let cubic = gate + 0.044_715 * gate.powi(3);
        let share = if gelu {
            0.5 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * cubic).tanh())
        } else {
            1.0 / (1.0 + (-gate).exp())
        };
        7.0 * gate * share
    }

    #[test]
    fn values_and_slopes_are_those_of_the_definition() {
        for gelu in [false, true] {
            for gate in (-120..120).map(|i| i as f32 / 10.0).chain([-1e3, -60.0, 60.0, 1e3]) {
                let (mut y, mut again, mut d) = ([0.0], [0.0], [0.0; 2]);
                gated_forward(gelu, &[gate, 7.0], 1, &mut y);
                gated_backward(gelu, &[gate, 7.0], &[1.0], 1, &mut d, &mut again);
                let at = |x: f64| reference(gelu, x);
                let (x, h) = (f64::from(gate), 1e-5);
                let (slope, scale) = ((at(x + h) - at(x - h)) / (2.0 * h), x.abs().max(1.0));
                assert!((f64::from(y[0]) - at(x)).abs() < 1e-5 * scale, "{gelu} {gate}: {y:?} {}", at(x));
                assert!((y[0] - again[0]).abs() <= 1e-6 * y[0].abs() + 1e-30);
                assert!((f64::from(d[0]) - slope).abs() < 1e-4, "{gelu} {gate}: {d:?} {slope}");
                assert!((f64::from(d[1]) - at(x) / 7.0).abs() < 1e-5 * scale);
            }
        }
    }
}
