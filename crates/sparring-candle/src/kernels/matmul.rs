//! Matrix products over strided views, by the `gemm` crate on the calling thread.

use gemm::Parallelism;

/// A matrix to read: element (i, j) is `data[i·rows + j·cols]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
}

impl<'a> Mat<'a> {
    /// Rows one after the other, `stride` apart.
    pub(crate) fn rows(data: &'a [f32], stride: usize) -> Self {
        Self { data, rows: stride, cols: 1 }
    }

    /// The transpose of rows that are `stride` apart.
    pub(crate) fn transposed(data: &'a [f32], stride: usize) -> Self {
        Self { data, rows: 1, cols: stride }
    }
}

/// A matrix to write: rows one after the other, `stride` apart.
#[derive(Debug)]
pub(crate) struct MatMut<'a> {
    /// The elements.
    pub(crate) data: &'a mut [f32],
    /// Distance between rows.
    pub(crate) stride: usize,
}

impl<'a> MatMut<'a> {
    /// Rows one after the other, `stride` apart.
    pub(crate) fn rows(data: &'a mut [f32], stride: usize) -> Self {
        Self { data, stride }
    }
}

/// What happens to the old value of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    /// It is overwritten.
    Replace,
    /// The product is added to it.
    Add,
}

/// `c (+)= scale·a·b`, a of m × k and b of k × n.
pub(crate) fn matmul(c: MatMut<'_>, write: Write, [m, n, k]: [usize; 3], a: Mat<'_>, b: Mat<'_>, scale: f32) {
    if m == 0 || n == 0 {
        return;
    }
    let inside = |len: usize, (rows, r): (usize, usize), (cols, s): (usize, usize)| {
        rows == 0 || cols == 0 || (rows - 1) * r + (cols - 1) * s < len
    };
    assert!(inside(c.data.len(), (m, c.stride), (n, 1)), "result is too small");
    assert!(inside(a.data.len(), (m, a.rows), (k, a.cols)), "left factor is too small");
    assert!(inside(b.data.len(), (k, b.rows), (n, b.cols)), "right factor is too small");
    let MatMut { data: c, stride } = c;
    let keep = if write == Write::Add { 1.0 } else { 0.0 };
    let signed = |stride: usize| stride as isize;
    // SAFETY: every element that the strides reach lies within its slice (asserted above), and `c` is
    // borrowed mutably, so it overlaps neither factor. Rows of `c` do not overlap each other where
    // stride ≥ n; a smaller stride would only give a wrong sum, within bounds, on this one thread.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            signed(stride),
            write == Write::Add,
            a.data.as_ptr(),
            signed(a.cols),
            signed(a.rows),
            b.data.as_ptr(),
            signed(b.cols),
            signed(b.rows),
            keep,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn strided_products() {
        // a = [1 2; 3 4] with stride 3, b = [5 6; 7 8] given transposed.
        let (a, b) = ([1.0, 2.0, 9.0, 3.0, 4.0], [5.0, 7.0, 6.0, 8.0]);
        let mut c = [1.0; 4];
        let product = |c: &mut [f32], write| {
            let (a, b) = (Mat::rows(&a, 3), Mat::transposed(&b, 2));
            matmul(MatMut::rows(c, 2), write, [2, 2, 2], a, b, 2.0);
        };
        product(&mut c, Write::Replace);
        assert_eq!(c, [38.0, 44.0, 86.0, 100.0]);
        product(&mut c, Write::Add);
        assert_eq!(c, [76.0, 88.0, 172.0, 200.0]);
    }

    #[test]
    #[should_panic(expected = "left factor is too small")]
    fn a_view_beyond_its_slice_is_refused() {
        let mut c = [0.0; 4];
        matmul(
            MatMut::rows(&mut c, 2),
            Write::Replace,
            [2, 2, 2],
            Mat::rows(&[0.0; 3], 2),
            Mat::rows(&[0.0; 4], 2),
            1.0,
        );
    }
}
