//! Numeric kernels in f32.
//!
//! Each kernel has one portable body, compiled for several instruction sets; the matrix product also has one of
//! intrinsics. The best one is chosen at run time, so that a plain `cargo build` is fast. All `unsafe` of the crate
//! is here: calls of functions compiled for an instruction set that was detected, and pointer arithmetic whose bounds
//! are asserted first.
//!
//! Sums run in a fixed order over a fixed number of lanes: the same bits with AVX2 and with AVX-512.
#![allow(unsafe_code)]
#![allow(
    clippy::inline_always,
    reason = "bodies must be inlined into the functions that enable instruction sets"
)]

mod adamw;
mod attend;
mod buffer;
mod gated;
mod math;
mod norm;
mod packed;
mod product;
mod rope;
mod softmax;
mod tile;

pub(crate) use adamw::{AdamStep, adamw, sum_of_squares};
pub(crate) use attend::{PAGE, attend_page, score_page, write_position};
pub(crate) use buffer::Buffer;
pub(crate) use gated::{gated_backward, gated_forward};
pub(crate) use math::{add, dot, scale_in_place, scale_row};
pub(crate) use norm::{rms_backward, rms_forward};
pub(crate) use packed::{Packed, packed_matmul, packed_panels};
pub(crate) use product::{INNER, Packing, Write, matmul, pack, packed_len, product};
pub(crate) use rope::{RopeTable, RopeTables, rope};
pub(crate) use softmax::{
    HeadGradient, SoftmaxSums, block_sums, exp_in_place, head_gradient, row_max, softmax_row_backward,
};
pub(crate) use tile::{Mat, MatMut, PANEL, Panels, Start};

use std::sync::OnceLock;

/// The instruction sets of the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// The baseline of the target.
    Baseline,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 (F, BW, DQ, VL) and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The best instruction set of this machine.
pub(crate) fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        _ => Level::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Baseline
}

/// Multiply-add operations.
pub(crate) trait Fma {
    /// `a·b + c`.
    fn fma(a: f32, b: f32, c: f32) -> f32;
}

/// Fused, with one rounding, for instruction sets that have the operation.
#[derive(Debug)]
pub(crate) struct Fused;

impl Fma for Fused {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// Not fused, with two roundings, where a fused operation would be a library call.
#[derive(Debug)]
pub(crate) struct Separate;

impl Fma for Separate {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// The operation of this target's baseline.
#[cfg(target_arch = "aarch64")]
pub(crate) type BaselineFma = Fused;
/// The operation of this target's baseline.
#[cfg(not(target_arch = "aarch64"))]
pub(crate) type BaselineFma = Separate;

/// Defines a function whose body (generic over `S: Fma`) is compiled for every [`Level`].
macro_rules! simd {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        pub(crate) fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<S: $crate::kernels::Fma>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512($($arg: $ty),*) $(-> $ret)? {
                body::<$crate::kernels::Fused>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                body::<$crate::kernels::Fused>($($arg),*)
            }

            match $crate::kernels::level() {
                // SAFETY: `level` found every instruction set that the function is compiled for.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::Level::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::kernels::Level::Avx2 => unsafe { avx2($($arg),*) },
                $crate::kernels::Level::Baseline => body::<$crate::kernels::BaselineFma>($($arg),*),
            }
        }
    };
}
pub(crate) use simd;

/// Test data for kernels.
#[cfg(test)]
fn numbers(n: usize, seed: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.37 + seed).sin()).collect()
}
