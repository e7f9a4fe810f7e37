//! One pass over some completions: forward, and back layer by layer.
//!
//! The forward pass keeps each layer's input and no tape. The backward pass recomputes one layer at a time with a
//! tape (arXiv:1604.06174): a third more work for the memory of one layer. A shared prompt is a separate stream. The
//! rows see its keys and values, and the gradient flows back through them.

use super::decoder::{Decoder, KeyValue, forbidden, scores};
use super::frame::Frame;
use super::gradients::{GradientSums, differentiate, track};
use super::plan::{PassPlan, PassRow};
use super::weights::TensorWeights;
use crate::batch::Masks;
use crate::learn::LossGradients;
use crate::model::ModelConfig;
use candle_core::{DType, Device, Result, Tensor};
use std::ops::Range;

/// Hidden states of one depth: 1 × tokens × hidden_size, and rows × tokens × hidden_size.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    context: Option<Tensor>,
    rows: Tensor,
}

/// Logits are computed in blocks of this many values, never for the whole batch at once.
const LOGITS: usize = 1 << 24;

/// The constants of a pass.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    config: &'a ModelConfig,
    temperature: f32,
    context: Option<(Tensor, Frame)>,
    rows: (Tensor, Frame),
    /// The positions among rows × tokens that predict a completion's token, and these tokens.
    predicting: Tensor,
    targets: Tensor,
    /// The places of the predicted tokens within the batch.
    flat: Vec<Range<usize>>,
    masks: &'a Masks,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        config: &'a ModelConfig,
        place: (&Device, DType),
        batch: &PassPlan<'_>,
        temperature: f32,
        masks: &'a Masks,
    ) -> Result<Self> {
        let tokens = batch.rows.iter().map(PassRow::len).max().unwrap_or(0);
        let (mut ids, mut predicting, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        for (i, row) in batch.rows.iter().enumerate() {
            let from = (i * tokens + row.head.len() - 1) as u32;
            predicting.extend(from..from + row.completion.len() as u32);
            targets.extend_from_slice(row.completion);
            ids.extend_from_slice(row.head);
            ids.extend_from_slice(&row.completion[..row.completion.len() - 1]);
            ids.resize((i + 1) * tokens, 0);
        }
        let shared = batch.context.len();
        let context = if shared > 0 {
            let ids = Tensor::from_slice(batch.context, (1, shared), place.0)?;
            Some((ids, Frame::causal(config, place, 0, shared)?))
        } else {
            None
        };
        let ids = Tensor::from_vec(ids, (batch.rows.len(), tokens), place.0)?;
        let rows = (ids, Frame::causal(config, place, shared, tokens)?);
        let flat = batch.rows.iter().map(|row| row.flat..row.flat + row.completion.len()).collect();
        let vector = |values: Vec<u32>| Tensor::new(values, place.0);
        let (predicting, targets) = (vector(predicting)?, vector(targets)?);
        Ok(Self { config, temperature, context, rows, predicting, targets, flat, masks })
    }

    /// Log-probabilities and entropies of the pass's tokens; `keep` receives the input of each layer and the output of
    /// the last.
    pub(super) fn forward(
        &self,
        weights: &TensorWeights,
        mut keep: Option<&mut Vec<Streams>>,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let decoder = Decoder { config: self.config, weights };
        let mut x = self.embed(decoder)?;
        for i in 0..self.config.num_hidden_layers {
            let y = self.layer(decoder, i, &x)?;
            let x = std::mem::replace(&mut x, y);
            if let Some(keep) = &mut keep {
                keep.push(x);
            }
        }
        let (mut logp, mut entropy) = (Vec::new(), Vec::new());
        let hidden = self.hidden(&x.rows)?;
        for part in self.parts()? {
            let (l, h) = self.head(decoder, &hidden.narrow(0, part.start, part.len())?, &part)?;
            logp.extend(l.to_dtype(DType::F32)?.to_vec1::<f32>()?);
            entropy.extend(h.to_dtype(DType::F32)?.to_vec1::<f32>()?);
        }
        if let Some(keep) = keep {
            keep.push(x);
        }
        Ok((logp, entropy))
    }

    /// Adds the gradient to `sink`. `kept` is what `forward` kept.
    pub(super) fn backward(
        &self,
        weights: &TensorWeights,
        mut kept: Vec<Streams>,
        gradients: &LossGradients,
        sink: &mut GradientSums<'_>,
    ) -> Result<()> {
        let decoder = Decoder { config: self.config, weights };
        let Some(last) = kept.pop() else { return Ok(()) };
        let mut gradient =
            Streams { context: None, rows: self.head_backward(decoder, &last.rows, gradients, sink)? };
        for (i, x) in kept.into_iter().enumerate().rev() {
            let x = Streams { context: x.context.as_ref().map(track).transpose()?, rows: track(&x.rows)? };
            let y = self.layer(decoder, i, &x)?;
            let mut outputs = vec![(&y.rows, &gradient.rows)];
            outputs.extend(y.context.as_ref().zip(gradient.context.as_ref()));
            let found = differentiate(&outputs)?;
            sink.add(&found, |name| name.contains(&format!("model.layers.{i}.")))?;
            gradient = Streams {
                context: x.context.as_ref().and_then(|x| found.get(x)).cloned(),
                rows: GradientSums::of(&found, &x.rows, "the input of a layer")?,
            };
        }
        if sink.wants(EMBEDDING) {
            let x = self.embed(decoder)?;
            let mut outputs = vec![(&x.rows, &gradient.rows)];
            outputs.extend(x.context.as_ref().zip(gradient.context.as_ref()));
            sink.add(&differentiate(&outputs)?, |name| name == EMBEDDING)?;
        }
        Ok(())
    }

    /// Writes values of the pass's tokens to their places in the batch.
    pub(super) fn scatter(&self, values: &[f32], out: &mut [f32]) {
        let mut rest = values;
        for place in &self.flat {
            let (own, others) = rest.split_at(place.len());
            out[place.clone()].copy_from_slice(own);
            rest = others;
        }
    }

    /// The values of the pass's tokens, from their places in the batch.
    pub(super) fn collect(&self, values: &[f32]) -> Vec<f32> {
        self.flat.iter().flat_map(|place| &values[place.clone()]).copied().collect()
    }

    fn embed(&self, decoder: Decoder<'_>) -> Result<Streams> {
        let context = self.context.as_ref().map(|(ids, _)| decoder.embed(ids)).transpose()?;
        Ok(Streams { context, rows: decoder.embed(&self.rows.0)? })
    }

    fn layer(&self, decoder: Decoder<'_>, i: usize, x: &Streams) -> Result<Streams> {
        let Some((x_context, (_, frame))) = x.context.as_ref().zip(self.context.as_ref()) else {
            return Ok(Streams { context: None, rows: decoder.layer(i, &x.rows, &self.rows.1, Ok)? });
        };
        let mut shared = None;
        let context = decoder.layer(i, x_context, frame, |own: KeyValue| {
            shared = Some(own.clone());
            Ok(own)
        })?;
        let after = |own: KeyValue| match &shared {
            Some(shared) => shared.before(&own),
            None => Ok(own),
        };
        let rows = decoder.layer(i, &x.rows, &self.rows.1, after)?;
        Ok(Streams { context: Some(context), rows })
    }

    /// The states that predict a token: tokens × hidden_size.
    fn hidden(&self, rows: &Tensor) -> Result<Tensor> {
        rows.flatten(0, 1)?.index_select(&self.predicting, 0)
    }

    /// The predicted tokens, in parts whose logits are of bounded size.
    fn parts(&self) -> Result<Vec<Range<usize>>> {
        let (tokens, most) = (self.targets.dim(0)?, (LOGITS / self.config.vocab_size).max(1));
        Ok((0..tokens).step_by(most).map(|from| from..(from + most).min(tokens)).collect())
    }

    fn head(&self, decoder: Decoder<'_>, hidden: &Tensor, part: &Range<usize>) -> Result<(Tensor, Tensor)> {
        let targets = self.targets.narrow(0, part.start, part.len())?;
        let places = self.flat.iter().cloned().flatten();
        let masks: Vec<_> =
            places.skip(part.start).take(part.len()).map(|flat| self.masks.at(flat)).collect();
        let logits = decoder.logits(hidden)?;
        let forbidden = forbidden(&masks, self.config.vocab_size, (logits.device(), logits.dtype()))?;
        scores(&logits, &targets, self.temperature, forbidden.as_ref())
    }

    /// The derivative with respect to the last layer's output.
    fn head_backward(
        &self,
        decoder: Decoder<'_>,
        rows: &Tensor,
        gradients: &LossGradients,
        sink: &mut GradientSums<'_>,
    ) -> Result<Tensor> {
        let hidden = self.hidden(rows)?;
        let head = if self.config.tie_word_embeddings { EMBEDDING } else { "lm_head.weight" };
        let mut d_hidden = Vec::new();
        for part in self.parts()? {
            let x = track(&hidden.narrow(0, part.start, part.len())?)?;
            let (logp, entropy) = self.head(decoder, &x, &part)?;
            let gradient = |of: &[f32], like: &Tensor| {
                Tensor::new(&of[part.clone()], rows.device())?.to_dtype(like.dtype())
            };
            let d_logp = gradient(&gradients.logp, &logp)?;
            let d_entropy = gradients.entropy.as_ref().map(|of| gradient(of, &entropy)).transpose()?;
            let mut outputs = vec![(&logp, &d_logp)];
            outputs.extend(d_entropy.as_ref().map(|d| (&entropy, d)));
            let found = differentiate(&outputs)?;
            sink.add(&found, |name| name == head || name == "model.norm.weight")?;
            d_hidden.push(GradientSums::of(&found, &x, "the input of the output layer")?);
        }
        let zeros = rows.flatten(0, 1)?.zeros_like()?;
        zeros.index_add(&self.predicting, &Tensor::cat(&d_hidden, 0)?, 0)?.reshape(rows.shape())
    }
}

const EMBEDDING: &str = "model.embed_tokens.weight";
