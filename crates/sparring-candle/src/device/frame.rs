//! Positions and attention masks of a pass.

use crate::model::ModelConfig;
use candle_core::{DType, Device, Result, Tensor};

/// Added to the score of a hidden token, whose weight is then exactly 0.
const HIDDEN: f32 = -1e9;

/// The type that sums are computed in.
pub(super) fn wide(dtype: DType) -> DType {
    if matches!(dtype, DType::BF16 | DType::F16) { DType::F32 } else { dtype }
}

/// Rotary tables and mask of a pass. They are constants.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// (rows or 1) × 1 × tokens × head_dim/2
    pub(crate) cos: Tensor,
    pub(crate) sin: Tensor,
    /// (rows or 1) × 1 × 1 × tokens × (all tokens attended to); `None` if each sees everything.
    pub(crate) mask: Option<Tensor>,
}

impl Frame {
    /// Tokens at `start..start + tokens` in every row. Each sees all tokens before it and itself. Padding follows a
    /// row's own tokens and needs no mask.
    pub(crate) fn causal(
        config: &ModelConfig,
        (device, dtype): (&Device, DType),
        start: usize,
        tokens: usize,
    ) -> Result<Self> {
        let positions: Vec<usize> = (start..start + tokens).collect();
        let (cos, sin) = turns(config, (device, dtype), &positions)?;
        let shape = (1, 1, tokens, config.head_dim / 2);
        let total = start + tokens;
        let row = |q: usize| (0..total).map(move |k| if k > start + q { HIDDEN } else { 0.0 });
        let mask: Vec<f32> = (0..tokens).flat_map(row).collect();
        let mask = Tensor::from_vec(mask, (1, 1, 1, tokens, total), device)?.to_dtype(wide(dtype))?;
        let mask = (tokens > 1).then_some(mask);
        Ok(Self { cos: cos.reshape(shape)?, sin: sin.reshape(shape)?, mask })
    }

    /// One token per row, each at its own position.
    pub(crate) fn step(
        config: &ModelConfig,
        place: (&Device, DType),
        positions: &[usize],
        mask: Option<Tensor>,
    ) -> Result<Self> {
        let (cos, sin) = turns(config, place, positions)?;
        let shape = (positions.len(), 1, 1, config.head_dim / 2);
        Ok(Self { cos: cos.reshape(shape)?, sin: sin.reshape(shape)?, mask })
    }
}

/// Hides the positions between the end of each row's prompt and `longest`, up to `capacity` tokens: rows × 1 × 1 × 1 ×
/// capacity. `None` if nothing is hidden.
pub(crate) fn gaps(
    (device, dtype): (&Device, DType),
    prompts: &[usize],
    longest: usize,
    capacity: usize,
) -> Result<Option<Tensor>> {
    if prompts.iter().all(|&length| length == longest) {
        return Ok(None);
    }
    let row = |&length: &usize| (0..capacity).map(move |k| (k >= length && k < longest, k));
    let hide = |(hidden, _)| if hidden { HIDDEN } else { 0.0 };
    let values: Vec<f32> = prompts.iter().flat_map(row).map(hide).collect();
    Tensor::from_vec(values, (prompts.len(), 1, 1, 1, capacity), device)?.to_dtype(wide(dtype)).map(Some)
}

/// Cosines and sines of position·frequency (arXiv:2104.09864), positions × head_dim/2.
fn turns(
    config: &ModelConfig,
    (device, dtype): (&Device, DType),
    positions: &[usize],
) -> Result<(Tensor, Tensor)> {
    let frequencies = config.rope_scaling.frequencies(config.head_dim, config.rope_theta);
    let factor = config.rope_scaling.attention_factor();
    let table = |f: fn(f64) -> f64| {
        let row = |&t: &usize| frequencies.iter().map(move |&w| factor * f(t as f64 * f64::from(w)));
        let values: Vec<f64> = positions.iter().flat_map(row).collect();
        // Not every device has double precision: cast before the tensor is moved.
        Tensor::from_vec(values, (positions.len(), frequencies.len()), &Device::Cpu)?
            .to_dtype(wide(dtype))?
            .to_device(device)
    };
    Ok((table(f64::cos)?, table(f64::sin)?))
}
