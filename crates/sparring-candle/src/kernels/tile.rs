//! The product that decoding is made of: rows against a panel of 16 columns.
//!
//! Every element of the result is one chain of multiply-adds over k in ascending order: its bits do not
//! depend on how many rows are computed with it, on where k is cut, or on the instruction set (where it has
//! fused multiply-adds).

use super::{Fma, Level, level};

/// Columns of a panel: one AVX-512 register or two AVX2 registers.
pub(crate) const PANEL: usize = 16;

/// Rows that lie `stride` apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strided<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

/// What a product is added to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Nothing.
    Zero,
    /// The same 16 numbers in every row.
    Row(&'a [f32]),
    /// What the result holds.
    Out,
}

/// `out[r][j] = start[r][j] + Σ_{i < k} x[r][i]·w[i][j]` for j < 16.
///
/// # Shapes
/// `x`: rows × k; `w`: k × 16; `out`: rows × 16, its rows `stride` apart.
pub(crate) fn panel(
    [rows, k]: [usize; 2],
    x: Strided<'_>,
    w: Strided<'_>,
    start: Start<'_>,
    (out, stride): (&mut [f32], usize),
) {
    if rows == 0 {
        return;
    }
    let reach = |rows: usize, stride: usize, width: usize| rows.saturating_sub(1) * stride + width;
    assert!(x.data.len() >= reach(rows, x.stride, k), "left factor is too small");
    assert!(k == 0 || w.data.len() >= reach(k, w.stride, PANEL), "right factor is too small");
    assert!(rows == 1 || stride >= PANEL, "rows of the result overlap");
    assert!(out.len() >= reach(rows, stride, PANEL), "result is too small");
    assert!(!matches!(start, Start::Row(row) if row.len() < PANEL), "start is too small");
    match level() {
        // SAFETY: `level` found the instruction sets, and every length was asserted above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { x86::avx512(rows, x86::Tile::new(k, x, w, start, (out, stride))) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { x86::avx2(rows, x86::Tile::new(k, x, w, start, (out, stride))) },
        Level::Baseline => portable::<super::BaselineFma>([rows, k], x, w, start, (out, stride)),
    }
}

