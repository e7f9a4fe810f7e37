//! The products of a layer, with the low-rank adapters that lie on them.
//!
//! `y = x·wᵀ + bias + Σ scale·(x·aᵀ)·bᵀ` (arXiv:2106.09685, equation 3). With adapters the base is frozen:
//! its gradients are not computed.

use super::model::{EngineModel, Sink};
use super::plan::Rows;
use super::workspace::ProductScratch;
use crate::kernels::{Buffer, Mat, MatMut, Packing, Write, add, matmul, scale_in_place};
use crate::lora::Pair;
use crate::model::Linear;

/// Writes the product to `y`, or adds it.
///
/// # Shapes
/// `x`: rows × inputs; `y`: rows × outputs.
pub(super) fn forward(
    model: EngineModel<'_>,
    rows: Rows<'_>,
    linear: &Linear,
    x: &[f32],
    y: &mut [f32],
    write: Write,
    scratch: &mut ProductScratch,
) {
    let (n, inputs, outputs) = (rows.len(), linear.inputs, linear.outputs);
    let write = begin(model.get(&linear.bias), y, write);
    let (x_rows, w) = (Mat::rows(x, inputs), Mat::transposed(model.get(&linear.weight), inputs));
    matmul(MatMut::rows(y, outputs), write, [n, outputs, inputs], x_rows, w, &mut scratch.packing);
    let Some(adapter) = model.adapter else { return };
    for pair in adapter.pairs(linear) {
        let x = adapter.dropped(pair, rows, x, inputs, &mut scratch.dropped);
        let narrow =
            narrow(adapter.get(&pair.a), pair, x, [n, inputs], (&mut scratch.narrow, &mut scratch.packing));
        let b = Mat::transposed(adapter.get(&pair.b), pair.rank);
        let y = MatMut::rows(&mut y[pair.outputs.start..], outputs);
        let shape = [n, pair.outputs.len(), pair.rank];
        matmul(y, Write::Add, shape, Mat::rows(narrow, pair.rank), b, &mut scratch.packing);
    }
}

/// Puts the bias where the sum begins, as decoding does: both get the same bits.
fn begin(bias: &[f32], y: &mut [f32], write: Write) -> Write {
    if bias.is_empty() {
        return write;
    }
    for row in y.chunks_exact_mut(bias.len()) {
        match write {
            Write::Replace => row.copy_from_slice(bias),
            Write::Add => add(row, bias),
        }
    }
    Write::Add
}

/// Adds the gradients of the product's parameters to `sink`, given ∂L/∂y in `dy`.
///
/// # Shapes
/// As in [`forward`].
pub(super) fn parameters(
    model: EngineModel<'_>,
    rows: Rows<'_>,
    linear: &Linear,
    x: &[f32],
    dy: &[f32],
    sink: &mut Sink<'_>,
    scratch: &mut ProductScratch,
) {
    let (n, inputs, outputs) = (rows.len(), linear.inputs, linear.outputs);
    if let Some(dw) = sink.base(&linear.weight) {
        let (dy, x) = (Mat::transposed(dy, outputs), Mat::rows(x, inputs));
        matmul(MatMut::rows(dw, inputs), Write::Add, [outputs, inputs, n], dy, x, &mut scratch.packing);
    }
    if let Some(bias) = sink.base(&linear.bias).filter(|b| !b.is_empty()) {
        dy.chunks_exact(outputs).for_each(|row| add(bias, row));
    }
    let Some(adapter) = model.adapter else { return };
    for pair in adapter.pairs(linear) {
        let dy = &dy[pair.outputs.start..];
        let x = adapter.dropped(pair, rows, x, inputs, &mut scratch.dropped);
        let narrow =
            narrow(adapter.get(&pair.a), pair, x, [n, inputs], (&mut scratch.narrow, &mut scratch.packing));
        let db = MatMut::rows(sink.adapter(&pair.b), pair.rank);
        let shape = [pair.outputs.len(), pair.rank, n];
        let (d_pair, narrow) = (Mat::transposed(dy, outputs), Mat::rows(narrow, pair.rank));
        matmul(db, Write::Add, shape, d_pair, narrow, &mut scratch.packing);
        let buffers = (&mut scratch.d_narrow, &mut scratch.packing);
        let d_narrow = narrow_gradient(adapter.get(&pair.b), pair, dy, [n, outputs], buffers);
        let da = MatMut::rows(sink.adapter(&pair.a), inputs);
        let (d_narrow, x) = (Mat::transposed(d_narrow, pair.rank), Mat::rows(x, inputs));
        matmul(da, Write::Add, [pair.rank, inputs, n], d_narrow, x, &mut scratch.packing);
    }
}

