//! Recordings by the tokens that they are of.

use super::pages::{Pool, Recording};
use crate::config::ModelConfig;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which weights a recording is of: those of the base, and those of the adapter.
pub(crate) type Version = (u64, Option<u64>);

/// The recordings of one policy.
#[derive(Debug)]
pub(crate) struct Recordings {
    pool: Arc<Pool>,
    store: Mutex<Store>,
}

#[derive(Debug)]
struct Store {
    version: Version,
    /// Calls of the sampler, and how many of them were before something was last learned.
    calls: u64,
    learned_after: u64,
    /// Calls that something was then learned from, the last time: so many are recorded. In an exam there are more.
    calls_a_step: u64,
    prompts: HashMap<Arc<[u32]>, Prompt>,
}

/// A recording, and the last call that made it or found it made.
#[derive(Debug)]
struct Entry {
    call: u64,
    recording: Arc<Recording>,
}

#[derive(Debug)]
struct Prompt {
    own: Entry,
    /// By all tokens but the last, which is not run through the decoder.
    completions: HashMap<Vec<u32>, Entry>,
}

impl Default for Store {
    fn default() -> Self {
        let (version, prompts) = (Version::default(), HashMap::new());
        Self { version, calls: 0, learned_after: 0, calls_a_step: 1, prompts }
    }
}

impl Store {
    /// The first call of which there is something.
    fn oldest(&self) -> Option<u64> {
        let calls = self.prompts.values().flat_map(|p| p.completions.values().chain([&p.own]));
        calls.map(|entry| entry.call).min()
    }

    /// Forgets what a call recorded, unless a later one needs it.
    fn forget(&mut self, call: u64) {
        self.prompts.retain(|_, prompt| {
            prompt.completions.retain(|_, entry| entry.call != call);
            prompt.own.call != call
        });
    }
}

impl Recordings {
    pub(crate) fn new(config: &ModelConfig) -> Self {
        Self { pool: Arc::new(Pool::new(config)), store: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of memory that are held, for recordings or to be used again.
    pub(crate) fn bytes(&self) -> usize {
        self.pool.bytes()
    }

    /// Forgets everything; the memory is kept.
    pub(crate) fn clear(&self) {
        self.lock().prompts.clear();
    }

    /// Sets how much memory there may be. With less than before everything is forgotten.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.pool.set_limit(bytes);
        if self.pool.bytes() > bytes {
            self.clear();
        }
    }

    /// Begins a call of the sampler, which is recorded where something may be learned from it.
    pub(crate) fn recorder(&self, version: Version) -> Option<Recorder<'_>> {
        let mut store = self.lock();
        if store.version != version {
            store.prompts.clear();
            store.version = version;
        }
        store.calls += 1;
        let records = store.calls - store.learned_after <= store.calls_a_step;
        records.then_some(Recorder { recordings: self, call: store.calls })
    }

    /// Says that something is learned from the calls so far.
    pub(crate) fn learn(&self) {
        let mut store = self.lock();
        if store.calls > store.learned_after {
            store.calls_a_step = store.calls - store.learned_after;
            store.learned_after = store.calls;
        }
    }

    /// The recording of a prompt, or of a completion after it, by those weights.
    pub(crate) fn find(
        &self,
        version: Version,
        prompt: &[u32],
        completion: Option<&[u32]>,
    ) -> Option<Arc<Recording>> {
        let store = self.lock();
        let found = store.prompts.get(prompt).filter(|_| store.version == version)?;
        let entry = match completion {
            None => &found.own,
            Some(tokens) => found.completions.get(tokens)?,
        };
        Some(Arc::clone(&entry.recording))
    }
}

/// What a call of the sampler records with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorder<'a> {
    recordings: &'a Recordings,
    call: u64,
}

