//! Reads safetensors files as f32, and writes them.

use super::files::create_atomically;
use super::layout::Parameter;
use super::source;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use safetensors::{SafeTensorError, View};
use sparring_core::PolicyError;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Longest header that is read: room for 200,000 tensors, where a dense model has some hundred.
const LONGEST_HEADER: u64 = 32 << 20;
/// Bytes before the header, which are its length.
const PREFIX: u64 = 8;
/// Bytes that are read and widened at once.
const BLOCK: usize = 1 << 20;

/// A safetensors file: its header, and the open file, from which tensors are read when they are asked for.
///
/// Nothing is mapped into memory. A file that is shortened or changed while it is read gives an error, or numbers that
/// are checked after they were read.
#[derive(Debug)]
pub(crate) struct TensorFile {
    pub(crate) path: PathBuf,
    file: Mutex<File>,
    header: Metadata,
    /// Where the tensors begin.
    data: u64,
}

impl TensorFile {
    /// Opens a file and reads its header; `why` is the hint if it does not exist.
    pub(crate) fn read(path: &Path, why: &str) -> Result<Self, PolicyError> {
        let (mut file, len) = source::open(path, why)?;
        let (header, data) = read_header(&mut file, len).map_err(|error| {
            let path = path.display();
            source::invalid(&format!("{path}: not a whole safetensors file ({error}); copy it again"))
        })?;
        Ok(Self { path: path.to_path_buf(), file: Mutex::new(file), header, data })
    }

    /// An error about this file.
    pub(crate) fn bad(&self, why: impl std::fmt::Display) -> PolicyError {
        source::invalid(&format!("{}: {why}", self.path.display()))
    }

    /// Names of the tensors, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = self.header.offset_keys();
        names.sort_unstable();
        names
    }

    /// One entry of the file's metadata.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// Checks that a tensor of this shape is there, of a type that is read. The file was found long enough for it.
    pub(crate) fn check(&self, name: &str, shape: &[usize]) -> Result<(), PolicyError> {
        let info = self.info(name)?;
        if info.shape != shape {
            return Err(self.bad(format_args!(
                "tensor \"{name}\" has shape {:?}, where {shape:?} is expected; the files belong to different models",
                info.shape
            )));
        }
        self.width(name, info).map(|_| ())
    }

    /// Copies a tensor of this shape into `out`, as f32.
    pub(crate) fn copy(&self, name: &str, shape: &[usize], out: &mut [f32]) -> Result<(), PolicyError> {
        self.check(name, shape)?;
        let mut blocks = Blocks::of(self, name)?;
        let dtype = blocks.dtype;
        for out in out.chunks_mut(BLOCK / blocks.width) {
            widen(dtype, blocks.next(out.len())?, out);
        }
        match out.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(at) => Err(self.bad(format_args!(
                "tensor \"{name}\" holds {} at element {at}; the file is damaged: copy it again",
                out[at]
            ))),
        }
    }

    /// Whether a tensor is of a type that is read.
    pub(crate) fn is_float(&self, name: &str) -> bool {
        self.header.info(name).is_some_and(|info| width(info.dtype).is_some())
    }

    /// Whether a tensor has the shape and the values of one in this or another file.
    pub(crate) fn same(&self, name: &str, other: &Self, other_name: &str) -> Result<bool, PolicyError> {
        let (mut a, mut b) = (Blocks::of(self, name)?, Blocks::of(other, other_name)?);
        if self.info(name)?.shape != other.info(other_name)?.shape {
            return Ok(false);
        }
        let (mut left, types) = (a.elements, (a.dtype, b.dtype));
        let (mut x, mut y) = (vec![0.0; BLOCK / 4], vec![0.0; BLOCK / 4]);
        while left > 0 {
            let n = left.min(x.len());
            let (ours, theirs) = (a.next(n)?, b.next(n)?);
            if types.0 != types.1 || ours != theirs {
                widen(types.0, ours, &mut x[..n]);
                widen(types.1, theirs, &mut y[..n]);
                if x[..n] != y[..n] {
                    return Ok(false);
                }
            }
            left -= n;
        }
        Ok(true)
    }

    fn info(&self, name: &str) -> Result<&TensorInfo, PolicyError> {
        self.header.info(name).ok_or_else(|| self.bad(format_args!("tensor \"{name}\" is missing")))
    }

    fn width(&self, name: &str, info: &TensorInfo) -> Result<usize, PolicyError> {
        width(info.dtype).ok_or_else(|| {
            self.bad(format_args!(
                "tensor \"{name}\" is of type {:?}; this backend reads F32, BF16 and F16: convert the model",
                info.dtype
            ))
        })
    }

    fn read_at(&self, name: &str, at: u64, out: &mut [u8]) -> Result<(), PolicyError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(out));
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => self.bad(format_args!(
                "ends within tensor \"{name}\": it was shortened while it was read; copy it again"
            )),
            _ => PolicyError::io(&self.path, error),
        })
    }
}

