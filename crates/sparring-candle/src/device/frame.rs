//! Positions and attention masks of a pass.

use crate::model::ModelConfig;
use candle_core::{DType, Device, Result, Tensor};

/// Added to the score of a hidden token, whose weight is then exactly 0.
const HIDDEN: f32 = -1e9;

/// The type that sums are computed in.
pub(super) fn wide(dtype: DType) -> DType {
    if matches!(dtype, DType::BF16 | DType::F16) { DType::F32 } else { dtype }
}

/// Rotary tables and masks of a pass. They are constants.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Cosines and sines of each rotation of the model: (rows or 1) × 1 × tokens × (half of what turns of a head)
    pub(crate) turns: Vec<(Tensor, Tensor)>,
    /// (rows or 1) × 1 × 1 × tokens × (all tokens attended to); `None` if each sees everything.
    mask: Option<Tensor>,
    /// The same for layers with a window.
    window_mask: Option<Tensor>,
}

impl Frame {
    /// Tokens at `start..start + tokens` in every row. Each sees all tokens before it and itself. Padding follows a
    /// row's own tokens and needs no mask.
    pub(crate) fn causal(
        config: &ModelConfig,
        place: (&Device, DType),
        start: usize,
        tokens: usize,
    ) -> Result<Self> {
        let positions: Vec<usize> = (start..start + tokens).collect();
        let turns = turns(config, place, &positions, (1, 1, tokens))?;
        let total = start + tokens;
        let mask = |window: usize| {
            let first = |q: usize| (start + q + 1).saturating_sub(window);
            let hidden = |q: usize| (0..total).map(move |k| k > start + q || k < first(q));
            let hidden: Vec<bool> = (0..tokens).flat_map(hidden).collect();
            mask(place, &hidden, (1, 1, 1, tokens, total))
        };
        let window_mask = config.sliding_window.map_or(Ok(None), mask)?;
        Ok(Self { turns, mask: mask(usize::MAX)?, window_mask })
    }

    /// One token per row, each at its own position. `hidden` are the keys that no layer sees of those before it.
    pub(crate) fn step(
        config: &ModelConfig,
        place: (&Device, DType),
        positions: &[usize],
        masks: StepMasks,
    ) -> Result<Self> {
        let turns = turns(config, place, positions, (positions.len(), 1, 1))?;
        Ok(Self { turns, mask: masks.gaps, window_mask: masks.window })
    }

    /// The mask of a layer with this window.
    pub(crate) fn mask(&self, window: usize) -> Option<&Tensor> {
        if window == usize::MAX { self.mask.as_ref() } else { self.window_mask.as_ref() }
    }
}

/// Masks of a step: of layers that see everything, and of those with a window. `None` if nothing is hidden.
#[derive(Debug)]
pub(crate) struct StepMasks {
    pub(crate) gaps: Option<Tensor>,
    pub(crate) window: Option<Tensor>,
}

/// What to add to scores so that some keys have no weight; `None` if none is hidden.
fn mask(
    (device, dtype): (&Device, DType),
    hidden: &[bool],
    shape: (usize, usize, usize, usize, usize),
) -> Result<Option<Tensor>> {
    if !hidden.contains(&true) {
        return Ok(None);
    }
    let values: Vec<f32> = hidden.iter().map(|&hidden| if hidden { HIDDEN } else { 0.0 }).collect();
    Tensor::from_vec(values, shape, device)?.to_dtype(wide(dtype)).map(Some)
}

/// Hides, in a cache of `capacity` tokens, the positions between the end of each row's prompt and `longest`, and those
/// that a window does not reach from the last: rows × 1 × 1 × 1 × capacity. `None` if nothing is hidden.
pub(crate) fn gaps(
    place: (&Device, DType),
    prompts: &[usize],
    longest: usize,
    capacity: usize,
    window: usize,
) -> Result<Option<Tensor>> {
    let row = |&length: &usize| {
        // Drawn tokens follow at `longest`.
        let last = length + capacity - longest;
        let first = last.saturating_sub(window);
        let position = move |k: usize| if k < longest { k } else { k - longest + length };
        (0..capacity).map(move |k| (k >= length && k < longest) || position(k) < first)
    };
    let hidden: Vec<bool> = prompts.iter().flat_map(row).collect();
    mask(place, &hidden, (prompts.len(), 1, 1, 1, capacity))
}

/// Cosines and sines of position·frequency (arXiv:2104.09864) of each rotation, in this shape × frequencies.
fn turns(
    config: &ModelConfig,
    (device, dtype): (&Device, DType),
    positions: &[usize],
    (rows, heads, tokens): (usize, usize, usize),
) -> Result<Vec<(Tensor, Tensor)>> {
    let table = |frequencies: &[f32], factor: f64, f: fn(f64) -> f64| {
        let row = |&t: &usize| frequencies.iter().map(move |&w| factor * f(t as f64 * f64::from(w)));
        let values: Vec<f64> = positions.iter().flat_map(row).collect();
        // Not every device has double precision: cast before the tensor is moved.
        Tensor::from_vec(values, (rows, heads, tokens, frequencies.len()), &Device::Cpu)?
            .to_dtype(wide(dtype))?
            .to_device(device)
    };
    let both = |(frequencies, factor): (Vec<f32>, f64)| {
        Ok((table(&frequencies, factor, f64::cos)?, table(&frequencies, factor, f64::sin)?))
    };
    config.rotations().into_iter().map(both).collect()
}
