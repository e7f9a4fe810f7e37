//! The basic product: rows against panels of 16 columns.
//!
//! Every element of the result is its start plus one chain of multiply-adds over k, from 0 and in ascending order: its
//! bits do not depend on how many rows or columns are computed with it, or on the instruction set (where it has fused
//! multiply-adds). They do depend on where k is cut. A chain begins at 0, since one that began at a large start, such
//! as the residual stream, would round every small addend to the start's precision.

use super::{Fma, Level, level};

/// Columns of a panel: one AVX-512 register or two AVX2 registers.
pub(crate) const PANEL: usize = 16;

/// A left factor: rows × k.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mat<'a> {
    pub(super) data: &'a [f32],
    pub(super) stride: usize,
    pub(super) transposed: bool,
}

impl<'a> Mat<'a> {
    /// Element (r, i) is `data[r·stride + i]`.
    pub(crate) fn rows(data: &'a [f32], stride: usize) -> Self {
        Self { data, stride, transposed: false }
    }

    /// Element (r, i) is `data[i·stride + r]`.
    pub(crate) fn transposed(data: &'a [f32], stride: usize) -> Self {
        Self { data, stride, transposed: true }
    }

    /// The factor from row `r` and column `i` on.
    pub(super) fn from(self, r: usize, i: usize) -> Self {
        let (r, i) = if self.transposed { (i, r) } else { (r, i) };
        Self { data: &self.data[r * self.stride + i..], ..self }
    }

    /// Whether it has so many rows and columns.
    pub(super) fn holds(&self, rows: usize, columns: usize) -> bool {
        let (rows, columns) = if self.transposed { (columns, rows) } else { (rows, columns) };
        self.data.len() >= reach(rows, self.stride, columns)
    }
}

/// A right factor in panels: element (i, j) is `data[(j / 16)·stride + 16·i + j % 16]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Panels<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) stride: usize,
}

impl Panels<'_> {
    /// The factor from row `i` and panel `p` on.
    pub(crate) fn from(self, i: usize, p: usize) -> Self {
        Self { data: &self.data[p * self.stride + i * PANEL..], ..self }
    }
}

/// What a product is added to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start<'a> {
    /// Nothing.
    Zero,
    /// The same numbers in every row, in whole panels.
    Row(&'a [f32]),
    /// What the result holds.
    Out,
}

/// A result: rows one after the other, `stride` apart.
#[derive(Debug)]
pub(crate) struct MatMut<'a> {
    pub(super) data: &'a mut [f32],
    pub(super) stride: usize,
}

impl<'a> MatMut<'a> {
    /// Rows one after the other, `stride` apart.
    pub(crate) fn rows(data: &'a mut [f32], stride: usize) -> Self {
        Self { data, stride }
    }

    /// The result from row `r` and column `j` on.
    pub(super) fn from(&mut self, r: usize, j: usize) -> MatMut<'_> {
        MatMut { data: &mut self.data[r * self.stride + j..], stride: self.stride }
    }
}

/// Length of the slice that some rows need; the largest number where it has none.
fn reach(rows: usize, stride: usize, width: usize) -> usize {
    if rows == 0 || width == 0 {
        return 0;
    }
    (rows - 1).checked_mul(stride).and_then(|from| from.checked_add(width)).unwrap_or(usize::MAX)
}

/// `out[r][j] = start[r][j] + Σ_{i < k} x[r][i]·w[i][j]` for whole panels.
///
/// # Shapes
/// `x`: rows × k; `w`: k × 16·panels; `out`: rows × 16·panels.
pub(super) fn whole_panels(shape: [usize; 3], x: Mat<'_>, w: Panels<'_>, start: Start<'_>, out: MatMut<'_>) {
    whole_panels_at(level(), shape, x, w, start, out);
}

fn whole_panels_at(
    level: Level,
    [rows, panels, k]: [usize; 3],
    mut x: Mat<'_>,
    mut w: Panels<'_>,
    start: Start<'_>,
    out: MatMut<'_>,
) {
    if rows == 0 || panels == 0 {
        return;
    }
    if k == 0 {
        // Nothing of the factors is read, and there need not be anything.
        (x.stride, w.stride) = (0, 0);
    }
    let width = panels.saturating_mul(PANEL);
    assert!(x.holds(rows, k), "left factor is too small");
    assert!(w.data.len() >= reach(panels, w.stride, k.saturating_mul(PANEL)), "right factor is too small");
    assert!(rows == 1 || out.stride >= width, "rows of the result overlap");
    assert!(out.data.len() >= reach(rows, out.stride, width), "result is too small");
    assert!(!matches!(start, Start::Row(row) if row.len() < width), "start is too small");
    match level {
        // SAFETY: the machine has the instruction sets of a level, and every length was asserted above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { x86::avx512([rows, panels], x86::Tile::new(k, x, w, start, out)) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { x86::avx2([rows, panels], x86::Tile::new(k, x, w, start, out)) },
        Level::Baseline => portable::<super::BaselineFma>([rows, panels, k], x, w, start, out),
    }
}

