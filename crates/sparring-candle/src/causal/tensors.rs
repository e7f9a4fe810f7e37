//! Wraps any candle model by two closures.

use super::CausalModel;
use crate::error::candle_error;
use candle_core::{DType, Device, Result, Tensor};
use sparring_core::PolicyError;
use std::fmt;

/// A candle model as a [`CausalModel`]: `forward` takes ids (rows × tokens) and their position and returns logits
/// (rows × vocab_size or rows × 1 × vocab_size); `reset` clears the cache of keys and values.
///
/// ```
/// use candle_core::{DType, Device, Result, Tensor};
/// use sparring_candle::{CausalModel, TensorModel};
/// /// Predicts the token that comes after the last one.
/// struct Next;
/// impl Next {
///     fn forward(&mut self, ids: &Tensor, _position: usize) -> Result<Tensor> {
///         let last = ids.narrow(1, ids.dim(1)? - 1, 1)?.squeeze(1)?;
///         Tensor::eye(10, DType::F32, ids.device())?.index_select(&((last + 1.0)?), 0)
///     }
///     fn clear_kv_cache(&mut self) {}
/// }
/// let mut model = TensorModel::new(Next, Device::Cpu, Next::forward, Next::clear_kv_cache);
/// let logits = model.forward(&[1, 2, 7, 4], 2, 0)?;
/// assert_eq!((logits[3], logits[10 + 5]), (1.0, 1.0));
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
pub struct TensorModel<M, F, R> {
    model: M,
    device: Device,
    forward: F,
    reset: R,
}

impl<M, F, R> TensorModel<M, F, R>
where
    F: FnMut(&mut M, &Tensor, usize) -> Result<Tensor>,
    R: FnMut(&mut M),
{
    /// A model whose weights are on `device`.
    pub fn new(model: M, device: Device, forward: F, reset: R) -> Self {
        Self { model, device, forward, reset }
    }
}

impl<M, F, R> CausalModel for TensorModel<M, F, R>
where
    M: Send,
    F: FnMut(&mut M, &Tensor, usize) -> Result<Tensor> + Send,
    R: FnMut(&mut M) + Send,
{
    fn forward(
        &mut self,
        ids: &[u32],
        rows: usize,
        position: usize,
    ) -> std::result::Result<Vec<f32>, PolicyError> {
        let mut run = || {
            let ids = Tensor::from_slice(ids, (rows, ids.len() / rows.max(1)), &self.device)?;
            let logits = (self.forward)(&mut self.model, &ids, position)?;
            // Without the tape that weights in variables would leave.
            logits.detach().to_dtype(DType::F32)?.flatten_all()?.to_vec1()
        };
        run().map_err(candle_error)
    }

    fn reset(&mut self) {
        (self.reset)(&mut self.model);
    }
}

impl<M, F, R> fmt::Debug for TensorModel<M, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TensorModel").field("device", &self.device).finish_non_exhaustive()
    }
}