fn portable<S: Fma>(
    [rows, k]: [usize; 2],
    x: Strided<'_>,
    w: Strided<'_>,
    start: Start<'_>,
    (out, stride): (&mut [f32], usize),
) {
    for r in 0..rows {
        let out = &mut out[r * stride..][..PANEL];
        let mut sums = [0.0_f32; PANEL];
        match start {
            Start::Zero => {}
            Start::Row(row) => sums.copy_from_slice(&row[..PANEL]),
            Start::Out => sums.copy_from_slice(out),
        }
        for (i, &x) in x.data[r * x.stride..][..k].iter().enumerate() {
            let w = &w.data[i * w.stride..][..PANEL];
            for j in 0..PANEL {
                sums[j] = S::fma(x, w[j], sums[j]);
            }
        }
        out.copy_from_slice(&sums);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{PANEL, Start, Strided};
    use std::arch::x86_64::{
        _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps,
    };

    static ZEROS: [f32; PANEL] = [0.0; PANEL];

    /// A product as pointers and strides.
    #[derive(Clone, Copy)]
    pub(super) struct Tile {
        k: usize,
        x: (*const f32, usize),
        w: (*const f32, usize),
        start: (*const f32, usize),
        out: (*mut f32, usize),
    }

    impl Tile {
        pub(super) fn new(
            k: usize,
            x: Strided<'_>,
            w: Strided<'_>,
            start: Start<'_>,
            (out, stride): (&mut [f32], usize),
        ) -> Self {
            let out = out.as_mut_ptr();
            let start = match start {
                Start::Zero => (ZEROS.as_ptr(), 0),
                Start::Row(row) => (row.as_ptr(), 0),
                Start::Out => (out.cast_const(), stride),
            };
            Self {
                k,
                x: (x.data.as_ptr(), x.stride),
                w: (w.data.as_ptr(), w.stride),
                start,
                out: (out, stride),
            }
        }

        /// The same product from row `r` on.
        ///
        /// # Safety
        /// There is such a row.
        unsafe fn from(self, r: usize) -> Self {
            // SAFETY: the row lies within each of the slices, the caller says.
            unsafe {
                Self {
                    x: (self.x.0.add(r * self.x.1), self.x.1),
                    start: (self.start.0.add(r * self.start.1), self.start.1),
                    out: (self.out.0.add(r * self.out.1), self.out.1),
                    ..self
                }
            }
        }
    }

    /// # Safety
    /// AVX2 and FMA; R rows of `x` and `out` are there, and k rows of `w`.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2_rows<const R: usize>(t: Tile) {
        // SAFETY: offsets stay below the lengths that the caller vouches for.
        unsafe {
            let mut sums = [[_mm256_loadu_ps(ZEROS.as_ptr()); 2]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                let start = t.start.0.add(r * t.start.1);
                *sums = [_mm256_loadu_ps(start), _mm256_loadu_ps(start.add(8))];
            }
            // Pointers of their own: else each step adds up strides again.
            let x: [*const f32; R] = std::array::from_fn(|r| t.x.0.wrapping_add(r * t.x.1));
            let mut w = t.w.0;
            for i in 0..t.k {
                let (low, high) = (_mm256_loadu_ps(w), _mm256_loadu_ps(w.add(8)));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let x = _mm256_broadcast_ss(&*x[r].add(i));
                    sums[0] = _mm256_fmadd_ps(x, low, sums[0]);
                    sums[1] = _mm256_fmadd_ps(x, high, sums[1]);
                }
                w = w.wrapping_add(t.w.1);
            }
            for (r, sums) in sums.iter().enumerate() {
                let out = t.out.0.add(r * t.out.1);
                _mm256_storeu_ps(out, sums[0]);
                _mm256_storeu_ps(out.add(8), sums[1]);
            }
        }
    }

    /// # Safety
    /// As [`avx2_rows`], with AVX-512.
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512_rows<const R: usize>(t: Tile) {
        // SAFETY: offsets stay below the lengths that the caller vouches for.
        unsafe {
            let mut sums = [_mm512_loadu_ps(ZEROS.as_ptr()); R];
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = _mm512_loadu_ps(t.start.0.add(r * t.start.1));
            }
            let mut w = t.w.0;
            for i in 0..t.k {
                let row = _mm512_loadu_ps(w);
                for (r, sum) in sums.iter_mut().enumerate() {
                    *sum = _mm512_fmadd_ps(_mm512_set1_ps(*t.x.0.add(r * t.x.1 + i)), row, *sum);
                }
                w = w.wrapping_add(t.w.1);
            }
            for (r, sum) in sums.iter().enumerate() {
                _mm512_storeu_ps(t.out.0.add(r * t.out.1), *sum);
            }
        }
    }

    macro_rules! by_rows {
        ($(#[$doc:meta])* $name:ident, $feature:literal, $tile:ident, $most:literal, $($r:literal)*) => {
            $(#[$doc])*
            #[target_feature(enable = $feature)]
            pub(super) unsafe fn $name(rows: usize, t: Tile) {
                // Tiles as even as possible: 8 rows are 4 + 4, not 6 + 2.
                let tiles = rows.div_ceil($most);
                for i in 0..tiles {
                    let (from, to) = (i * rows / tiles, (i + 1) * rows / tiles);
                    // SAFETY: the caller vouches for the lengths, `rows` of them.
                    unsafe {
                        let t = t.from(from);
                        match to - from {
                            $($r => $tile::<$r>(t),)*
                            _ => {}
                        }
                    }
                }
            }
        };
    }
    by_rows! {
        /// # Safety
        /// AVX2 and FMA; every row of the product is there.
        avx2, "avx2,fma", avx2_rows, 6, 1 2 3 4 5 6
    }
    by_rows! {
        /// # Safety
        /// AVX-512; every row of the product is there.
        avx512, "avx512f", avx512_rows, 12, 1 2 3 4 5 6 7 8 9 10 11 12
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::super::numbers;
    use super::*;

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for (rows, k) in [(1, 1), (5, 7), (13, 40), (30, 3)] {
            let (xs, ws, stride) = (k + 3, PANEL + 5, PANEL + 2);
            let (x, w) = (numbers(rows * xs, 0.1), numbers(k * ws, 0.7));
            let (x, w) = (Strided { data: &x, stride: xs }, Strided { data: &w, stride: ws });
            let row = numbers(PANEL, 2.0);
            for start in [Start::Zero, Start::Row(&row), Start::Out] {
                let mut out = numbers(rows * stride, 1.0);
                let mut plain = out.clone();
                panel([rows, k], x, w, start, (&mut out, stride));
                portable::<super::super::Fused>([rows, k], x, w, start, (&mut plain, stride));
                assert!(level() == Level::Baseline || out == plain);
                let old = numbers(rows * stride, 1.0);
                for r in 0..rows {
                    for j in 0..stride {
                        let at = r * stride + j;
                        let from = match start {
                            Start::Out => old[at],
                            Start::Row(row) if j < PANEL => row[j],
                            _ => 0.0,
                        };
                        let dot: f32 = (0..k).map(|i| x.data[r * xs + i] * w.data[i * ws + j]).sum();
                        let want = if j < PANEL { from + dot } else { old[at] };
                        assert!((out[at] - want).abs() < 1e-5, "{start:?}, row {r}, column {j}");
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "result is too small")]
    fn lengths_are_checked() {
        let x = Strided { data: &[1.0; 8], stride: 4 };
        let w = Strided { data: &[1.0; 64], stride: PANEL };
        panel([2, 4], x, w, Start::Zero, (&mut [0.0; 31], PANEL));
    }
}
