//! Matrix products on the calling thread, in pieces that stay in the caches.

use super::buffer::Buffer;
use super::tile::{Mat, MatMut, PANEL, Panels, Start, whole_panels};

/// Inner dimension of a piece: a panel's share of it, and a few rows of the left factor, stay in the first cache. It is
/// also the longest chain of multiply-adds: the sums of pieces are added to the result one after the other, which
/// keeps rounding small. Every product over the same k is cut at the same places, so its bits are the same everywhere.
pub(crate) const INNER: usize = 256;
/// Numbers of the left factor in a piece: they stay in the second cache while the panels pass by.
const BLOCK: usize = 1 << 16;
/// Rows of a strip, into which a transposed left factor is copied: a multiple of the rows of a tile (6 or 12).
const STRIP: usize = 12;

/// The use of the result's old value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    /// It is overwritten.
    Replace,
    /// The product is added to it.
    Add,
}

impl Write {
    fn start(self) -> Start<'static> {
        if self == Self::Add { Start::Out } else { Start::Zero }
    }
}

/// `out[r][j] = start[r][j] + Σ_{i < k} x[r][i]·w[i][j]`.
///
/// # Shapes
/// `x`: rows × k; `w`: k × columns, in whole panels; `out`: rows × columns.
pub(crate) fn product(
    [rows, columns, k]: [usize; 3],
    x: Mat<'_>,
    w: Panels<'_>,
    start: Start<'_>,
    mut out: MatMut<'_>,
) {
    // Whole tiles.
    let block = (BLOCK / k.clamp(1, INNER) / STRIP).max(2) * STRIP;
    for from in (0..rows).step_by(block) {
        let rows = block.min(rows - from);
        for i in (0..k.max(1)).step_by(INNER) {
            let start = if i == 0 { start } else { Start::Out };
            let shape = [rows, columns, INNER.min(k - i)];
            piece(shape, x.from(from, i), w.from(i, 0), start, out.from(from, 0));
        }
    }
}

/// A product of which the last panel may not be whole.
fn piece([rows, columns, k]: [usize; 3], x: Mat<'_>, w: Panels<'_>, start: Start<'_>, mut out: MatMut<'_>) {
    let (whole, rest) = (columns / PANEL, columns % PANEL);
    if whole > 0 {
        whole_panels([rows, whole, k], x, w, start, out.from(0, 0));
    }
    if rest == 0 {
        return;
    }
    let start = match start {
        Start::Row(row) => Start::Row(&row[whole * PANEL..]),
        other => other,
    };
    let mut buffer = [0.0; STRIP * PANEL];
    for from in (0..rows).step_by(STRIP) {
        let rows = STRIP.min(rows - from);
        let mut out = out.from(from, whole * PANEL);
        for (r, row) in buffer.chunks_exact_mut(PANEL).take(rows).enumerate() {
            row[..rest].copy_from_slice(&out.from(r, 0).data[..rest]);
        }
        let last = MatMut::rows(&mut buffer, PANEL);
        whole_panels([rows, 1, k], x.from(from, 0), w.from(0, whole), start, last);
        for (r, row) in buffer.chunks_exact(PANEL).take(rows).enumerate() {
            out.from(r, 0).data[..rest].copy_from_slice(&row[..rest]);
        }
    }
}

/// Writes `b` (k × columns) in panels that are k rows long; what is beyond the last column is 0.
pub(crate) fn pack(b: Mat<'_>, [columns, k]: [usize; 2], panels: &mut [f32]) {
    assert!(b.holds(k, columns), "right factor is too small");
    assert!(panels.len() >= packed_len(columns, k), "panels are too small");
    for (p, panel) in panels.chunks_exact_mut((k * PANEL).max(1)).enumerate().take(columns.div_ceil(PANEL)) {
        let width = PANEL.min(columns - p * PANEL);
        let b = b.from(0, p * PANEL);
        if b.transposed {
            pack_transposed(b, width, panel);
        } else {
            copy_rows::<PANEL>(b, width, panel);
        }
    }
}

/// Copies some columns of rows to rows of `W`; beyond them is 0.
fn copy_rows<const W: usize>(from: Mat<'_>, columns: usize, to: &mut [f32]) {
    let rows = to.as_chunks_mut::<W>().0.iter_mut().zip(from.data.chunks(from.stride));
    for (to, from) in rows {
        // A copy of known length is a few instructions, another one a call.
        if let (true, Some(from)) = (columns == W, from.first_chunk::<W>()) {
            *to = *from;
        } else {
            to[..columns].copy_from_slice(&from[..columns]);
            to[columns..].fill(0.0);
        }
    }
}

