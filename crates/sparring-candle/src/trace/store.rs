//! Traces by the tokens that they are of.

use super::{Shape, Share, Trace};
use crate::engine::{Block, Recalled, Segment};
use std::collections::{BTreeMap, HashMap};
use std::iter::repeat_n;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which weights a trace is of: those of the base, and those of the adapter.
pub(crate) type Version = (u64, Option<u64>);

/// The traces of one policy.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// Bytes that are reserved.
    used: Arc<AtomicUsize>,
    store: Mutex<Store>,
}

#[derive(Debug, Default)]
struct Store {
    version: Version,
    calls: u64,
    prompts: HashMap<Arc<[u32]>, Prompt>,
    /// Memory of traces that were forgotten, by its length: to get it anew costs as much as to fill it.
    spare: BTreeMap<usize, Vec<Vec<f32>>>,
}

#[derive(Debug)]
struct Prompt {
    /// The call that asked for it last.
    call: u64,
    trace: Arc<Trace>,
    /// By all tokens but the last, which is not run through the decoder.
    completions: HashMap<Vec<u32>, Arc<Trace>>,
}

impl Store {
    /// Forgets the prompts that a call asked for last, or all.
    fn forget(&mut self, call: Option<u64>) {
        let forgotten = self.prompts.extract_if(|_, prompt| call.is_none_or(|call| prompt.call == call));
        let traces = forgotten.flat_map(|(_, p)| p.completions.into_values().chain([p.trace]));
        for data in traces.filter_map(|trace| Some(Arc::try_unwrap(trace).ok()?.data)) {
            self.spare.entry(data.len()).or_default().push(data);
        }
    }

    /// So many numbers, whatever they are: spare memory of that length or of one not much larger, or new one, which is
    /// real where it is written.
    fn memory(&mut self, len: usize) -> Vec<f32> {
        let fits = self.spare.range_mut(len..=len + len / 4).find_map(|(_, data)| data.pop());
        fits.map_or_else(
            || vec![0.0; len],
            |mut data| {
                data.truncate(len);
                data
            },
        )
    }

    /// Drops spare memory beyond so many bytes.
    fn trim(&mut self, bytes: usize) {
        let mut left = bytes / size_of::<f32>();
        for (len, data) in &mut self.spare {
            data.truncate(left.checked_div(*len).unwrap_or(0));
            left -= data.len() * len;
        }
    }
}

impl Traces {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that are held.
    pub(crate) fn bytes(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        self.lock().forget(None);
    }

    /// Begins a call of the sampler.
    pub(crate) fn record(&self, version: Version, shape: Shape, limit: usize) -> Recorder<'_> {
        let mut store = self.lock();
        if store.version != version {
            store.forget(None);
            store.version = version;
        }
        store.calls += 1;
        Recorder { traces: self, call: store.calls, shape, limit }
    }

    /// Traces of all segments of a block, if they are there.
    pub(crate) fn of(&self, version: Version, block: &Block) -> Option<Recalled> {
        let store = self.lock();
        if store.version != version {
            return None;
        }
        let of = |segment: &Segment| {
            let (tokens, context) =
                (&block.tokens[segment.rows.clone()], &block.tokens[segment.context.clone()]);
            let found = if context.is_empty() {
                &store.prompts.get(tokens)?.trace
            } else {
                store.prompts.get(context)?.completions.get(tokens)?
            };
            Some(Arc::clone(found)).filter(|trace| trace.rows == tokens.len())
        };
        block.segments.iter().map(of).collect::<Option<_>>().map(Recalled)
    }
}

/// What a call of the sampler writes traces with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorder<'a> {
    traces: &'a Traces,
    call: u64,
    shape: Shape,
    limit: usize,
}

