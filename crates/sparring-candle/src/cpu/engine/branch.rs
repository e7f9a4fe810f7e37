//! Where attention and the feed-forward part leave the residual stream, and where they join it again.
//!
//! A branch computes `stream += m·after(w·(…before(stream)…))`: its norms and the factor m are those of the family.
//! Where there is neither a norm after it nor a factor, the last product is added in place.

use super::model::{EngineModel, Sink};
use super::plan::Rows;
use super::workspace::Scratch;
use super::{project, workspace::ProductScratch};
use crate::kernels::{Buffer, Write, add, rms_backward, rms_forward, scale_in_place};
use crate::model::Linear;
use std::ops::Range;

/// Buffers of what a branch gives.
#[derive(Debug, Default)]
pub(crate) struct BranchScratch {
    /// The last product's result.
    raw: Buffer,
    normed: Buffer,
    scales: Buffer,
    /// ∂L/∂ of the result, times m, and back through the norm.
    scaled: Buffer,
    d_raw: Buffer,
    discard: Buffer,
}

/// What a branch reads of the rows `x`: normalised to `normed`, or `x` itself.
pub(super) fn read<'b>(
    model: EngineModel<'_>,
    norm: &Range<usize>,
    x: &'b [f32],
    (normed, scales): (&'b mut Buffer, &mut Buffer),
) -> &'b [f32] {
    if norm.is_empty() {
        return x;
    }
    let normed = normed.fit(x.len());
    rms_forward(x, &model.norm(norm), model.eps(), normed, scales.fit(x.len() / norm.len()));
    normed
}

/// Adds ∂L/∂x to `scratch.dx`, given ∂L/∂(what the branch read) in `scratch.dh` and the scales of [`read`].
pub(super) fn read_backward(
    model: EngineModel<'_>,
    norm: &Range<usize>,
    x: &[f32],
    scratch: &mut Scratch,
    sink: &mut Sink<'_>,
) {
    let (dh, dx) = (scratch.dh.get(x.len()), scratch.dx.fit(x.len()));
    if norm.is_empty() {
        return add(dx, dh);
    }
    let dw = sink.base_or(norm, &mut scratch.discard);
    rms_backward(x, &model.norm(norm), scratch.scales.get(x.len() / norm.len()), dh, dx, dw);
}

/// The end of a branch: its last product, and the norm of what that gives.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) linear: &'a Linear,
    pub(super) norm: &'a Range<usize>,
}

impl End<'_> {
    /// Whether the product's result is what is added.
    pub(super) fn is_plain(self, model: EngineModel<'_>) -> bool {
        self.norm.is_empty() && model.config.residual_scale().is_none()
    }

    /// Adds what the branch makes of `x` to `stream`.
    ///
    /// # Shapes
    /// `x`: rows × inputs of the product; `stream`: rows × hidden.
    pub(super) fn join(
        self,
        model: EngineModel<'_>,
        rows: Rows<'_>,
        x: &[f32],
        stream: &mut [f32],
        (scratch, products): (&mut BranchScratch, &mut ProductScratch),
    ) {
        if self.is_plain(model) {
            return project::forward(model, rows, self.linear, x, stream, Write::Add, products);
        }
        let raw = scratch.raw.fit(stream.len());
        project::forward(model, rows, self.linear, x, raw, Write::Replace, products);
        let result = if self.norm.is_empty() {
            raw
        } else {
            let normed = scratch.normed.fit(stream.len());
            rms_forward(raw, &model.norm(self.norm), model.eps(), normed, scratch.scales.fit(rows.len()));
            normed
        };
        if let Some(factor) = model.config.residual_scale() {
            scale_in_place(result, factor);
        }
        add(stream, result);
    }

    /// ∂L/∂(the product's result), given ∂L/∂stream in `dx`. The product runs again where its norm needs it.
    pub(super) fn gradient<'b>(
        self,
        model: EngineModel<'_>,
        rows: Rows<'_>,
        x: &[f32],
        dx: &'b [f32],
        (scratch, products): (&'b mut BranchScratch, &mut ProductScratch),
        sink: &mut Sink<'_>,
    ) -> &'b [f32] {
        if self.is_plain(model) {
            return dx;
        }
        let scaled = scratch.scaled.fit(dx.len());
        scaled.copy_from_slice(dx);
        if let Some(factor) = model.config.residual_scale() {
            scale_in_place(scaled, factor);
        }
        if self.norm.is_empty() {
            return scaled;
        }
        let (norm, n) = (model.norm(self.norm), dx.len());
        let (raw, scales) = (scratch.raw.fit(n), scratch.scales.fit(rows.len()));
        project::forward(model, rows, self.linear, x, raw, Write::Replace, products);
        rms_forward(raw, &norm, model.eps(), scratch.normed.fit(n), scales);
        let (d_raw, dw) = (scratch.d_raw.zeroed(n), sink.base_or(self.norm, &mut scratch.discard));
        rms_backward(raw, &norm, scales, scaled, d_raw, dw);
        d_raw
    }
}
