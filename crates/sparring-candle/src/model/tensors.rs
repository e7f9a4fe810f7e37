//! Reads safetensors files as f32, and writes them.

use super::files::create_atomically;
use super::layout::Parameter;
use super::mapped::MappedFile;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors, View};
use sparring_core::PolicyError;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A safetensors file, mapped into memory: only what is copied out of it is read.
#[derive(Debug)]
pub(crate) struct TensorFile {
    pub(crate) path: PathBuf,
    bytes: MappedFile,
}

impl TensorFile {
    /// Opens a file; `why` is the hint if it does not exist.
    pub(crate) fn read(path: &Path, why: &str) -> Result<Self, PolicyError> {
        let file = Self { path: path.to_path_buf(), bytes: MappedFile::open(path, why)? };
        file.open()?;
        Ok(file)
    }

    fn open(&self) -> Result<SafeTensors<'_>, PolicyError> {
        SafeTensors::deserialize(&self.bytes)
            .map_err(|error| self.bad(format_args!("not a whole safetensors file ({error}); copy it again")))
    }

    /// An error about this file.
    pub(crate) fn bad(&self, why: impl std::fmt::Display) -> PolicyError {
        PolicyError::invalid(format!("{}: {why}", self.path.display()))
    }

    /// Names of the tensors, sorted.
    pub(crate) fn names(&self) -> Result<Vec<String>, PolicyError> {
        let mut names: Vec<String> = self.open()?.names().iter().map(ToString::to_string).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// One entry of the file's metadata.
    pub(crate) fn metadata(&self, key: &str) -> Result<Option<String>, PolicyError> {
        let (_, metadata) = SafeTensors::read_metadata(&self.bytes).map_err(|error| self.bad(error))?;
        Ok(metadata.metadata().as_ref().and_then(|m| m.get(key).cloned()))
    }

    /// Copies a tensor of this shape into `out`, as f32.
    pub(crate) fn copy(&self, name: &str, shape: &[usize], out: &mut [f32]) -> Result<(), PolicyError> {
        let tensors = self.open()?;
        let tensor = self.tensor(&tensors, name)?;
        if tensor.shape() != shape {
            return Err(self.bad(format_args!(
                "tensor \"{name}\" has shape {:?}, where {shape:?} is expected; the files belong to different models",
                tensor.shape()
            )));
        }
        self.widen(name, tensor.dtype(), tensor.data(), out)?;
        match out.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(at) => Err(self.bad(format_args!(
                "tensor \"{name}\" holds {} at element {at}; the file is damaged: copy it again",
                out[at]
            ))),
        }
    }

    /// Whether a tensor is of a type that is read.
    pub(crate) fn is_float(&self, name: &str) -> Result<bool, PolicyError> {
        Ok(matches!(self.tensor(&self.open()?, name)?.dtype(), Dtype::F32 | Dtype::BF16 | Dtype::F16))
    }

    /// Whether a tensor has the shape and the values of one in this or another file.
    pub(crate) fn same(&self, name: &str, other: &Self, other_name: &str) -> Result<bool, PolicyError> {
        const BLOCK: usize = 1 << 16;
        let (ours, theirs) = (self.open()?, other.open()?);
        let (a, b) = (self.tensor(&ours, name)?, other.tensor(&theirs, other_name)?);
        if a.shape() != b.shape() {
            return Ok(false);
        }
        if a.dtype() == b.dtype() && a.data() == b.data() {
            return Ok(true);
        }
        let width = |dtype: Dtype| if dtype == Dtype::F32 { 4 } else { 2 };
        let blocks = a.data().chunks(BLOCK * width(a.dtype())).zip(b.data().chunks(BLOCK * width(b.dtype())));
        let (mut left, mut right) = (vec![0.0; BLOCK], vec![0.0; BLOCK]);
        for (x, y) in blocks {
            let n = x.len() / width(a.dtype());
            self.widen(name, a.dtype(), x, &mut left[..n])?;
            other.widen(other_name, b.dtype(), y, &mut right[..n])?;
            if left[..n] != right[..n] {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn tensor<'a>(&self, file: &SafeTensors<'a>, name: &str) -> Result<TensorView<'a>, PolicyError> {
        file.tensor(name).map_err(|_| self.bad(format_args!("tensor \"{name}\" is missing")))
    }

    fn widen(&self, name: &str, dtype: Dtype, data: &[u8], out: &mut [f32]) -> Result<(), PolicyError> {
        let halves = || data.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        match dtype {
            Dtype::F32 => {
                for (o, b) in out.iter_mut().zip(data.chunks_exact(4)) {
                    *o = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                }
            }
            Dtype::BF16 => {
                out.iter_mut().zip(halves()).for_each(|(o, h)| *o = f32::from_bits(u32::from(h) << 16));
            }
            Dtype::F16 => out.iter_mut().zip(halves()).for_each(|(o, h)| *o = f16_to_f32(h)),
            other => {
                return Err(self.bad(format_args!(
                    "tensor \"{name}\" is of type {other:?}; this backend reads F32, BF16 and F16: convert the model"
                )));
            }
        }
        Ok(())
    }
}

/// IEEE half precision to single.
fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let (exponent, fraction) = (u32::from(half >> 10) & 0x1f, u32::from(half) & 0x3ff);
    match exponent {
        0 => f32::from_bits(sign | (fraction as f32 * 2.0_f32.powi(-24)).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// A named tensor to write.
#[derive(Debug)]
pub(crate) struct NamedTensor<'a> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: &'a [f32],
}

impl<'a> NamedTensor<'a> {
    /// A parameter's part of a flat buffer, under its name with `prefix`.
    pub(crate) fn of(parameter: &Parameter, prefix: &str, flat: &'a [f32]) -> Self {
        let name = format!("{prefix}{}", parameter.name);
        Self { name, shape: parameter.shape.clone(), data: &flat[parameter.at.clone()] }
    }
}

impl View for &NamedTensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(self.data.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        self.data.len() * 4
    }
}

/// Writes a safetensors file with one entry of metadata. The file is whole or absent.
///
/// # Errors
/// [`PolicyError::Io`] names the file.
pub(crate) fn write(
    dir: &Path,
    name: &str,
    tensors: &[NamedTensor<'_>],
    metadata: (&str, String),
) -> Result<(), PolicyError> {
    let metadata = HashMap::from([(metadata.0.to_owned(), metadata.1)]);
    let tensors = || tensors.iter().map(|t| (&t.name, t));
    create_atomically(dir, name, |temporary| {
        safetensors::serialize_to_file(tensors(), Some(metadata), temporary).map_err(|error| match error {
            SafeTensorError::IoError(error) => error,
            other => std::io::Error::other(other),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision() {
        // Values of IEEE 754-2008, table 3.5.
        for (half, single) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x0400, 6.103_515_6e-5),
        ] {
            assert_eq!(f16_to_f32(half).to_bits(), f32::to_bits(single));
        }
        assert!(f16_to_f32(0x7c00).is_infinite() && f16_to_f32(0x7e00).is_nan());
    }
}