/// One panel whose columns are rows of the data.
fn pack_transposed(b: Mat<'_>, width: usize, panel: &mut [f32]) {
    let k = panel.len() / PANEL;
    if width < PANEL {
        panel.fill(0.0);
    }
    for j in 0..width {
        let column = &b.data[j * b.stride..][..k];
        for (row, x) in panel.chunks_exact_mut(PANEL).zip(column) {
            row[j] = *x;
        }
    }
}

/// Numbers of the panels of a factor of k × columns.
pub(crate) fn packed_len(columns: usize, k: usize) -> usize {
    columns.next_multiple_of(PANEL) * k
}

/// Copies of pieces of the factors, from call to call.
#[derive(Debug, Default)]
pub(crate) struct Packing {
    right: Buffer,
    left: Buffer,
}

/// `c (+)= a·b`, a of rows × k and b of k × columns.
pub(crate) fn matmul(
    mut c: MatMut<'_>,
    write: Write,
    [rows, columns, k]: [usize; 3],
    a: Mat<'_>,
    b: Mat<'_>,
    packing: &mut Packing,
) {
    assert!(a.holds(rows, k), "left factor is too small");
    assert!(b.holds(k, columns), "right factor is too small");
    if k == 0 {
        let nothing = Panels { data: &[], stride: 0 };
        return product([rows, columns, 0], Mat::rows(&[], 0), nothing, write.start(), c);
    }
    for i in (0..k).step_by(INNER) {
        let k = INNER.min(k - i);
        let start = if i == 0 { write.start() } else { Start::Out };
        let len = packed_len(columns, k);
        let right = packing.right.fit(len);
        pack(b.from(i, 0), [columns, k], right);
        let w = Panels { data: right, stride: k * PANEL };
        if a.transposed {
            for r in (0..rows).step_by(STRIP) {
                let a = strip(a.from(r, i), [STRIP.min(rows - r), k], &mut packing.left);
                product([STRIP.min(rows - r), columns, k], a, w, start, c.from(r, 0));
            }
        } else {
            product([rows, columns, k], a.from(0, i), w, start, c.from(0, 0));
        }
    }
}

/// A few rows of a transposed factor, side by side: the factor's own lie too far apart for the caches.
fn strip<'b>(a: Mat<'_>, [rows, k]: [usize; 2], buffer: &'b mut Buffer) -> Mat<'b> {
    let buffer = buffer.fit(k * STRIP);
    copy_rows::<STRIP>(a, rows, buffer);
    Mat::transposed(buffer, STRIP)
}

#[cfg(test)]
mod tests {
    use super::super::numbers;
    use super::*;
    use proptest::prelude::*;

    fn element(m: Mat<'_>, r: usize, i: usize) -> f64 {
        f64::from(m.from(r, i).data[0])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn products_are_sums_over_k(
            rows in 1_usize..40,
            columns in 1_usize..50,
            k in prop_oneof![0_usize..30, 250_usize..270, 510_usize..520],
            (a_transposed, b_transposed, add) in any::<(bool, bool, bool)>(),
        ) {
            let stride = rows.max(columns).max(k) + 3;
            let (a, b) = (numbers(stride * stride, 0.1), numbers(stride * stride, 0.7));
            let a = Mat { data: &a, stride, transposed: a_transposed };
            let b = Mat { data: &b, stride, transposed: b_transposed };
            let old = numbers(rows * stride, 2.0);
            let mut c = old.clone();
            let write = if add { Write::Add } else { Write::Replace };
            matmul(MatMut::rows(&mut c, stride), write, [rows, columns, k], a, b, &mut Packing::default());
            for (at, (new, old)) in c.iter().zip(&old).enumerate() {
                let (r, j) = (at / stride, at % stride);
                let sum: f64 = (0..k).map(|i| element(a, r, i) * element(b, i, j)).sum();
                let from = if add { f64::from(*old) } else { 0.0 };
                let want = if j < columns { from + sum } else { f64::from(*old) };
                prop_assert!((f64::from(*new) - want).abs() < 1e-5 * (10 + k) as f64, "row {}, column {}", r, j);
            }
        }
    }

    #[test]
    #[should_panic(expected = "right factor is too small")]
    fn what_is_not_there_is_not_packed() {
        pack(Mat::rows(&[0.0; 7], 4), [4, 2], &mut [0.0; 32]);
    }

    #[test]
    #[should_panic(expected = "left factor is too small")]
    fn a_view_beyond_its_slice_is_refused() {
        let (a, b) = (Mat::rows(&[0.0; 3], 2), Mat::rows(&[0.0; 4], 2));
        let mut c = [0.0; 4];
        matmul(MatMut::rows(&mut c, 2), Write::Replace, [2, 2, 2], a, b, &mut Packing::default());
    }
}
