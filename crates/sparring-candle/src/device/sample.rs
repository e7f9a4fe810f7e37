//! Sampling on a device, in cohorts of completions that start together.
//!
//! Each prompt is read once, and its keys and values are copied to the rows of its group. The cache is allocated
//! once, as rows × key heads × (longest prompt, then drawn tokens) × head_dim. All rows then write their next token
//! at the same index, and the gap between the end of a shorter prompt and the first drawn token is hidden. Finished
//! rows leave once they are half of the cohort. Tokens are drawn on the host, by `draw`.

use super::decoder::{Decoder, KeyValue};
use super::frame::{Frame, StepMasks, gaps};
use super::model::DeviceModel;
use crate::draw::{Completion, DrawScratch, Finished, Prepared, answer};
use crate::error::candle_error;
use candle_core::{DType, Device, Result, Tensor};
use sparring_core::{PolicyError, Rollout, SampleRequest};

/// Draws all completions.
pub(super) fn sample(
    model: &DeviceModel,
    requests: &[SampleRequest],
) -> Vec<std::result::Result<Vec<Rollout>, PolicyError>> {
    answer(&model.spec.config, &model.spec.tokenizer, requests, Some(model.version), |prepared| {
        let waiting = prepared.iter().enumerate().flat_map(|(r, p)| (0..p.request.n).map(move |i| (r, i)));
        let waiting: Vec<_> = waiting.collect();
        let mut finished = Vec::new();
        let mut rest = waiting.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(cohort(prepared, rest, model));
            let cohort = Cohort::new(model, prepared, now);
            if let Err(error) = cohort.and_then(|cohort| cohort.run(&mut finished)) {
                // The device failed, not a request: the whole cohort fails, and completions drawn before remain.
                let error = candle_error(error);
                finished.extend(now.iter().map(|&(request, index)| Finished {
                    request,
                    index,
                    outcome: Err(error.clone()),
                }));
            }
            rest = later;
        }
        Ok(finished)
    })
}

/// How many waiting completions start together.
fn cohort(requests: &[Prepared<'_>], waiting: &[(usize, usize)], model: &DeviceModel) -> usize {
    let (mut prompts, mut longest, mut last) = (0, 0, None);
    let fits = |&&(request, _): &&(usize, usize)| {
        if last != Some(request) {
            last = Some(request);
            prompts += 1;
            longest = longest.max(requests[request].prompt.len());
        }
        prompts == 1 || prompts * longest <= model.options.pass_tokens
    };
    waiting.iter().take(model.options.decode_rows).take_while(fits).count()
}

/// Completions in progress, and their cache.
struct Cohort<'a> {
    model: &'a DeviceModel,
    decoder: Decoder<'a>,
    requests: &'a [Prepared<'a>],
    /// `None` once finished.
    rows: Vec<Option<Completion<'a>>>,
    /// Keys and values of each layer: rows × key heads × capacity × head_dim.
    cache: Vec<KeyValue>,
    /// Rows × 1 × 1 × 1 × capacity.
    mask: Option<Tensor>,
    longest: usize,
    /// Tokens that each row has drawn.
    drawn: usize,
    /// Logits of the next tokens.
    logits: Vec<f32>,
}

