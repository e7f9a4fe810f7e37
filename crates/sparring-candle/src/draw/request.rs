//! Checked sampling requests with their prompts as token ids.

use super::completion::{Finished, in_order};
use crate::batch::{Limits, check_ids};
use crate::model::ChatTokenizer;
use sparring_core::{PolicyError, Rollout, SampleRequest};
use std::sync::Arc;

/// A checked request with its prompt as token ids.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) request: &'a SampleRequest,
    pub(crate) prompt: Arc<[u32]>,
    /// The model's own end tokens.
    pub(crate) ends: &'a [u32],
    /// Maximum number of tokens to draw: the request's limit, or the rest of the model's length.
    pub(crate) max_tokens: usize,
    /// Version of the weights, if the sampler counts their changes.
    pub(crate) version: Option<u64>,
}

/// Answers every request. `draw` draws the completions of valid requests, in any order; the others get their error. If
/// `draw` fails, all requests fail. `version` is that of the weights.
pub(crate) fn answer<'a>(
    limits: impl Into<Limits>,
    tokenizer: &ChatTokenizer,
    requests: &'a [SampleRequest],
    version: Option<u64>,
    draw: impl FnOnce(&[Prepared<'_>]) -> Result<Vec<Finished>, PolicyError>,
) -> Vec<Result<Vec<Rollout>, PolicyError>> {
    let (limits, ends): (_, Vec<u32>) = (limits.into(), tokenizer.end_tokens().collect());
    let mut prepared = Vec::with_capacity(requests.len());
    let mut place = |request: &'a SampleRequest| {
        prepared.push(Prepared { version, ..check((limits, tokenizer), &ends, request)? });
        Ok(prepared.len() - 1)
    };
    let places: Vec<Result<usize, PolicyError>> = requests.iter().map(&mut place).collect();
    let mut groups = match draw(&prepared) {
        Ok(finished) => in_order(&prepared, finished),
        Err(error) => vec![Err(error); prepared.len()],
    };
    places.into_iter().map(|place| std::mem::replace(&mut groups[place?], Ok(Vec::new()))).collect()
}

fn check<'a>(
    (limits, tokenizer): (Limits, &ChatTokenizer),
    ends: &'a [u32],
    request: &'a SampleRequest,
) -> Result<Prepared<'a>, PolicyError> {
    request.params.validate()?;
    let prompt = tokenizer.encode_prompt(&request.prompt)?;
    check_ids(&prompt, limits, || "the prompt".to_owned())?;
    check_ids(&request.params.stop_tokens, limits, || "stop_tokens".to_owned())?;
    let limit = limits.max_positions;
    if prompt.is_empty() {
        return Err(PolicyError::invalid("the prompt is empty; it needs at least one token"));
    }
    if prompt.len() >= limit {
        return Err(PolicyError::invalid(format!(
            "the prompt has {} tokens and leaves no room for a completion; \
             the model's limit is {limit} (max_position_embeddings)",
            prompt.len()
        )));
    }
    let max_tokens = request.params.max_tokens.min(limit - prompt.len());
    Ok(Prepared { request, prompt, ends, max_tokens, version: None })
}
