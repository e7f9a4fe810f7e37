//! Named weights, as the decoder reads them.

use candle_core::{DType, Error, Result, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Weights by their checkpoint names, and the scales of low-rank factors.
#[derive(Debug, Clone)]
pub(crate) struct TensorWeights {
    tensors: BTreeMap<String, Tensor>,
    /// The type of computation. Weights stored in a wider type are cast when read, so gradients reach the wide ones.
    dtype: DType,
    /// By the name of the matrix (without `.weight`).
    scales: Arc<BTreeMap<String, f64>>,
}

impl TensorWeights {
    pub(crate) fn new(
        tensors: impl IntoIterator<Item = (String, Tensor)>,
        dtype: DType,
        scales: Arc<BTreeMap<String, f64>>,
    ) -> Self {
        Self { tensors: tensors.into_iter().collect(), dtype, scales }
    }

    /// The same values without a tape, cast once, so that results keep no graph alive.
    pub(crate) fn detached(&self) -> Result<Self> {
        let cast =
            |(name, tensor): (&String, &Tensor)| Ok((name.clone(), tensor.detach().to_dtype(self.dtype)?));
        let tensors = self.tensors.iter().map(cast).collect::<Result<_>>()?;
        Ok(Self { tensors, dtype: self.dtype, scales: Arc::clone(&self.scales) })
    }

    /// A required weight.
    pub(crate) fn get(&self, name: &str) -> Result<Tensor> {
        self.find(name)?.ok_or_else(|| Error::Msg(format!("the model has no weight {name}")))
    }

    /// An optional weight.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Tensor>> {
        self.tensors.get(name).map(|tensor| tensor.to_dtype(self.dtype)).transpose()
    }

    /// The low-rank factors of a matrix, if any: rank × inputs, outputs × rank, scale.
    pub(crate) fn factors(&self, module: &str) -> Result<Option<(Tensor, Tensor, f64)>> {
        let Some(scale) = self.scales.get(module) else { return Ok(None) };
        let factor = |letter: char| self.get(&format!("base_model.model.{module}.lora_{letter}.weight"));
        Ok(Some((factor('A')?, factor('B')?, *scale)))
    }
}
