//! Buffers that are reused from call to call, since allocating costs more than many of the kernels.

/// A buffer that grows to the largest requested size and never shrinks. Its contents are left over from earlier use.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Vec<f32>);

impl Buffer {
    /// The first `n` elements, with arbitrary contents.
    pub(crate) fn fit(&mut self, n: usize) -> &mut [f32] {
        if self.0.len() < n {
            self.0.resize(n, 0.0);
        }
        &mut self.0[..n]
    }

    /// The first `n` elements, set to 0.
    pub(crate) fn zeroed(&mut self, n: usize) -> &mut [f32] {
        let slice = self.fit(n);
        slice.fill(0.0);
        slice
    }

    /// The first `n` elements for reading, after `fit` or `zeroed`.
    pub(crate) fn get(&self, n: usize) -> &[f32] {
        &self.0[..n]
    }
}