impl Recorder<'_> {
    /// A recording without rows.
    pub(crate) fn start(&self) -> Recording {
        Recording::new(&self.recordings.pool)
    }

    /// Makes room for so many rows in all, and forgets what earlier calls recorded for it. Whether there is room.
    pub(crate) fn grow(&self, recording: &mut Recording, rows: usize) -> bool {
        loop {
            if recording.grow(rows) {
                return true;
            }
            let mut store = self.recordings.lock();
            let Some(oldest) = store.oldest().filter(|call| *call < self.call) else { return false };
            store.forget(oldest);
        }
    }

    /// Keeps the recording of a prompt.
    pub(crate) fn keep_prompt(&self, tokens: &Arc<[u32]>, recording: Recording) {
        let own = Entry { call: self.call, recording: Arc::new(recording) };
        let mut store = self.recordings.lock();
        if let Some(prompt) = store.prompts.get_mut(tokens) {
            // What other threads or calls recorded of its completions stays.
            prompt.own = own;
            return;
        }
        store.prompts.insert(Arc::clone(tokens), Prompt { own, completions: HashMap::new() });
    }

    /// Keeps the recording of a completion, if its prompt's is kept.
    pub(crate) fn keep_completion(&self, prompt: &[u32], tokens: &[u32], recording: Recording) {
        let entry = Entry { call: self.call, recording: Arc::new(recording) };
        if let Some(prompt) = self.recordings.lock().prompts.get_mut(prompt) {
            prompt.completions.insert(tokens.to_vec(), entry);
        }
    }

    /// Forgets a prompt and its completions.
    pub(crate) fn forget(&self, prompt: &[u32]) {
        self.recordings.lock().prompts.remove(prompt);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::pages::PAGE_ROWS;
    use super::*;

    const VERSION: Version = (7, None);

    fn recordings(pages: usize) -> Recordings {
        let config = ModelConfig::qwen2(10, 4, 2, 2, 6);
        let recordings = Recordings::new(&config);
        let page = PAGE_ROWS * (2 * (4 + 12 + 4 + 2 + 4) + 4) * size_of::<f32>();
        recordings.set_limit(pages * page + page / 2);
        recordings
    }

    /// Records a sequence as sampling does, row by row.
    fn record(recorder: Recorder<'_>, tokens: &[u32]) -> Option<Recording> {
        let mut recording = recorder.start();
        for (row, &token) in tokens.iter().enumerate() {
            if !recorder.grow(&mut recording, row + 1) {
                return None;
            }
            recording.put_output(row, &[token as f32; 4]);
        }
        Some(recording)
    }

    fn keep(recorder: Recorder<'_>, prompt: &[u32], completion: &[u32]) -> bool {
        let Some(recording) = record(recorder, prompt) else { return false };
        recorder.keep_prompt(&prompt.into(), recording);
        record(recorder, completion).map(|r| recorder.keep_completion(prompt, completion, r)).is_some()
    }

    /// The tokens that a recording which is found is of.
    fn found(recordings: &Recordings, prompt: &[u32], completion: Option<&[u32]>) -> Option<Vec<u32>> {
        let recording = recordings.find(VERSION, prompt, completion)?;
        Some((0..recording.rows()).map(|row| recording.output(row)[0] as u32).collect())
    }

    #[test]
    fn recordings_are_found_by_tokens_and_weights() {
        let recordings = recordings(10);
        let recorder = recordings.recorder(VERSION).unwrap();
        let long: Vec<u32> = (0..40).collect();
        assert!(keep(recorder, &long, &[4, 5]) && keep(recorder, &[1], &[6]));
        // Another thread records the same prompt, and another completion.
        assert!(keep(recorder, &long, &[7]));
        assert_eq!(found(&recordings, &long, None), Some(long.clone()));
        assert_eq!(found(&recordings, &long, Some(&[4, 5])), Some(vec![4, 5]));
        assert_eq!(found(&recordings, &long, Some(&[7])), Some(vec![7]));
        assert_eq!(found(&recordings, &long, Some(&[6])), None);
        assert_eq!(found(&recordings, &long[1..], None), None);
        assert!(recordings.find((7, Some(1)), &[1], None).is_none());
        recorder.forget(&[1]);
        assert_eq!(found(&recordings, &[1], None), None);
        recordings.recorder((8, None));
        assert!(recordings.find((8, None), &long, None).is_none());
    }

    #[test]
    fn earlier_calls_make_room_and_the_same_call_does_not() {
        let recordings = recordings(3);
        recordings.lock().calls_a_step = 3;
        let first = recordings.recorder(VERSION).unwrap();
        assert!(keep(first, &[1], &[2; PAGE_ROWS]));
        assert!(!keep(first, &[3], &[4]));
        let second = recordings.recorder(VERSION).unwrap();
        // The prompt is asked again; its old completion makes room.
        assert!(keep(second, &[1], &[5; PAGE_ROWS + 1]));
        assert_eq!(found(&recordings, &[1], None), Some(vec![1]));
        assert_eq!(found(&recordings, &[1], Some(&[2; PAGE_ROWS])), None);
        assert!(!keep(second, &[3], &[4]));
        let third = recordings.recorder(VERSION).unwrap();
        assert!(keep(third, &[3], &[4]));
        assert_eq!(found(&recordings, &[1], None), None);
    }

    #[test]
    fn memory_is_used_again_and_stays_below_the_limit() {
        let recordings = recordings(4);
        let limit = recordings.bytes();
        assert_eq!(limit, 0);
        let recorder = recordings.recorder(VERSION).unwrap();
        assert!(keep(recorder, &[1; 2 * PAGE_ROWS], &[1; 2 * PAGE_ROWS]));
        let most = recordings.bytes();
        recordings.clear();
        assert_eq!(recordings.bytes(), most);
        assert!(keep(recorder, &[2; PAGE_ROWS], &[1; 3 * PAGE_ROWS]));
        assert_eq!(recordings.bytes(), most);
        recordings.set_limit(most / 2);
        assert_eq!((recordings.bytes(), found(&recordings, &[2; PAGE_ROWS], None)), (most / 2, None));
        recordings.set_limit(0);
        assert_eq!(recordings.bytes(), 0);
        assert!(!keep(recorder, &[1], &[1]));
    }

    #[test]
    fn as_many_calls_are_recorded_as_were_learned_from() {
        let recordings = recordings(1);
        let recorded = |calls: usize| {
            let of_call = |_| recordings.recorder(VERSION).is_some();
            (0..calls).map(of_call).filter(|recorded| *recorded).count()
        };
        assert_eq!(recorded(3), 1);
        recordings.learn();
        recordings.learn();
        assert_eq!(recorded(2), 2);
        recordings.learn();
        // A step of two calls, then an exam.
        assert_eq!(recorded(9), 2);
    }
}
