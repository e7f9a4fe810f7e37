//! Questions in, answers out.

use crate::journal::{Answer, Journal};
use crate::prompt::prompt;
use crate::{Benchmark, EvalError, Item, Prompter};
use serde::{Deserialize, Serialize};
use sparring_core::{PolicyError, Prompt, Rollout, SampleRequest, Sampler, SamplingParams, Seed};

/// How to ask. Decoding is greedy, so the same model gives the same answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RunConfig {
    /// Prompts a call of the sampler.
    pub batch: usize,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// Strings that end an answer.
    pub stop: Vec<String>,
    /// For samplers that draw even where there is nothing to choose.
    pub seed: Seed,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self { batch: 16, max_tokens: 512, stop: Vec::new(), seed: Seed::new(0) }
    }
}

impl RunConfig {
    /// Sets the number of prompts a call.
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

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    fn params(&self) -> SamplingParams {
        let mut params = SamplingParams::greedy().with_max_tokens(self.max_tokens);
        params.stop.clone_from(&self.stop);
        params
    }
}

/// Puts every item that the journal has no answer to, in order, a batch at a time; `progress` hears the number of
/// items that are answered, before the first batch and after each.
///
/// A prompt that the backend refuses ([`PolicyError::Invalid`], for example because it is too long) is an answer of its
/// own, and counts as wrong.
///
/// # Errors
/// The first error of a prompt, of the sampler or of the file. What was answered before is in the journal: call again
/// to go on.
pub fn run(
    benchmark: &Benchmark,
    sampler: &dyn Sampler,
    prompter: &dyn Prompter,
    config: &RunConfig,
    journal: &mut Journal,
    mut progress: impl FnMut(usize),
) -> Result<(), EvalError> {
    if config.batch == 0 {
        return Err(EvalError::invalid("batch must be at least 1"));
    }
    config.params().validate()?;
    let mut open = Vec::new();
    for item in &benchmark.items {
        let question = Question::new(item, prompt(prompter, item)?);
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
    let mut done = benchmark.items.len() - open.len();
    progress(done);
    for batch in open.chunks(config.batch) {
        let answers = ask(batch, sampler, config)?;
        journal.record(answers)?;
        done += batch.len();
        progress(done);
    }
    Ok(())
}

struct Question<'a> {
    item: &'a Item,
    prompt: Prompt,
    hash: String,
}

impl<'a> Question<'a> {
    fn new(item: &'a Item, prompt: Prompt) -> Self {
        // A child of a seed is a stable hash of its tag.
        let hash = format!("{:016x}", Seed::new(0).child(&format!("{prompt:?}")).value());
        Self { item, prompt, hash }
    }

    fn request(&self, config: &RunConfig) -> SampleRequest {
        SampleRequest {
            prompt: self.prompt.clone(),
            n: 1,
            params: config.params(),
            seed: config.seed.child(&self.item.id),
        }
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

fn ask(batch: &[Question<'_>], sampler: &dyn Sampler, config: &RunConfig) -> Result<Vec<Answer>, EvalError> {
    let requests: Vec<_> = batch.iter().map(|question| question.request(config)).collect();
    match sampler.sample(&requests) {
        Ok(groups) => batch
            .iter()
            .zip(groups.into_iter().map(|mut group| group.pop()).chain(std::iter::repeat(None)))
            .map(|(question, rollout)| match rollout {
                Some(rollout) => Ok(question.answer(Ok(rollout))),
                None => {
                    Err(PolicyError::backend("sampling", "the sampler returned too few completions").into())
                }
            })
            .collect(),
        Err(PolicyError::Invalid { what }) if batch.len() == 1 => Ok(vec![batch[0].answer(Err(what))]),
        // One refused prompt fails a whole call: find it.
        Err(PolicyError::Invalid { .. }) => {
            let singly: Result<Vec<_>, _> =
                batch.iter().map(|question| ask(std::slice::from_ref(question), sampler, config)).collect();
            singly.map(|answers| answers.concat())
        }
        Err(error) => Err(error.into()),
    }
}
