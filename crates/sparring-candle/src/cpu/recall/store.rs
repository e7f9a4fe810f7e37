//! Recordings, found by their tokens.

use super::pages::{Pool, Recording};
use crate::model::ModelConfig;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The weights of a recording: those of the base and of the adapter.
pub(crate) type Version = (u64, Option<u64>);

/// The recordings of one policy.
#[derive(Debug)]
pub(crate) struct Recordings {
    pool: Arc<Pool>,
    store: Mutex<Store>,
}

#[derive(Debug, Default)]
struct Store {
    version: Version,
    /// Number of sampler calls, in total and before the last learning.
    calls: u64,
    learned_after: u64,
    /// Numbers of calls between the last learnings, the latest first. At most the smaller number is recorded, since
    /// there may be an evaluation between steps.
    between: [u64; 2],
    prompts: HashMap<Arc<[u32]>, Prompt>,
    /// Prompts of the last call for which there was no memory.
    given_up: HashSet<Arc<[u32]>>,
}

/// A recording, and the last call that needed it.
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

impl Store {
    /// The first call with a recording.
    fn oldest(&self) -> Option<u64> {
        let first = |p: &Prompt| p.completions.values().map(|entry| entry.call).min().unwrap_or(p.own.call);
        self.prompts.values().map(first).min()
    }

