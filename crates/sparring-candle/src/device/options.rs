//! Settings of a [`DevicePolicy`](super::DevicePolicy): device, precision, sizes.

use crate::learn::AdamWConfig;
use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};
use sparring_core::PolicyError;

/// A device that candle computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeviceKind {
    /// The processor. [`CandlePolicy`](crate::CandlePolicy) is faster there.
    #[default]
    Cpu,
    /// The NVIDIA device with this number, from 0. Needs the feature `cuda`.
    Cuda(usize),
}

impl DeviceKind {
    /// # Errors
    /// [`PolicyError::Backend`] if there is no such device or no support for it was compiled in.
    pub(crate) fn open(self) -> Result<Device, PolicyError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(PolicyError::invalid(
                "device.device is a CUDA device; build sparring-candle with its feature `cuda`",
            )),
            Self::Cuda(index) => Device::new_cuda(index).map_err(|error| {
                let what = format!("opening CUDA device {index}; see whether nvidia-smi lists it");
                PolicyError::backend(what, error)
            }),
        }
    }
}

/// The number format of weights and activations. Trained weights, moments and sums of gradients are always in single
/// precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// bfloat16: 8 bits of mantissa. Norms, softmax and log-probabilities stay in single precision.
    Bf16,
}

impl Precision {
    pub(crate) fn dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
        }
    }
}

/// Settings of a [`DevicePolicy`](super::DevicePolicy).
///
/// ```
/// use sparring_candle::{DeviceKind, DeviceOptions, Precision};
/// let options = DeviceOptions::default().with_device(DeviceKind::Cuda(0)).with_precision(Precision::Bf16);
/// options.validate()?;
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct DeviceOptions {
    /// The device.
    pub device: DeviceKind,
    /// The number format.
    pub precision: Precision,
    /// Maximum number of tokens per pass of scoring or learning, padding included, and of the prompts that sampling
    /// reads at a time. A longer sequence is a separate pass. Attention takes about 4·heads·tokens·(tokens per row)·6
    /// bytes.
    pub pass_tokens: usize,
    /// Maximum number of completions that are drawn at a time.
    pub decode_rows: usize,
    /// The optimiser.
    pub adamw: AdamWConfig,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        Self {
            device: DeviceKind::Cpu,
            precision: Precision::F32,
            pass_tokens: 8192,
            decode_rows: 256,
            adamw: AdamWConfig::default(),
        }
    }
}

impl DeviceOptions {
    /// Sets the device.
    #[must_use]
    pub fn with_device(mut self, device: DeviceKind) -> Self {
        self.device = device;
        self
    }

    /// Sets the precision.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Sets the size of a pass, tokens.
    #[must_use]
    pub fn with_pass_tokens(mut self, tokens: usize) -> Self {
        self.pass_tokens = tokens;
        self
    }

    /// Sets how many completions are drawn at a time.
    #[must_use]
    pub fn with_decode_rows(mut self, rows: usize) -> Self {
        self.decode_rows = rows;
        self
    }

    /// Sets the optimiser.
    #[must_use]
    pub fn with_adamw(mut self, adamw: AdamWConfig) -> Self {
        self.adamw = adamw;
        self
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the field that is out of range.
    pub fn validate(&self) -> Result<(), PolicyError> {
        for (field, value) in [("pass_tokens", self.pass_tokens), ("decode_rows", self.decode_rows)] {
            if value == 0 {
                return Err(PolicyError::invalid(format!("device.{field} must be at least 1")));
            }
        }
        self.adamw.validate()
    }
}
