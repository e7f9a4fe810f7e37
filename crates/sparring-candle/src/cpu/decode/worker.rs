//! The work of one thread: takes jobs, reads their prompts, decodes several completions at a time.

use super::cache::{Cache, Pages, Run};
use super::step::{DecodeRow, Stepper};
use super::{DecodeModel, Job, Queues};
use crate::cpu::prefix::Prefixes;
use crate::cpu::recall::{PAGE_ROWS, Recorder, Recording};
use crate::draw::{Completion, DrawScratch, Finished, Prepared};
use crate::kernels::PAGE;
use crate::model::ModelSpec;
use sparring_core::{Rollout, TokenMask};
use std::ops::Range;
use std::rc::Rc;

/// Prompt tokens per forward pass.
const PROMPT_ROWS: usize = 192;

// What prompts share is recorded on whole pages, too.
const _: () = assert!(PAGE.is_multiple_of(PAGE_ROWS));

/// The requests of a call, and which of their prompts begin alike.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) requests: &'a [Prepared<'a>],
    pub(super) prefixes: &'a Prefixes,
}

/// A prompt in the cache, with its waiting completions.
struct Waiting {
    request: usize,
    completions: Range<usize>,
    context: Rc<Run>,
    first_logits: Rc<[f32]>,
}

/// A completion in progress, and what it attends to.
struct Active<'a> {
    completion: Completion<'a>,
    cache: Cache,
    recording: Option<Recording>,
}

