//! Runs a benchmark: prompts in, answers out.

use crate::journal::{Answer, Journal};
use crate::{Benchmark, EvalError, Item, Prompter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sparring_core::{PolicyError, Prompt, Rollout, SampleRequest, Sampler, SamplingParams, Seed, one_line};

/// Settings of a run. Decoding is greedy, so the same model gives the same answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RunConfig {
    /// Prompts per call of the sampler.
    pub batch: usize,
    /// Maximum number of tokens per answer.
    pub max_tokens: usize,
    /// Strings that end an answer.
    pub stop: Vec<String>,
    /// Seed of the requests, for samplers that draw even at temperature 0.
    pub seed: Seed,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self { batch: 16, max_tokens: 512, stop: Vec::new(), seed: Seed::new(0) }
    }
}

impl RunConfig {
    /// Sets the number of prompts per call.
    #[must_use]
    pub fn with_batch(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// Sets the length limit.
    #[must_use]
    pub fn with_max_tokens(mut self, max_tokens: usize) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// Sets the strings that end an answer.
    #[must_use]
    pub fn with_stop(mut self, stop: Vec<String>) -> Self {
        self.stop = stop;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// The settings that decide the answers, for [`Journal::open`]: all but the batch.
    pub fn identity(&self) -> Value {
        json!({"max_tokens": self.max_tokens, "stop": self.stop, "seed": self.seed})
    }

    fn check_bounds(&self) -> Result<(), EvalError> {
        for (field, count, most) in
            [("batch", self.batch, 1_000_000), ("max_tokens", self.max_tokens, 10_000_000)]
        {
            if !(1..=most).contains(&count) {
                return Err(EvalError::invalid(format!("{field} = {count}: must be from 1 to {most}")));
            }
        }
        Ok(())
    }

    fn params(&self) -> SamplingParams {
        let mut params = SamplingParams::greedy().with_max_tokens(self.max_tokens);
        params.stop.clone_from(&self.stop);
        params
    }
}

/// Asks every item without an answer in the journal, in order and in batches. `progress` receives the number of
/// answered items before the first batch and after each one.
///
/// A prompt that the prompter or the backend refuses ([`PolicyError::Invalid`], for example because it is too long) is
/// recorded as refused and counts as wrong.
///
/// # Errors
/// The first error of the sampler or of the file. Answers received so far, including those of the same batch, are in
/// the journal: call again to continue, or wrap a sampler that may be unavailable in [`Retry`](sparring_core::Retry).
/// [`EvalError::Invalid`] if the first 16 prompts, or all, are refused for the same reason, which then is not a
/// property of an item.
pub fn run(
    benchmark: &Benchmark,
    sampler: &dyn Sampler,
    prompter: &dyn Prompter,
    config: &RunConfig,
    journal: &mut Journal,
    mut progress: impl FnMut(usize),
) -> Result<(), EvalError> {
    config.check_bounds()?;
    config.params().validate()?;
    let open = open(benchmark, prompter, journal)?;
    let mut done = benchmark.items.len() - open.len();
    progress(done);
    let mut keeper = Keeper { held: journal.answers().is_empty().then(Vec::new), journal };
    for batch in open.chunks(config.batch) {
        ask(batch, sampler, prompter, config, &mut keeper)?;
        done += batch.len();
        progress(done);
    }
    keeper.refused()
}

/// The items without an answer in the journal.
fn open<'a>(
    benchmark: &'a Benchmark,
    prompter: &dyn Prompter,
    journal: &Journal,
) -> Result<Vec<Question<'a>>, EvalError> {
    let mut open = Vec::new();
    for item in &benchmark.items {
        let prompt = prompter.prompt(item).map_err(|error| one_line(&*error));
        let question = Question::new(item, prompt);
        match journal.get(&item.id) {
            None => open.push(question),
            Some(answer) if answer.prompt == question.hash => {}
            Some(_) => {
                return Err(EvalError::invalid(format!(
                    "item {} was answered to another prompt: its data or its template changed since; name another folder",
                    item.id
                )));
            }
        }
    }
    Ok(open)
}

/// This many equal refusals at the start of a run are not a property of the items.
const REFUSALS: usize = 16;

/// Records answers. At the start of a run, refusals that all have the same reason are held back.
struct Keeper<'a> {
    journal: &'a mut Journal,
    /// `None` after any other outcome.
    held: Option<Vec<Answer>>,
}

impl Keeper<'_> {
    fn keep(&mut self, answers: Vec<Answer>) -> Result<(), EvalError> {
        let Some(mut held) = self.held.take() else { return self.journal.record(answers) };
        held.extend(answers);
        let first = held.first().and_then(|answer| answer.refused.as_ref());
        if first.is_some_and(|_| held.iter().all(|answer| answer.refused.as_ref() == first)) {
            let full = held.len() >= REFUSALS;
            self.held = Some(held);
            return if full { self.refused() } else { Ok(()) };
        }
        self.journal.record(held)
    }

    /// An error if refusals are still held back.
    fn refused(&self) -> Result<(), EvalError> {
        let held = self.held.as_deref().unwrap_or_default();
        match held.first().and_then(|answer| answer.refused.as_ref()) {
            None => Ok(()),
            Some(why) => Err(EvalError::invalid(format!(
                "all of the first {} prompts were refused: {why}",
                held.len()
            ))),
        }
    }
}

struct Question<'a> {
    item: &'a Item,
    /// The prompt, or why there is none.
    prompt: Result<Prompt, String>,
    hash: String,
}

impl<'a> Question<'a> {
    fn new(item: &'a Item, prompt: Result<Prompt, String>) -> Self {
        let text =
            prompt.as_ref().map_or_else(|why| format!("refused: {why}"), |prompt| format!("{prompt:?}"));
        // A child of a seed is a stable hash of its tag.
        let hash = format!("{:016x}", Seed::new(0).child(&text).value());
        Self { item, prompt, hash }
    }

    fn request(&self, config: &RunConfig) -> Result<SampleRequest, String> {
        let prompt = self.prompt.clone()?;
        Ok(SampleRequest::new(prompt, 1, config.params(), config.seed.child(&self.item.id)))
    }

    fn answer(&self, rollout: Result<Rollout, String>) -> Answer {
        let (rollout, refused) = match rollout {
            Ok(rollout) => (rollout, None),
            Err(why) => (Rollout::from_text(""), Some(why)),
        };
        Answer {
            id: self.item.id.clone(),
            prompt: self.hash.clone(),
            tokens: rollout.tokens.len(),
            truncated: rollout.truncated(),
            text: rollout.text,
            refused,
        }
    }
}

/// Asks a batch in one call. Answers are saved even if other requests fail.
fn ask(
    batch: &[Question<'_>],
    sampler: &dyn Sampler,
    prompter: &dyn Prompter,
    config: &RunConfig,
    keeper: &mut Keeper<'_>,
) -> Result<(), EvalError> {
    let (mut answers, mut asked, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    for question in batch {
        match question.request(config) {
            Err(why) => answers.push(question.answer(Err(why))),
            Ok(request) => {
                asked.push(question);
                requests.push(request.with_shared_hook(prompter.hook(question.item)));
            }
        }
    }
    let mut failure = None;
    for (question, answer) in asked.into_iter().zip(sampler.sample_checked(&requests)) {
        match answer {
            Ok(group) => answers.extend(group.into_iter().map(|rollout| question.answer(Ok(rollout)))),
            Err(PolicyError::Invalid { what }) => answers.push(question.answer(Err(what))),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if !answers.is_empty() {
        keeper.keep(answers)?;
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}