/// Rows that are computed together on targets without special kernels.
const PORTABLE_ROWS: usize = 4;

fn portable<S: Fma>(
    [rows, panels, k]: [usize; 3],
    x: Mat<'_>,
    w: Panels<'_>,
    start: Start<'_>,
    mut out: MatMut<'_>,
) {
    let (row, column) = if x.transposed { (1, x.stride) } else { (x.stride, 1) };
    for p in 0..panels {
        let w = &w.data[p * w.stride..][..k * PANEL];
        for from in (0..rows).step_by(PORTABLE_ROWS) {
            let count = PORTABLE_ROWS.min(rows - from);
            // Rows that are not there repeat the last one.
            let at: [usize; PORTABLE_ROWS] = std::array::from_fn(|r| (from + r.min(count - 1)) * row);
            let mut out = out.from(from, p * PANEL);
            let mut sums = [[0.0_f32; PANEL]; PORTABLE_ROWS];
            for (i, w) in w.chunks_exact(PANEL).enumerate() {
                for (sums, at) in sums.iter_mut().zip(at) {
                    let x = x.data[at + i * column];
                    for j in 0..PANEL {
                        sums[j] = S::fma(x, w[j], sums[j]);
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate().take(count) {
                let out = &mut out.from(r, 0).data[..PANEL];
                match start {
                    Start::Zero => out.fill(0.0),
                    Start::Row(row) => out.copy_from_slice(&row[p * PANEL..][..PANEL]),
                    Start::Out => {}
                }
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Mat, MatMut, PANEL, Panels, Start};
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_prefetch, _mm256_add_ps, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps,
        _mm256_setzero_ps, _mm256_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_storeu_ps,
    };
    use std::hint::black_box;

    static ZEROS: [f32; PANEL] = [0.0; PANEL];

    /// A product as pointers and strides.
    #[derive(Clone, Copy)]
    pub(super) struct Tile {
        k: usize,
        x: *const f32,
        stride: usize,
        transposed: bool,
        w: (*const f32, usize),
        /// Distances between rows and between panels.
        start: (*const f32, [usize; 2]),
        out: (*mut f32, usize),
    }

    impl Tile {
        pub(super) fn new(k: usize, x: Mat<'_>, w: Panels<'_>, start: Start<'_>, out: MatMut<'_>) -> Self {
            let MatMut { data, stride } = out;
            let data = data.as_mut_ptr();
            let start = match start {
                Start::Zero => (ZEROS.as_ptr(), [0, 0]),
                Start::Row(row) => (row.as_ptr(), [0, PANEL]),
                Start::Out => (data.cast_const(), [stride, PANEL]),
            };
            Self {
                k,
                x: x.data.as_ptr(),
                stride: x.stride,
                transposed: x.transposed,
                w: (w.data.as_ptr(), w.stride),
                start,
                out: (data, stride),
            }
        }

        /// The same product from row `r` and panel `p` on.
        ///
        /// # Safety
        /// There are such a row and such a panel.
        unsafe fn from(self, r: usize, p: usize) -> Self {
            let [rows, panels] = self.start.1;
            // SAFETY: the row and the panel lie within each of the slices, the caller says.
            unsafe {
                Self {
                    x: self.x.wrapping_add(r * if self.transposed { 1 } else { self.stride }),
                    w: (self.w.0.add(p * self.w.1), self.w.1),
                    start: (self.start.0.add(r * rows + p * panels), self.start.1),
                    out: (self.out.0.add(r * self.out.1 + p * PANEL), self.out.1),
                    ..self
                }
            }
        }

        /// Where rows begin.
        ///
        /// # Safety
        /// There are `R` rows.
        unsafe fn rows<const R: usize>(&self) -> [*const f32; R] {
            // Pointers that the compiler knows nothing of: else it adds strides up in every step.
            // SAFETY: the rows are there.
            std::array::from_fn(|r| black_box(unsafe { self.x.add(r * self.stride) }))
        }
    }

    /// Numbers of a right factor that stay in the first cache with some rows of the left one.
    const SMALL: usize = 6 << 10;

    /// The kernels of one instruction set: `$driver` for a whole product, `$rows` for a tile of rows and any number
    /// of panels, `$tile` for a tile and one panel or two.
    macro_rules! kernels {
        (
            $(#[$safety:meta])*
            $feature:literal: $driver:ident, $rows:ident, $tile:ident,
            lanes $lanes:literal, rows $most:literal: $($r:literal)*, two panels up to $wide:literal rows, $group:literal a time,
            $zero:ident, $load:ident, $store:ident, $add:ident, $fma:ident, $broadcast:expr
        ) => {
            $(#[$safety])*
            #[target_feature(enable = $feature)]
            pub(super) unsafe fn $driver([rows, panels]: [usize; 2], t: Tile) {
                // In tiles as even as possible: 8 rows are 4 + 4, not 6 + 2.
                let tiles = rows.div_ceil($most);
                let (each, more) = (rows / tiles, rows % tiles);
                // Panels that pass by each tile; a panel that is read by several tiles should not go far.
                let near = tiles == 1 || t.k * panels * PANEL <= SMALL;
                let step = if near { panels } else { $group };
                for p in (0..panels).step_by(step) {
                    let count = step.min(panels - p);
                    let mut from = 0;
                    for i in 0..tiles {
                        let rows = each + usize::from(i < more);
                        // SAFETY: the caller vouches for the lengths.
                        unsafe {
                            let t = t.from(from, p);
                            match (rows, t.transposed) {
                                $(($r, false) => $rows::<$r, false>(count, t),)*
                                $(($r, true) => $rows::<$r, true>(count, t),)*
                                _ => unreachable!("no tile has so many rows"),
                            }
                        }
                        from += rows;
                    }
                }
            }

            /// # Safety
            /// The instruction sets; `R` rows and all panels of the product, transposed as it says, are there.
            #[target_feature(enable = $feature)]
            unsafe fn $rows<const R: usize, const TRANSPOSED: bool>(panels: usize, t: Tile) {
                let mut p = 0;
                // SAFETY: the caller vouches for the lengths.
                unsafe {
                    let x = if TRANSPOSED { [t.x; R] } else { t.rows::<R>() };
                    while R <= $wide && p + 2 <= panels {
                        $tile::<R, { 2 * PANEL / $lanes }, TRANSPOSED>(t.from(0, p), x);
                        p += 2;
                    }
                    while p < panels {
                        $tile::<R, { PANEL / $lanes }, TRANSPOSED>(t.from(0, p), x);
                        p += 1;
                    }
                }
            }

            /// # Safety
            /// As `$rows`, with panels for `V` vectors; `rows` are where the rows of `t.x` begin, unless transposed.
            #[target_feature(enable = $feature)]
            unsafe fn $tile<const R: usize, const V: usize, const TRANSPOSED: bool>(
                t: Tile,
                rows: [*const f32; R],
            ) {
                // The v-th vector of a row.
                let at = |panel: usize, v: usize| v * $lanes / PANEL * panel + v * $lanes % PANEL;
                // SAFETY: offsets stay below the lengths that the caller vouches for; a prefetch may go anywhere.
                unsafe {
                    let mut sums = [[$zero(); V]; R];
                    for r in 0..R {
                        for v in (0..V).filter(|v| v * $lanes % PANEL == 0) {
                            let out = t.out.0.add(r * t.out.1 + v * $lanes);
                            _mm_prefetch::<_MM_HINT_T0>(out.cast_const().cast());
                        }
                    }
                    let mut w = t.w.0;
                    macro_rules! step {
                        ($offset:expr, |$row:ident| $x:expr) => {
                            let mut panel = [$zero(); V];
                            for (v, vector) in panel.iter_mut().enumerate() {
                                *vector = $load(w.add($offset * PANEL + at(t.w.1, v)));
                            }
                            for $row in 0..R {
                                let x = $broadcast(&*$x);
                                for v in 0..V {
                                    sums[$row][v] = $fma(x, panel[v], sums[$row][v]);
                                }
                            }
                        };
                    }
                    // Four steps a turn, since the loop itself costs.
                    let (fours, rest) = (t.k / 4, t.k % 4);
                    if TRANSPOSED {
                        let mut x = t.x;
                        for _ in 0..fours {
                            for u in 0..4 {
                                step!(u, |r| x.add(u * t.stride + r));
                            }
                            x = x.wrapping_add(4 * t.stride);
                            w = w.wrapping_add(4 * PANEL);
                        }
                        for _ in 0..rest {
                            step!(0, |r| x.add(r));
                            x = x.wrapping_add(t.stride);
                            w = w.wrapping_add(PANEL);
                        }
                    } else {
                        let mut i = 0;
                        for _ in 0..fours {
                            for u in 0..4 {
                                step!(u, |r| rows[r].add(i + u));
                            }
                            i += 4;
                            w = w.wrapping_add(4 * PANEL);
                        }
                        for _ in 0..rest {
                            step!(0, |r| rows[r].add(i));
                            i += 1;
                            w = w.wrapping_add(PANEL);
                        }
                    }
                    for (r, sums) in sums.iter().enumerate() {
                        for (v, sum) in sums.iter().enumerate() {
                            let start = $load(t.start.0.add(r * t.start.1[0] + at(t.start.1[1], v)));
                            $store(t.out.0.add(r * t.out.1 + v * $lanes), $add(start, *sum));
                        }
                    }
                }
            }
        };
    }

    kernels! {
        /// # Safety
        /// AVX2 and FMA; every row and panel of the product is there.
        "avx2,fma": avx2, avx2_rows, avx2_tile,
        lanes 8, rows 6: 1 2 3 4 5 6, two panels up to 2 rows, 1 a time,
        _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps, _mm256_fmadd_ps,
        _mm256_broadcast_ss
    }
    kernels! {
        /// # Safety
        /// AVX-512; every row and panel of the product is there.
        "avx512f": avx512, avx512_rows, avx512_tile,
        lanes 16, rows 12: 1 2 3 4 5 6 7 8 9 10 11 12, two panels up to 12 rows, 2 a time,
        _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps,
        |x: &f32| _mm512_set1_ps(*x)
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::super::numbers;
    use super::*;

    /// What this machine has.
    fn levels() -> Vec<Level> {
        match level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => vec![Level::Avx2, Level::Avx512],
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => vec![Level::Avx2],
            Level::Baseline => vec![],
        }
    }

    /// Few rows and many, whose panels come one after the other or stay with a tile, and panels without a partner.
    const SHAPES: [(usize, usize, usize, bool); 9] = [
        (1, 1, 1, false),
        (5, 2, 7, true),
        (13, 3, 40, false),
        (30, 1, 3, true),
        (26, 2, 18, true),
        (1, 3, 9, false),
        (2, 2, 7, true),
        (13, 5, 100, false),
        (26, 5, 100, true),
    ];

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for (rows, panels, k, transposed) in SHAPES {
            let (stride, panel, width) = (k.max(rows) + 3, k * PANEL + 5, panels * PANEL);
            let (x, w) = (numbers(rows.max(k) * stride, 0.1), numbers(panels * panel, 0.7));
            let x = Mat { data: &x, stride, transposed };
            let (w, out_stride) = (Panels { data: &w, stride: panel }, width + 2);
            let row = numbers(width, 2.0);
            for start in [Start::Zero, Start::Row(&row), Start::Out] {
                let old = numbers(rows * out_stride, 1.0);
                let mut plain = old.clone();
                let shape = [rows, panels, k];
                portable::<super::super::Fused>(shape, x, w, start, MatMut::rows(&mut plain, out_stride));
                for level in levels() {
                    let mut out = old.clone();
                    whole_panels_at(level, shape, x, w, start, MatMut::rows(&mut out, out_stride));
                    assert!(out == plain, "{level:?}, {shape:?}, {start:?}");
                }
                for (at, (out, old)) in plain.iter().zip(&old).enumerate() {
                    let (r, j) = (at / out_stride, at % out_stride);
                    let from = match start {
                        Start::Out => *old,
                        Start::Row(row) if j < width => row[j],
                        _ => 0.0,
                    };
                    let dot = |j: usize| -> f32 {
                        (0..k).map(|i| x.from(r, i).data[0] * w.from(i, j / PANEL).data[j % PANEL]).sum()
                    };
                    let want = if j < width { from + dot(j) } else { *old };
                    assert!((out - want).abs() < 1e-4, "{start:?}, row {r}, column {j}: {out} {want}");
                }
            }
        }
    }

    /// Small addends are not rounded to the precision of a large start, one by one.
    #[test]
    fn a_large_start_costs_one_rounding() {
        let (x, w) = ([1.0; 200], [0.5; 200 * PANEL]);
        let mut out = [16_777_216.0; PANEL];
        let (x, w) = (Mat::rows(&x, 200), Panels { data: &w, stride: 200 * PANEL });
        whole_panels([1, 1, 200], x, w, Start::Out, MatMut::rows(&mut out, PANEL));
        assert_eq!(out, [16_777_316.0; PANEL]);
    }

    #[test]
    fn a_product_over_nothing_is_its_start() {
        let row = numbers(2 * PANEL, 2.0);
        for x in [Mat::rows(&[], 7), Mat::transposed(&[], 7)] {
            for (start, want) in [(Start::Zero, 0.0), (Start::Row(&row), row[3]), (Start::Out, 5.0)] {
                let mut out = [5.0; 14 * PANEL];
                let w = Panels { data: &[], stride: 9 };
                whole_panels([7, 2, 0], x, w, start, MatMut::rows(&mut out, 2 * PANEL));
                assert_eq!(out[6 * 2 * PANEL + 3], want);
            }
        }
    }

    #[test]
    #[should_panic(expected = "result is too small")]
    fn lengths_are_checked() {
        let (x, w) = (Mat::rows(&[1.0; 8], 4), Panels { data: &[1.0; 64], stride: 64 });
        whole_panels([2, 1, 4], x, w, Start::Zero, MatMut::rows(&mut [0.0; 31], PANEL));
    }
}