/// Reads the header, and returns it with the place where the tensors begin; else what is wrong with it.
fn read_header(file: &mut File, len: u64) -> Result<(Metadata, u64), String> {
    let mut prefix = [0; PREFIX as usize];
    file.read_exact(&mut prefix).map_err(|error| error.to_string())?;
    let length = u64::from_le_bytes(prefix);
    if length > len - PREFIX.min(len) {
        return Err(format!("its header would have {length} bytes, and the file has {len}"));
    }
    if length > LONGEST_HEADER {
        return Err(format!("its header has {length} bytes, more than {} MiB", LONGEST_HEADER >> 20));
    }
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text).map_err(|error| error.to_string())?;
    // Checks that the tensors lie one after the other, and that their lengths are those of their shapes.
    let header: Metadata = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let data = PREFIX + length;
    if data.checked_add(header.data_len() as u64) != Some(len) {
        let needs = header.data_len();
        return Err(format!("its tensors have {needs} bytes, and the file has {} for them", len - data));
    }
    Ok((header, data))
}

/// A tensor that is read from its beginning to its end.
struct Blocks<'a> {
    file: &'a TensorFile,
    name: &'a str,
    dtype: Dtype,
    width: usize,
    elements: usize,
    at: u64,
    bytes: Vec<u8>,
}

impl<'a> Blocks<'a> {
    fn of(file: &'a TensorFile, name: &'a str) -> Result<Self, PolicyError> {
        let info = file.info(name)?;
        let width = file.width(name, info)?;
        let (from, to) = info.data_offsets;
        let bytes = vec![0; BLOCK.min(to - from)];
        let at = file.data + from as u64;
        Ok(Self { file, name, dtype: info.dtype, width, elements: (to - from) / width, at, bytes })
    }

    /// The bytes of the next `n` elements, at most a block's.
    fn next(&mut self, n: usize) -> Result<&[u8], PolicyError> {
        let bytes = &mut self.bytes[..n * self.width];
        self.file.read_at(self.name, self.at, bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes)
    }
}

/// Bytes of a number of a type that is read.
fn width(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::F32 => Some(4),
        Dtype::BF16 | Dtype::F16 => Some(2),
        _ => None,
    }
}