    /// Drops the recordings of a call, unless a later one needs them.
    fn forget(&mut self, call: u64) {
        self.prompts.retain(|_, prompt| {
            prompt.completions.retain(|_, entry| entry.call != call);
            prompt.own.call != call || !prompt.completions.is_empty()
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

    /// Bytes held, for recordings or for reuse.
    pub(crate) fn bytes(&self) -> usize {
        self.pool.bytes()
    }

    /// Sets the memory limit. If more is in use, everything is dropped.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.pool.set_limit(bytes);
        if self.pool.bytes() > bytes {
            self.lock().prompts.clear();
        }
    }

    /// Drops everything. The next calls are not recorded: nothing says that something will be learned from them.
    pub(crate) fn forget_all(&self) {
        *self.lock() = Store::default();
        self.pool.free();
    }

    /// Begins a sampler call, which is recorded if something may be learned from it.
    pub(crate) fn recorder(&self, version: Version) -> Option<Recorder<'_>> {
        let mut store = self.lock();
        if store.version != version {
            store.prompts.clear();
            store.version = version;
        }
        store.calls += 1;
        store.given_up.clear();
        let [last, before] = store.between;
        let records = store.calls - store.learned_after <= last.min(before);
        records.then_some(Recorder { recordings: self, call: store.calls })
    }

    /// Notes that something is learned from the calls so far.
    pub(crate) fn learn(&self) {
        let mut store = self.lock();
        if store.calls > store.learned_after {
            let calls = store.calls - store.learned_after;
            let first = store.learned_after == 0;
            store.between = [calls, if first { calls } else { store.between[0] }];
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

/// The recorder of a sampler call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recorder<'a> {
    recordings: &'a Recordings,
    call: u64,
}

impl Recorder<'_> {
    /// A new recording of a prompt, with room for its rows; `None` if there is no memory or it is already recorded.
    /// The first rows may be those of another prompt, of which the second number says how many; without a recording
    /// of that one, this one cannot be recorded either.
    pub(crate) fn prompt(
        &self,
        tokens: &Arc<[u32]>,
        beginning: Option<(&[u32], usize)>,
    ) -> Option<Recording> {
        let mut store = self.recordings.lock();
        if let Some(kept) = store.prompts.get_mut(tokens) {
            kept.own.call = kept.own.call.max(self.call);
            return None;
        }
        if store.given_up.contains(tokens) {
            return None;
        }
        let mut recording = match beginning {
            None => Recording::new(&self.recordings.pool),
            Some((prompt, rows)) => store.prompts.get(prompt)?.own.recording.beginning(rows),
        };
        drop(store);
        if self.grow(&mut recording, tokens.len()) {
            return Some(recording);
        }
        self.give_up(tokens);
        None
    }

    /// A new recording of a completion, without rows, if its prompt is recorded.
    pub(crate) fn completion(&self, prompt: &[u32]) -> Option<Recording> {
        let kept = self.recordings.lock().prompts.contains_key(prompt);
        kept.then(|| Recording::new(&self.recordings.pool))
    }

    /// Makes room for `rows` rows in total, dropping recordings of earlier calls. Returns whether there is room.
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
        if !store.given_up.contains(tokens) {
            // Another thread may have been first.
            let prompt = store.prompts.entry(Arc::clone(tokens));
            prompt.or_insert_with(|| Prompt { own, completions: HashMap::new() });
        }
    }

    /// Keeps the recording of a completion, if its prompt's is kept.
    pub(crate) fn keep_completion(&self, prompt: &[u32], tokens: &[u32], recording: Recording) {
        let entry = Entry { call: self.call, recording: Arc::new(recording) };
        if let Some(prompt) = self.recordings.lock().prompts.get_mut(prompt) {
            prompt.completions.insert(tokens.to_vec(), entry);
        }
    }

    /// Drops a prompt and its completions, and stops recording them.
    pub(crate) fn give_up(&self, prompt: &Arc<[u32]>) {
        let mut store = self.recordings.lock();
        store.prompts.remove(prompt);
        store.given_up.insert(Arc::clone(prompt));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::pages::PAGE_ROWS;
    use super::*;

    const VERSION: Version = (7, None);

    const fn page() -> usize {
        PAGE_ROWS * (2 * (4 + 12 + 4 + 2 + 4) + 4) * size_of::<f32>()
    }

    /// With memory for some pages, for a policy that learns from several calls at a time.
    fn recordings(pages: usize) -> Recordings {
        let recordings = Recordings::new(&ModelConfig::qwen2(10, 4, 2, 2, 6));
        recordings.set_limit(pages * page() + page() / 2);
        recordings.lock().between = [9; 2];
        recordings
    }

    fn recorder(recordings: &Recordings) -> Recorder<'_> {
        recordings.recorder(VERSION).unwrap()
    }

    /// Records a prompt and a completion as sampling does, row by row. Returns whether both are then kept.
    fn keep(recorder: Recorder<'_>, prompt: &[u32], completion: &[u32]) -> bool {
        let prompt: Arc<[u32]> = prompt.into();
        if let Some(mut recording) = recorder.prompt(&prompt, None) {
            (0..prompt.len()).for_each(|row| recording.put_output(row, &[prompt[row] as f32; 4]));
            recorder.keep_prompt(&prompt, recording);
        }
        let Some(mut recording) = recorder.completion(&prompt) else { return false };
        for (row, &token) in completion.iter().enumerate() {
            if !recorder.grow(&mut recording, row + 1) {
                recorder.give_up(&prompt);
                return false;
            }
            recording.put_output(row, &[token as f32; 4]);
        }
        recorder.keep_completion(&prompt, completion, recording);
        true
    }

    /// The tokens of the recording that is found.
    fn found(recordings: &Recordings, prompt: &[u32], completion: Option<&[u32]>) -> Option<Vec<u32>> {
        let recording = recordings.find(VERSION, prompt, completion)?;
        Some((0..recording.rows()).map(|row| recording.output(row)[0] as u32).collect())
    }

    #[test]
    fn recordings_are_found_by_tokens_and_weights() {
        let recordings = recordings(10);
        let recorder = recorder(&recordings);
        let long: Vec<u32> = (0..40).collect();
        assert!(keep(recorder, &long, &[4, 5]) && keep(recorder, &[1], &[6]) && keep(recorder, &long, &[7]));
        assert_eq!(found(&recordings, &long, None), Some(long.clone()));
        assert_eq!(found(&recordings, &long, Some(&[4, 5])), Some(vec![4, 5]));
        assert_eq!(found(&recordings, &long, Some(&[7])), Some(vec![7]));
        assert_eq!(found(&recordings, &long, Some(&[6])), None);
        assert_eq!(found(&recordings, &long[1..], None), None);
        assert!(recordings.find((7, Some(1)), &[1], None).is_none());
        recordings.recorder((8, None));
        assert!(recordings.find((8, None), &long, None).is_none());
    }

    #[test]
    fn two_threads_may_record_one_prompt() {
        let recordings = recordings(10);
        let (recorder, prompt) = (recorder(&recordings), Arc::from([1, 2]));
        let [first, second] = [(); 2].map(|()| recorder.prompt(&prompt, None).unwrap());
        recorder.keep_prompt(&prompt, first);
        assert!(keep(recorder, &prompt, &[3]));
        recorder.keep_prompt(&prompt, second);
        assert!(keep(recorder, &prompt, &[4]));
        assert!([[3], [4]].iter().all(|tokens| found(&recordings, &prompt, Some(tokens)).is_some()));
        // The second's page is used again.
        assert_eq!(recordings.bytes(), 3 * page());
    }

    #[test]
    fn a_prompt_may_begin_as_another_that_is_recorded() {
        let recordings = recordings(10);
        let recorder = recorder(&recordings);
        let first: Vec<u32> = (0..2 * PAGE_ROWS as u32 + 3).collect();
        let second: Arc<[u32]> = [&first[..PAGE_ROWS], &[99, 98]].concat().into();
        assert!(recorder.prompt(&second, Some((&first, PAGE_ROWS))).is_none());
        assert!(keep(recorder, &first, &[1]));
        let mut recording = recorder.prompt(&second, Some((&first, PAGE_ROWS))).unwrap();
        (0..2).for_each(|row| recording.put_output(row, &[99.0 - row as f32; 4]));
        recorder.keep_prompt(&second, recording);
        assert_eq!(found(&recordings, &second, None), Some(second.to_vec()));
        assert_eq!(recordings.bytes(), 5 * page());
        // What both have is kept for the second.
        recorder.give_up(&first.clone().into());
        assert_eq!(found(&recordings, &second, None), Some(second.to_vec()));
        assert!(keep(recorder, &[1; 2 * PAGE_ROWS], &[2]));
        assert_eq!(recordings.bytes(), 5 * page());
    }

    #[test]
    fn earlier_calls_make_room_and_the_same_call_does_not() {
        let recordings = recordings(3);
        let first = recorder(&recordings);
        assert!(keep(first, &[1], &[2; PAGE_ROWS]));
        assert!(!keep(first, &[3], &[4]));
        let second = recorder(&recordings);
        // The prompt is asked again; its old completion makes room.
        assert!(keep(second, &[1], &[5; PAGE_ROWS + 1]));
        assert_eq!(found(&recordings, &[1], None), Some(vec![1]));
        assert_eq!(found(&recordings, &[1], Some(&[2; PAGE_ROWS])), None);
        assert!(!keep(second, &[3], &[4]));
        let third = recorder(&recordings);
        assert!(keep(third, &[3], &[4]));
        assert_eq!(found(&recordings, &[1], None), None);
    }

    #[test]
    fn what_was_given_up_is_not_recorded_by_another_thread() {
        let recordings = recordings(10);
        let (recorder, prompt) = (recorder(&recordings), Arc::from([1, 2]));
        let other = recorder.prompt(&prompt, None).unwrap();
        assert!(keep(recorder, &prompt, &[3]));
        recorder.give_up(&prompt);
        recorder.keep_prompt(&prompt, other);
        assert!(!keep(recorder, &prompt, &[4]));
        assert_eq!(found(&recordings, &prompt, None), None);
        assert!(keep(self::recorder(&recordings), &prompt, &[3]));
    }

    #[test]
    fn memory_is_used_again_and_stays_below_the_limit() {
        let recordings = recordings(4);
        assert_eq!(recordings.bytes(), 0);
        assert!(keep(recorder(&recordings), &[1; 2 * PAGE_ROWS], &[1; 2 * PAGE_ROWS]));
        assert_eq!(recordings.bytes(), 4 * page());
        assert!(keep(recorder(&recordings), &[2; PAGE_ROWS], &[1; 3 * PAGE_ROWS]));
        assert!(!keep(recorder(&recordings), &[2; PAGE_ROWS], &[1; 3 * PAGE_ROWS + 1]));
        assert_eq!(recordings.bytes(), 4 * page());
        assert!(keep(recorder(&recordings), &[2; PAGE_ROWS], &[1; 3 * PAGE_ROWS]));
        recordings.set_limit(2 * page());
        assert_eq!((recordings.bytes(), found(&recordings, &[2; PAGE_ROWS], None)), (2 * page(), None));
        recordings.set_limit(page() - 1);
        assert_eq!(recordings.bytes(), 0);
        assert!(!keep(recorder(&recordings), &[1], &[1]));
    }

    #[test]
    fn as_many_calls_are_recorded_as_were_learned_from() {
        let recordings = recordings(1);
        recordings.lock().between = [0; 2];
        let recorded = |calls: usize| {
            let of_call = |_| recordings.recorder(VERSION).is_some();
            let recorded = (0..calls).map(of_call).filter(|recorded| *recorded).count();
            recordings.learn();
            recordings.learn();
            recorded
        };
        assert_eq!(recorded(1), 0);
        assert_eq!([recorded(1), recorded(1)], [1, 1]);
        // An evaluation of 8 calls before the step, which is then not recorded; the next ones are.
        assert_eq!([recorded(9), recorded(1), recorded(1)], [1, 1, 1]);
        // Steps of two calls.
        assert_eq!([recorded(2), recorded(2), recorded(2)], [1, 1, 2]);
    }
}