/// Writes ∂L/∂x to `dx`, given ∂L/∂y in `dy`.
///
/// # Shapes
/// As in [`forward`].
pub(super) fn input(
    model: EngineModel<'_>,
    rows: Rows<'_>,
    linear: &Linear,
    dy: &[f32],
    dx: &mut [f32],
    scratch: &mut ProductScratch,
) {
    let (n, inputs, outputs) = (rows.len(), linear.inputs, linear.outputs);
    let w = Mat::rows(model.get(&linear.weight), inputs);
    let shape = [n, inputs, outputs];
    matmul(MatMut::rows(dx, inputs), Write::Replace, shape, Mat::rows(dy, outputs), w, &mut scratch.packing);
    let Some(adapter) = model.adapter else { return };
    for pair in adapter.pairs(linear) {
        let dy = &dy[pair.outputs.start..];
        let buffers = (&mut scratch.d_narrow, &mut scratch.packing);
        let d_narrow = narrow_gradient(adapter.get(&pair.b), pair, dy, [n, outputs], buffers);
        let a = Mat::rows(adapter.get(&pair.a), inputs);
        let d_narrow = Mat::rows(d_narrow, pair.rank);
        let shape = [n, inputs, pair.rank];
        if adapter.drops() {
            let d_dropped = scratch.dropped.fit(n * inputs);
            matmul(MatMut::rows(d_dropped, inputs), Write::Replace, shape, d_narrow, a, &mut scratch.packing);
            adapter.drop(pair, rows, d_dropped, inputs);
            add(dx, d_dropped);
        } else {
            matmul(MatMut::rows(dx, inputs), Write::Add, shape, d_narrow, a, &mut scratch.packing);
        }
    }
}

/// scale·x·aᵀ.
fn narrow<'b>(
    a: &[f32],
    pair: &Pair,
    x: &[f32],
    [n, inputs]: [usize; 2],
    (out, packing): (&'b mut Buffer, &mut Packing),
) -> &'b [f32] {
    let (x, a) = (Mat::rows(x, inputs), Mat::transposed(a, inputs));
    scaled_product(pair, [n, pair.rank, inputs], x, a, (out, packing))
}

/// ∂L/∂(x·aᵀ) = scale·dy·b.
fn narrow_gradient<'b>(
    b: &[f32],
    pair: &Pair,
    dy: &[f32],
    [n, stride]: [usize; 2],
    (out, packing): (&'b mut Buffer, &mut Packing),
) -> &'b [f32] {
    let shape = [n, pair.rank, pair.outputs.len()];
    scaled_product(pair, shape, Mat::rows(dy, stride), Mat::rows(b, pair.rank), (out, packing))
}

fn scaled_product<'b>(
    pair: &Pair,
    shape: [usize; 3],
    a: Mat<'_>,
    b: Mat<'_>,
    (out, packing): (&'b mut Buffer, &mut Packing),
) -> &'b [f32] {
    let out = out.fit(shape[0] * shape[1]);
    matmul(MatMut::rows(out, shape[1]), Write::Replace, shape, a, b, packing);
    scale_in_place(out, pair.scale);
    out
}
