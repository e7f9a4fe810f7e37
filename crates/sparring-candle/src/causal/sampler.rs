//! Sampling from a model with one position for all rows.

use super::CausalModel;
use crate::batch::Limits;
use crate::draw::{Completion, DrawScratch, Finished, Prepared, answer};
use crate::model::ChatTokenizer;
use sparring_core::{PolicyError, Rollout, SampleRequest, Sampler};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A [`CausalModel`] as a `Sampler` and a `Scorer`.
///
/// The completions of a request are rows of one cache. Rows must have equal lengths, so requests are processed one by
/// one, every row reads the prompt, and a finished row keeps computing until all are finished. Scoring takes one pass
/// for the prompt and then one pass per token. If the model is supported, a [`CandlePolicy`](crate::CandlePolicy) or
/// [`DevicePolicy`](crate::DevicePolicy) with the same weights is faster.
///
/// Concurrent calls wait for each other, since there is one model with one cache. Tokens are drawn as in every backend
/// of this crate.
pub struct CausalSampler {
    model: Mutex<Box<dyn CausalModel>>,
    tokenizer: ChatTokenizer,
    pub(super) limits: Limits,
    pub(super) rows: usize,
}

impl CausalSampler {
    /// A model with `vocab_size` logits per token and at most `max_positions` tokens per sequence.
    pub fn new(
        model: impl CausalModel + 'static,
        tokenizer: ChatTokenizer,
        vocab_size: usize,
        max_positions: usize,
    ) -> Self {
        let limits = Limits { vocab_size, max_positions };
        Self { model: Mutex::new(Box::new(model)), tokenizer, limits, rows: 64 }
    }

    /// Sets how many completions the model computes at a time, at least 1 (default: 64).
    #[must_use]
    pub fn with_rows(mut self, rows: usize) -> Self {
        self.rows = rows.max(1);
        self
    }

    /// The model, with an empty cache.
    pub(super) fn fresh(&self) -> MutexGuard<'_, Box<dyn CausalModel>> {
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        model.reset();
        model
    }

    /// One pass. Checks that there is a row of logits for each row of ids.
    pub(super) fn forward(
        &self,
        model: &mut dyn CausalModel,
        ids: &[u32],
        rows: usize,
        position: usize,
    ) -> Result<Vec<f32>, PolicyError> {
        let logits = model.forward(ids, rows, position)?;
        let wanted = rows * self.limits.vocab_size;
        if logits.len() == wanted {
            return Ok(logits);
        }
        Err(PolicyError::invalid(format!(
            "the model gave {} logits for {rows} rows; {wanted} were expected (vocab_size {}): \
             it must give those of the last token only",
            logits.len(),
            self.limits.vocab_size
        )))
    }

    /// Draws some completions of one request.
    fn draw(
        &self,
        requests: &[Prepared<'_>],
        request: usize,
        indices: std::ops::Range<usize>,
        finished: &mut Vec<Finished>,
    ) -> Result<(), PolicyError> {
        let (prompt, rows) = (&requests[request].prompt, indices.len());
        let mut model = self.fresh();
        let mut completions: Vec<_> = indices.map(|i| Some(Completion::new(requests, request, i))).collect();
        let mut scratch = DrawScratch::default();
        let (mut ids, mut position) = (prompt.repeat(rows), 0);
        loop {
            let mut logits = self.forward(&mut **model, &ids, rows, position)?;
            position += ids.len() / rows;
            for (row, logits) in completions.iter_mut().zip(logits.chunks_exact_mut(self.limits.vocab_size)) {
                let Some(completion) = row else { continue };
                if let Some(done) = completion.advance(&self.tokenizer, requests, logits, &mut scratch) {
                    finished.push(done);
                    *row = None;
                }
            }
            if completions.iter().all(Option::is_none) {
                return Ok(());
            }
            ids = completions.iter().map(|row| row.as_ref().map_or(0, Completion::last)).collect();
        }
    }
}

impl Sampler for CausalSampler {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        answer(self.limits, &self.tokenizer, requests, None, |prepared| {
            let mut finished = Vec::new();
            for (request, Prepared { request: r, .. }) in prepared.iter().enumerate() {
                for from in (0..r.n).step_by(self.rows) {
                    let indices = from..(from + self.rows).min(r.n);
                    if let Err(error) = self.draw(prepared, request, indices.clone(), &mut finished) {
                        let outcome = || Err(error.clone());
                        finished.extend(indices.map(|index| Finished { request, index, outcome: outcome() }));
                    }
                }
            }
            Ok(finished)
        })
    }
}

impl fmt::Debug for CausalSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CausalSampler")
            .field("limits", &self.limits)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}
