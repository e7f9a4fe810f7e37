//! Requests to sample, checked, with their prompts as ids.

use crate::config::Limits;
use crate::engine::plan::check_ids;
use crate::tokenizer::ChatTokenizer;
use sparring_core::{PolicyError, SampleRequest};
use std::sync::Arc;

/// A request that was checked, with its prompt as ids.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) request: &'a SampleRequest,
    pub(crate) prompt: Arc<[u32]>,
    /// The model's own end tokens.
    pub(crate) ends: &'a [u32],
    /// Most tokens to draw: the request's limit, or what the model's length leaves.
    pub(crate) max_tokens: usize,
    /// Version of the weights that draw.
    pub(crate) version: Option<u64>,
}

/// Checks every request against a model.
///
/// # Errors
/// [`PolicyError::Invalid`] names the request and what is wrong with it.
pub(crate) fn prepare<'a>(
    limits: impl Into<Limits>,
    tokenizer: &ChatTokenizer,
    ends: &'a [u32],
    requests: &'a [SampleRequest],
    version: Option<u64>,
) -> Result<Vec<Prepared<'a>>, PolicyError> {
    let limits = limits.into();
    let one = |(i, request)| Ok(Prepared { version, ..check((limits, tokenizer), ends, i, request)? });
    requests.iter().enumerate().map(one).collect()
}

fn check<'a>(
    (limits, tokenizer): (Limits, &ChatTokenizer),
    ends: &'a [u32],
    index: usize,
    request: &'a SampleRequest,
) -> Result<Prepared<'a>, PolicyError> {
    request.params.validate()?;
    let prompt = tokenizer.encode_prompt(&request.prompt)?;
    let place = || format!("sample request {index}: prompt");
    check_ids(&prompt, limits, place)?;
    let stops = || format!("sample request {index}: stop_tokens");
    check_ids(&request.params.stop_tokens, limits, stops)?;
    let limit = limits.max_positions;
    if prompt.is_empty() {
        return Err(PolicyError::invalid(format!("{} is empty; it needs at least one token", place())));
    }
    if prompt.len() >= limit {
        return Err(PolicyError::invalid(format!(
            "{} has {} tokens and leaves no room for a completion; the model's limit is {limit} (max_position_embeddings)",
            place(),
            prompt.len()
        )));
    }
    let max_tokens = request.params.max_tokens.min(limit - prompt.len());
    Ok(Prepared { request, prompt, ends, max_tokens, version: None })
}