pub(super) struct Worker<'a> {
    spec: &'a ModelSpec,
    requests: &'a [Prepared<'a>],
    rows: usize,
    recorder: Option<Recorder<'a>>,
    stepper: Stepper<'a>,
    pages: Pages,
    prefixes: &'a Prefixes,
    /// The prompt that was read last: the next one begins like it, if like any.
    last: Option<(usize, Rc<Run>)>,
    waiting: Option<Waiting>,
    active: Vec<Active<'a>>,
    finished: Vec<Finished>,
    logits: Vec<f32>,
    scratch: DrawScratch,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        model: DecodeModel<'a>,
        Asked { requests, prefixes }: Asked<'a>,
        rows: usize,
        recorder: Option<Recorder<'a>>,
    ) -> Self {
        Self {
            spec: model.spec,
            requests,
            rows,
            recorder,
            stepper: Stepper::new(model),
            pages: Pages::new(&model.spec.config),
            prefixes,
            last: None,
            waiting: None,
            active: Vec::new(),
            finished: Vec::new(),
            logits: Vec::new(),
            scratch: DrawScratch::default(),
        }
    }

    /// Works until the queues are empty and all jobs taken from them are finished.
    pub(super) fn run(mut self, queues: &Queues, thread: usize) -> Vec<Finished> {
        loop {
            self.admit(queues, thread);
            if self.active.is_empty() {
                return self.finished;
            }
            self.step();
        }
    }

    /// Fills free places with completions that wait, and with new jobs.
    fn admit(&mut self, queues: &Queues, thread: usize) {
        while self.active.len() < self.rows {
            let Some(waiting) = &mut self.waiting else {
                let Some(job) = queues.next(thread) else { return };
                self.waiting = Some(self.read_prompt(job));
                continue;
            };
            let Some(completion) = waiting.completions.next() else {
                let done = self.waiting.take();
                self.release(done.map(|w| w.context));
                continue;
            };
            let prompt = &self.requests[waiting.request].prompt;
            let active = Active {
                completion: Completion::new(self.requests, waiting.request, completion),
                cache: Cache { context: Rc::clone(&waiting.context), own: Run::default() },
                recording: self.recorder.and_then(|r| r.completion(prompt)),
            };
            let mut logits = waiting.first_logits.to_vec();
            self.advance(active, &mut logits);
        }
    }

    /// Runs a prompt through the decoder, from where it differs from the prompt before it, and keeps its cache and its
    /// last logits.
    fn read_prompt(&mut self, job: Job) -> Waiting {
        let prompt = &self.requests[job.request].prompt;
        let last = self.last.take();
        let shared = last.as_ref().map_or(0, |(last, _)| self.prefixes.shared(*last, job.request));
        let prefix = last.as_ref().filter(|_| shared > 0);
        let mut recording = self.recorder.and_then(|recorder| {
            recorder.prompt(prompt, prefix.map(|(last, _)| (&*self.requests[*last].prompt, shared)))
        });
        let context = prefix.map(|(_, run)| self.pages.share(run, shared)).unwrap_or_default();
        self.release(last.map(|(_, run)| run));
        let mut cache = Cache { context: Rc::new(context), own: Run::default() };
        cache.own.grow(prompt.len() - shared, &mut self.pages);
        for (chunk, tokens) in prompt[shared..].chunks(PROMPT_ROWS).enumerate() {
            let row =
                |(i, &token): (usize, &u32)| DecodeRow { token, cache: 0, own: chunk * PROMPT_ROWS + i };
            let rows: Vec<DecodeRow> = tokens.iter().enumerate().map(row).collect();
            let last = shared + (chunk + 1) * PROMPT_ROWS >= prompt.len();
            let recordings = &mut [recording.as_mut()];
            self.stepper.forward(&rows, &[&cache], recordings, &mut self.pages, usize::from(last));
        }
        self.stepper.logits(&[&TokenMask::All], &mut self.logits);
        if let (Some(recorder), Some(recording)) = (self.recorder, recording) {
            recorder.keep_prompt(prompt, recording);
        }
        let context = Rc::new(Rc::unwrap_or_clone(cache.context).followed_by(cache.own));
        self.last = Some((job.request, Rc::clone(&context)));
        Waiting {
            request: job.request,
            completions: job.completions,
            context,
            first_logits: self.logits.as_slice().into(),
        }
    }

    /// Draws one token for every completion in progress.
    fn step(&mut self) {
        let mut rows = Vec::with_capacity(self.active.len());
        for (i, active) in self.active.iter_mut().enumerate() {
            let own = active.cache.own.len;
            active.cache.own.grow(1, &mut self.pages);
            rows.push(DecodeRow { token: active.completion.last(), cache: i, own });
        }
        self.grow_recordings();
        let parts = self.active.iter_mut().map(|a| (&a.cache, a.recording.as_mut()));
        let (caches, mut recordings): (Vec<&Cache>, Vec<_>) = parts.unzip();
        self.stepper.forward(&rows, &caches, &mut recordings, &mut self.pages, rows.len());
        let mut logits = std::mem::take(&mut self.logits);
        let vocab_size = self.spec.config.vocab_size;
        let mut active = std::mem::take(&mut self.active);
        let wanted: Vec<&TokenMask> = active.iter_mut().map(|a| a.completion.wanted(vocab_size)).collect();
        let places = self.stepper.logits(&wanted, &mut logits);
        for (active, place) in active.into_iter().zip(places) {
            self.advance(active, &mut logits[place * vocab_size..][..vocab_size]);
        }
        self.logits = logits;
    }

    /// Makes room for the next row of every recorded completion. Without room, this thread's last group is no longer
    /// recorded, so that the others are recorded whole.
    fn grow_recordings(&mut self) {
        let Some(recorder) = self.recorder else { return };
        for i in 0..self.active.len() {
            let rows = self.active[i].cache.own.len;
            while self.active[i].recording.as_mut().is_some_and(|r| !recorder.grow(r, rows)) {
                let prompt = |a: &Active<'_>| &self.requests[a.completion.request].prompt;
                let recorded = self.active.iter().rev().find(|a| a.recording.is_some());
                let given_up = recorded.map(prompt);
                given_up.inspect(|prompt| recorder.give_up(prompt));
                let group = self.active.iter_mut().filter(|a| Some(prompt(a)) == given_up);
                group.for_each(|a| a.recording = None);
            }
        }
    }

    /// Draws a token; the completion continues or is finished.
    fn advance(&mut self, mut active: Active<'a>, logits: &mut [f32]) {
        let tokenizer = &self.spec.tokenizer;
        let finished = active.completion.advance(tokenizer, self.requests, logits, &mut self.scratch);
        let Some(finished) = finished else {
            self.active.push(active);
            return;
        };
        let recorded = (self.recorder, active.recording, &finished.outcome);
        if let (Some(recorder), Some(recording), Ok(Rollout { prompt, tokens, .. })) = recorded {
            recorder.keep_completion(prompt, &tokens[..tokens.len() - 1], recording);
        }
        self.finished.push(finished);
        self.pages.release(&active.cache.own);
        self.release(Some(active.cache.context));
    }

    /// Returns a prompt's pages once nobody reads them.
    fn release(&mut self, context: Option<Rc<Run>>) {
        if let Some(run) = context.and_then(|c| Rc::try_unwrap(c).ok()) {
            self.pages.release(&run);
        }
    }
}