impl Recorder<'_> {
    /// Traces for a prompt and `n` completions, where there is memory for all of them; those of earlier calls make
    /// room.
    pub(crate) fn reserve(&self, prompt: usize, n: usize, completion: usize) -> Option<(Trace, Vec<Trace>)> {
        let Self { traces, shape, limit, .. } = *self;
        let mut store = traces.lock();
        let bytes = |rows: usize| rows.checked_mul(shape.row() * size_of::<f32>());
        let shares = loop {
            let share = |rows| Share::take(&traces.used, bytes(rows)?, limit);
            if let Some(all) = [prompt].into_iter().chain(repeat_n(completion, n)).map(share).collect() {
                break all;
            }
            let oldest = store.prompts.values().map(|p| p.call).min().filter(|call| *call < self.call)?;
            store.forget(Some(oldest));
        };
        let shares: Vec<Share> = shares;
        let trace = |share: Share| {
            let data = store.memory(share.bytes / size_of::<f32>());
            Trace { shape, data, rows: 0, share }
        };
        let mut all = shares.into_iter().map(trace);
        let reserved = (all.next()?, all.collect());
        store.trim(limit.saturating_sub(traces.bytes()));
        Some(reserved)
    }

    /// Keeps the trace of a prompt.
    pub(crate) fn keep_prompt(&self, tokens: &Arc<[u32]>, mut trace: Trace) {
        trace.finish();
        let mut store = self.traces.lock();
        let new = || Prompt { call: 0, trace: Arc::new(trace), completions: HashMap::new() };
        store.prompts.entry(Arc::clone(tokens)).or_insert_with(new).call = self.call;
    }

    /// Keeps the trace of a completion of a prompt that was kept.
    pub(crate) fn keep_completion(&self, prompt: &Arc<[u32]>, tokens: &[u32], mut trace: Trace) {
        trace.finish();
        if let Some(prompt) = self.traces.lock().prompts.get_mut(prompt) {
            prompt.completions.insert(tokens.to_vec(), Arc::new(trace));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;
    use crate::engine::plan;
    use sparring_core::{TokenBatch, TokenGroup};

    const VERSION: Version = (7, None);

    fn shape() -> Shape {
        Shape::new(&ModelConfig::qwen2(10, 4, 2, 2, 6))
    }

    fn bytes(rows: usize) -> usize {
        rows * shape().row() * size_of::<f32>()
    }

    /// Records a prompt and completions, as sampling does, with memory for `rows` rows a completion.
    fn record(recorder: Recorder<'_>, prompt: &[u32], completions: &[&[u32]], rows: usize) -> bool {
        let Some((mut of_prompt, traces)) = recorder.reserve(prompt.len(), completions.len(), rows) else {
            return false;
        };
        let key: Arc<[u32]> = prompt.into();
        (0..prompt.len()).for_each(|row| of_prompt.put_output(row, &[prompt[row] as f32; 4]));
        recorder.keep_prompt(&key, of_prompt);
        for (completion, mut trace) in completions.iter().zip(traces) {
            let tokens = &completion[..completion.len() - 1];
            (0..tokens.len()).for_each(|row| trace.put_output(row, &[tokens[row] as f32; 4]));
            recorder.keep_completion(&key, tokens, trace);
        }
        true
    }

    /// What is found for a group: the tokens that the traces are of.
    fn found(
        traces: &Traces,
        version: Version,
        prompt: &[u32],
        completions: &[&[u32]],
    ) -> Option<Vec<Vec<u32>>> {
        let groups = [TokenGroup { prompt, completions: completions.to_vec() }];
        let blocks = plan::plan(TokenBatch { groups: &groups, temperature: 1.0 }, 1).remove(0);
        let tokens = |trace: &Arc<Trace>| (0..trace.rows).map(|row| trace.output(row)[0] as u32).collect();
        Some(traces.of(version, &blocks[0])?.0.iter().map(tokens).collect())
    }

    #[test]
    fn traces_are_found_by_their_tokens() {
        let traces = Traces::default();
        let recorder = traces.record(VERSION, shape(), 1 << 20);
        let (prompt, a, b, short): (&[u32], &[u32], &[u32], &[u32]) = (&[1, 2, 3], &[4, 5, 6], &[7, 8], &[9]);
        assert!(record(recorder, prompt, &[a, b], 10));
        assert!(record(recorder, &[2, 1], &[a], 10));
        // Rows that were reserved and not needed are given back.
        assert_eq!(traces.bytes(), bytes(3 + 2 + 1 + 2 + 2));
        let found = |version, completions: &[&[u32]]| found(&traces, version, prompt, completions);
        assert_eq!(found(VERSION, &[b, short, a]), Some(vec![vec![1, 2, 3], vec![7], vec![4, 5]]));
        // The last token is not run through the decoder.
        assert!(found(VERSION, &[&[4, 5, 0]]).is_some());
        assert!(found(VERSION, &[a, &[4, 6, 6]]).is_none());
        assert!(found(VERSION, &[&[4, 5]]).is_none());
        assert!(found((7, Some(1)), &[a]).is_none());
        traces.record((8, None), shape(), 1 << 20);
        assert!(found((8, None), &[a]).is_none());
        assert_eq!(traces.bytes(), 0);
    }

    #[test]
    fn earlier_calls_make_room_and_the_same_call_does_not() {
        let (traces, limit) = (Traces::default(), bytes(10));
        let first = traces.record(VERSION, shape(), limit);
        assert!(record(first, &[1; 4], &[&[1; 3]], 2));
        assert!(record(first, &[2; 2], &[&[2; 3]], 2));
        assert!(!record(first, &[3; 2], &[&[3; 3]], 2));
        assert!(!record(first, &[3; 2], &[&[3; 3]], usize::MAX / 8));
        let second = traces.record(VERSION, shape(), limit);
        assert!(!record(second, &[3; 8], &[&[3; 4]], 3));
        assert!(record(second, &[3; 7], &[&[3; 4]], 3));
        assert!(found(&traces, VERSION, &[1; 4], &[&[1; 3]]).is_none());
        assert!(found(&traces, VERSION, &[3; 7], &[&[3; 4]]).is_some());
        assert_eq!(traces.bytes(), limit);
    }

    #[test]
    fn memory_is_used_again_and_stays_below_the_limit() {
        let (traces, limit) = (Traces::default(), bytes(20));
        let spare = || -> Vec<usize> {
            let held = |(len, data): (&usize, &Vec<Vec<f32>>)| vec![len / shape().row(); data.len()];
            traces.lock().spare.iter().flat_map(held).collect()
        };
        assert!(record(traces.record(VERSION, shape(), limit), &[1; 9], &[&[1; 4], &[1; 5]], 4));
        traces.clear();
        assert_eq!((traces.bytes(), spare()), (0, vec![3, 4, 9]));
        // 8 rows fit into 9, 2 into no 3; of the rest only what the limit leaves is held.
        assert!(record(traces.record(VERSION, shape(), limit), &[1; 8], &[&[1; 3], &[2; 3], &[3; 3]], 2));
        assert_eq!((traces.bytes(), spare()), (bytes(14), vec![3]));
    }
}