/// Numbers of a type that is read, as f32.
fn widen(dtype: Dtype, data: &[u8], out: &mut [f32]) {
    let halves = || data.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    match dtype {
        Dtype::BF16 => {
            out.iter_mut().zip(halves()).for_each(|(o, h)| *o = f32::from_bits(u32::from(h) << 16));
        }
        Dtype::F16 => out.iter_mut().zip(halves()).for_each(|(o, h)| *o = f16_to_f32(h)),
        _ => {
            for (o, b) in out.iter_mut().zip(data.chunks_exact(4)) {
                *o = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            }
        }
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

/// Writes a safetensors file with some metadata. The file is whole or absent.
///
/// # Errors
/// [`PolicyError::Io`] names the file.
pub(crate) fn write(
    dir: &Path,
    name: &str,
    tensors: &[NamedTensor<'_>],
    metadata: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<(), PolicyError> {
    let metadata: BTreeMap<String, String> =
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let tensors = || tensors.iter().map(|t| (&t.name, t));
    create_atomically(dir, name, |temporary| {
        let unsorted: HashMap<String, String> = metadata.clone().into_iter().collect();
        safetensors::serialize_to_file(tensors(), Some(unsorted), temporary).map_err(
            |error| match error {
                SafeTensorError::IoError(error) => error,
                other => std::io::Error::other(other),
            },
        )?;
        sort_metadata(temporary, &metadata)
    })
}

/// Writes the metadata at the beginning of a safetensors file once more, by name: the crate writes the entries of a
/// hash map in any order, and equal runs have equal files.
fn sort_metadata(file: &Path, metadata: &BTreeMap<String, String>) -> std::io::Result<()> {
    /// What a header with metadata begins with, behind its length of 8 bytes.
    const START: &[u8] = b"{\"__metadata__\":";
    let sorted = serde_json::to_vec(metadata)?;
    let mut file = File::options().read(true).write(true).open(file)?;
    let mut start = [0; 8 + START.len()];
    file.read_exact(&mut start)?;
    if start.ends_with(START) && !metadata.is_empty() {
        // The same entries in another order have the same length.
        file.write_all(&sorted)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// With a mapped file, this would end the process.
    #[test]
    fn a_file_that_is_shortened_while_it_is_open_gives_an_error() {
        let (dir, values) = (tempfile::tempdir().unwrap(), vec![1.0; 3 * BLOCK / 4 + 5]);
        let tensor =
            |name: &str| NamedTensor { name: name.to_owned(), shape: vec![values.len()], data: &values };
        write(dir.path(), "x.safetensors", &[tensor("a"), tensor("b")], [("format", "pt".to_owned())])
            .unwrap();
        let path = dir.path().join("x.safetensors");
        let file = TensorFile::read(&path, "").unwrap();
        assert_eq!(
            (file.names(), file.metadata("format")),
            (vec!["a".to_owned(), "b".to_owned()], Some("pt"))
        );
        let mut out = vec![0.0; values.len()];
        file.copy("b", &[values.len()], &mut out).unwrap();
        assert_eq!(out, values);
        assert!(file.same("a", &file, "b").unwrap());
        let half = std::fs::metadata(&path).unwrap().len() / 2;
        File::options().write(true).open(&path).unwrap().set_len(half).unwrap();
        let error = file.copy("b", &[values.len()], &mut out).unwrap_err().to_string();
        assert!(
            error.contains("x.safetensors: ends within tensor \"b\"") && error.contains("copy it"),
            "{error}"
        );
        assert!(file.same("a", &file, "b").is_err());
    }

    #[test]
    fn equal_tensors_are_equal_files() {
        let (dir, values) = (tempfile::tempdir().unwrap(), [1.0, 2.0]);
        let tensor = NamedTensor { name: "a".to_owned(), shape: vec![2], data: &values };
        let entries = ["one", "two", "three", "four", "five"].map(|key| (key, format!("\"{key}\"")));
        let bytes: Vec<Vec<u8>> = (0..5)
            .map(|i| {
                let name = format!("{i}.safetensors");
                let tensor = NamedTensor { name: tensor.name.clone(), shape: vec![2], data: tensor.data };
                write(dir.path(), &name, &[tensor], entries.clone()).unwrap();
                let file = TensorFile::read(&dir.path().join(&name), "").unwrap();
                assert_eq!(file.metadata("four"), Some("\"four\""));
                std::fs::read(dir.path().join(name)).unwrap()
            })
            .collect();
        assert!(bytes.iter().all(|other| *other == bytes[0]));
    }

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