impl<'a> Cohort<'a> {
    /// Reads the prompts.
    fn new(model: &'a DeviceModel, requests: &'a [Prepared<'a>], members: &[(usize, usize)]) -> Result<Self> {
        let mut prompts: Vec<usize> = members.iter().map(|&(request, _)| request).collect();
        prompts.dedup();
        let lengths: Vec<usize> = prompts.iter().map(|&r| requests[r].prompt.len()).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let most = prompts.iter().map(|&r| requests[r].max_tokens).max().unwrap_or(0);
        let place = (&model.device, model.dtype());
        // Which prompt each row continues.
        let owner = |&(request, _): &(usize, usize)| prompts.partition_point(|&p| p < request);
        let owners: Vec<usize> = members.iter().map(owner).collect();
        let row_lengths: Vec<usize> = owners.iter().map(|&o| lengths[o]).collect();
        let mut cohort = Self {
            model,
            decoder: Decoder { config: &model.spec.config, weights: model.detached()? },
            requests,
            rows: members.iter().map(|&(r, i)| Some(Completion::new(requests, r, i))).collect(),
            cache: Vec::new(),
            mask: gaps(place, &row_lengths, longest, longest + most, usize::MAX)?,
            longest,
            drawn: 0,
            logits: Vec::new(),
        };
        let ids: Vec<&[u32]> = prompts.iter().map(|&r| &*requests[r].prompt).collect();
        cohort.read(&ids, &owners, longest + most)?;
        Ok(cohort)
    }

    /// Runs the prompts through the decoder, right-padded, and copies each row's part.
    fn read(&mut self, prompts: &[&[u32]], owners: &[usize], capacity: usize) -> Result<()> {
        let (device, config) = (&self.model.device, self.decoder.config);
        let mut ids = Vec::new();
        for (i, prompt) in prompts.iter().enumerate() {
            ids.extend_from_slice(prompt);
            ids.resize((i + 1) * self.longest, 0);
        }
        let owners = indices(owners, device)?;
        let frame = Frame::causal(config, (device, self.model.dtype()), 0, self.longest)?;
        let mut x = self.decoder.embed(&Tensor::from_vec(ids, (prompts.len(), self.longest), device)?)?;
        for i in 0..config.num_hidden_layers {
            let cache = &mut self.cache;
            x = self.decoder.layer(i, &x, &frame, |own| {
                cache.push(spread(&own, &owners, capacity)?);
                Ok(own)
            })?;
        }
        let last: Vec<usize> =
            prompts.iter().enumerate().map(|(i, p)| i * self.longest + p.len() - 1).collect();
        let logits = self.decoder.logits(&x.flatten(0, 1)?.index_select(&indices(&last, device)?, 0)?)?;
        self.logits = host(&logits.index_select(&owners, 0)?)?;
        Ok(())
    }

    /// Draws until every row is finished.
    fn run(mut self, finished: &mut Vec<Finished>) -> Result<()> {
        let tokenizer = &self.model.spec.tokenizer;
        let mut scratch = DrawScratch::default();
        loop {
            let rows = self.rows.iter_mut().zip(self.logits.chunks_exact_mut(self.decoder.config.vocab_size));
            for (row, logits) in rows {
                let Some(completion) = row else { continue };
                if let Some(done) = completion.advance(tokenizer, self.requests, logits, &mut scratch) {
                    finished.push(done);
                    *row = None;
                }
            }
            self.drawn += 1;
            let active = self.rows.iter().flatten().count();
            if active == 0 {
                return Ok(());
            }
            if 2 * active <= self.rows.len() {
                self.compact()?;
            }
            self.logits = self.step()?;
        }
    }

    /// Drops the finished rows.
    fn compact(&mut self) -> Result<()> {
        let active: Vec<usize> = (0..self.rows.len()).filter(|&i| self.rows[i].is_some()).collect();
        let active = indices(&active, &self.model.device)?;
        for layer in &mut self.cache {
            layer.key = layer.key.index_select(&active, 0)?;
            layer.value = layer.value.index_select(&active, 0)?;
        }
        self.mask = self.mask.take().map(|mask| mask.index_select(&active, 0)).transpose()?;
        self.rows.retain(Option::is_some);
        Ok(())
    }

    /// The mask of layers with a window, where the last of the cached tokens is at `at`.
    fn window(&self, place: (&Device, DType), at: usize) -> Result<Option<Tensor>> {
        let Some(window) = self.decoder.config.sliding_window else { return Ok(None) };
        let prompt = |row: &Option<Completion<'_>>| {
            row.as_ref().map_or(self.longest, |row| self.requests[row.request].prompt.len())
        };
        let prompts: Vec<usize> = self.rows.iter().map(prompt).collect();
        gaps(place, &prompts, self.longest, at + 1, window)
    }

    /// Feeds one token of every row and returns the logits of the next.
    fn step(&self) -> Result<Vec<f32>> {
        let (device, config) = (&self.model.device, self.decoder.config);
        let at = self.longest + self.drawn - 1;
        let last: Vec<u32> = self.rows.iter().map(|row| row.as_ref().map_or(0, Completion::last)).collect();
        let prompt = |row: &Completion<'_>| self.requests[row.request].prompt.len();
        let position = |row: &Option<Completion<'_>>| row.as_ref().map_or(0, prompt) + self.drawn - 1;
        let positions: Vec<usize> = self.rows.iter().map(position).collect();
        let place = (device, self.model.dtype());
        let gaps = self.mask.as_ref().map(|mask| mask.narrow(4, 0, at + 1)).transpose()?;
        let frame =
            Frame::step(config, place, &positions, StepMasks { gaps, window: self.window(place, at)? })?;
        let mut x = self.decoder.embed(&Tensor::from_vec(last, (self.rows.len(), 1), device)?)?;
        for (i, layer) in self.cache.iter().enumerate() {
            x = self.decoder.layer(i, &x, &frame, |own| {
                layer.key.slice_set(&own.key.contiguous()?, 2, at)?;
                layer.value.slice_set(&own.value.contiguous()?, 2, at)?;
                let seen = |cache: &Tensor| cache.narrow(2, 0, at + 1);
                Ok(KeyValue { key: seen(&layer.key)?, value: seen(&layer.value)? })
            })?;
        }
        host(&self.decoder.logits(&x.squeeze(1)?)?)
    }
}

/// Each row's keys and values at the beginning of a cache with room for `capacity` tokens.
fn spread(prompts: &KeyValue, owners: &Tensor, capacity: usize) -> Result<KeyValue> {
    let room = |prompts: &Tensor| -> Result<Tensor> {
        let rows = prompts.contiguous()?.index_select(owners, 0)?;
        let (n, heads, _, dim) = rows.dims4()?;
        let cache = Tensor::zeros((n, heads, capacity, dim), rows.dtype(), rows.device())?;
        cache.slice_set(&rows, 2, 0)?;
        Ok(cache)
    };
    Ok(KeyValue { key: room(&prompts.key)?, value: room(&prompts.value)? })
}

fn indices(values: &[usize], device: &Device) -> Result<Tensor> {
    Tensor::new(values.iter().map(|&i| i as u32).collect::<Vec<u32>>(), device)
}

fn host(logits: &Tensor) -> Result<Vec<f32>> {
    logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
