//! Memory that lives from call to call: allocating it anew costs more than many of the kernels.

/// A buffer that grows to the largest size asked for and never shrinks. Contents are left over.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Vec<f32>);

impl Buffer {
    /// The first `n` elements, whatever they hold.
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

    /// The first `n` elements, to read; `fit` or `zeroed` made them.
    pub(crate) fn get(&self, n: usize) -> &[f32] {
        &self.0[..n]
    }
}
