//! Recorded tensors.
use safetensors::{Dtype, SafeTensors};
use sparring::core::BoxError;
use std::path::Path;

/// The tensors of a file.
pub(super) struct Reference {
    file: String,
    bytes: Vec<u8>,
}

impl Reference {
    pub(super) fn read(path: &Path) -> Result<Self, BoxError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| format!("{file}: {error}"))?;
        let reference = Self { file, bytes };
        reference.names()?;
        Ok(reference)
    }

    fn tensors(&self) -> Result<SafeTensors<'_>, BoxError> {
        SafeTensors::deserialize(&self.bytes).map_err(|error| format!("{}: {error}", self.file).into())
    }

    pub(super) fn names(&self) -> Result<Vec<String>, BoxError> {
        Ok(self.tensors()?.names().into_iter().map(str::to_owned).collect())
    }

    /// Token ids, written as 64-bit integers.
    pub(super) fn ids(&self, name: &str) -> Result<Vec<u32>, BoxError> {
        let id = |bytes: [u8; 8]| u32::try_from(i64::from_le_bytes(bytes)).ok();
        self.values(name, Dtype::I64, id)
    }

    pub(super) fn floats(&self, name: &str) -> Result<Vec<f32>, BoxError> {
        self.values(name, Dtype::F32, |bytes| Some(f32::from_le_bytes(bytes)))
    }

    fn values<T, const N: usize>(
        &self,
        name: &str,
        dtype: Dtype,
        value: impl Fn([u8; N]) -> Option<T>,
    ) -> Result<Vec<T>, BoxError> {
        let bad = |why: String| BoxError::from(format!("{}: {name}: {why}", self.file));
        let tensors = self.tensors()?;
        let tensor = tensors.tensor(name).map_err(|error| bad(error.to_string()))?;
        if tensor.dtype() != dtype {
            return Err(bad(format!("is of type {:?}, expected {dtype:?}", tensor.dtype())));
        }
        let values = tensor.data().chunks_exact(N).map(|bytes| value(bytes.try_into().ok()?));
        values.collect::<Option<_>>().ok_or_else(|| bad("holds a value that is no token id".to_owned()))
    }
}
