//! Inputs and outputs of all passes: the model, the destination of gradients, results.

use super::adapter::AdapterView;
use crate::batch::Masks;
use crate::kernels::{Buffer, RopeTables};
use crate::model::{Layout, ModelConfig};
use std::borrow::Cow;
use std::ops::Range;

/// The input of every pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineModel<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) layout: &'a Layout,
    pub(crate) weights: &'a [f32],
    pub(crate) rope: &'a RopeTables,
    /// Low-rank adapters; the base is then frozen.
    pub(crate) adapter: Option<AdapterView<'a>>,
}

impl<'a> EngineModel<'a> {
    pub(super) fn get(&self, range: &Range<usize>) -> &'a [f32] {
        &self.weights[range.clone()]
    }

    /// What a norm multiplies by: its weights, or 1 more.
    pub(super) fn norm(&self, range: &Range<usize>) -> Cow<'a, [f32]> {
        self.config.norm_factors(self.get(range))
    }

    pub(super) fn eps(&self) -> f32 {
        self.config.rms_norm_eps as f32
    }
}

/// The destination of gradients: the trained parameters, in one flat buffer.
#[derive(Debug)]
pub(crate) enum Sink<'a> {
    /// All parameters of the base.
    Base(&'a mut [f32]),
    /// The factors of the adapters.
    Adapter(&'a mut [f32]),
}

impl Sink<'_> {
    /// The gradient of a parameter of the base, unless that is frozen.
    pub(super) fn base(&mut self, range: &Range<usize>) -> Option<&mut [f32]> {
        match self {
            Self::Base(gradient) => Some(&mut gradient[range.clone()]),
            Self::Adapter(_) => None,
        }
    }

    /// The gradient of a parameter of the base, or a scratch buffer whose content is unused.
    pub(super) fn base_or<'s>(&'s mut self, range: &Range<usize>, discard: &'s mut Buffer) -> &'s mut [f32] {
        match self {
            Self::Base(gradient) => &mut gradient[range.clone()],
            Self::Adapter(_) => discard.fit(range.len()),
        }
    }

    /// The gradient of a factor; empty if the base is trained.
    pub(super) fn adapter(&mut self, range: &Range<usize>) -> &mut [f32] {
        match self {
            Self::Base(_) => &mut [],
            Self::Adapter(gradient) => &mut gradient[range.clone()],
        }
    }
}

/// The output head's operation on a row of logits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadSettings<'a> {
    pub(crate) temperature: f32,
    pub(crate) entropy: bool,
    /// The softmax is over the allowed tokens.
    pub(crate) masks: &'a Masks,
}

/// Per-token results of one block, with their flat indices.
#[derive(Debug, Default)]
pub(crate) struct TokenResults {
    pub(crate) logp: Vec<(usize, f32)>,
    pub(crate) entropy: Vec<(usize, f32)>,
}
