//! A completion in progress: how its tokens are drawn, and when it ends. Knows no cache and no model, so that every
//! backend draws the same way.

use super::request::Prepared;
use super::stop;
use super::token::{DrawScratch, draw};
use crate::model::ChatTokenizer;
use rand_chacha::ChaCha8Rng;
use sparring_core::{DrawContext, Finish, PolicyError, Rollout};

/// What was drawn so far.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) request: usize,
    /// Index within the request.
    pub(crate) index: usize,
    rng: ChaCha8Rng,
    tokens: Vec<u32>,
    logp: Vec<f32>,
}

/// A rollout and where it belongs.
#[derive(Debug)]
pub(crate) struct Finished {
    request: usize,
    index: usize,
    rollout: Rollout,
}

impl Finished {
    /// What was drawn.
    pub(crate) fn rollout(&self) -> &Rollout {
        &self.rollout
    }
}

impl Completion {
    /// Completion `index` of request `request`, before its first token.
    pub(crate) fn new(requests: &[Prepared<'_>], request: usize, index: usize) -> Self {
        let rng = requests[request].request.seed.index(index as u64).rng();
        Self { request, index, rng, tokens: Vec::new(), logp: Vec::new() }
    }

    /// The token that was drawn last.
    pub(crate) fn last(&self) -> u32 {
        self.tokens.last().copied().unwrap_or_default()
    }

    /// Draws a token from `logits`, which are used up. The rollout, where it was the last one.
    pub(crate) fn advance(
        &mut self,
        tokenizer: &ChatTokenizer,
        requests: &[Prepared<'_>],
        logits: &mut [f32],
        scratch: &mut DrawScratch,
    ) -> Result<Option<Finished>, PolicyError> {
        let prepared = &requests[self.request];
        let params = &prepared.request.params;
        let (prompt, tokens) = (&prepared.prompt, &self.tokens);
        let at = DrawContext { prompt, tokens, ends: prepared.ends, request: self.request };
        prepared.request.adjust(at, logits)?;
        let (token, logp) = draw(logits, params, &mut self.rng, scratch);
        if !logp.is_finite() {
            let what = format!("a log-probability while sampling request {}", self.request);
            return Err(PolicyError::NonFinite { what });
        }
        self.tokens.push(token);
        self.logp.push(logp);
        let ended = prepared.ends.contains(&token) || params.stop_tokens.contains(&token);
        let stopped = ended || stop::completed(tokenizer, &self.tokens, params)?;
        if !stopped && self.tokens.len() < prepared.max_tokens {
            return Ok(None);
        }
        let shown = self.tokens.len() - usize::from(ended);
        let rollout = Rollout {
            prompt: prepared.prompt.clone(),
            text: tokenizer.decode(&self.tokens[..shown])?,
            tokens: std::mem::take(&mut self.tokens),
            logp: std::mem::take(&mut self.logp),
            finish: if stopped { Finish::Stop } else { Finish::Length },
            observations: Vec::new(),
        };
        Ok(Some(Finished { request: self.request, index: self.index, rollout }))
    }
}

/// All rollouts, in the order of the requests.
pub(crate) fn in_order(
    requests: &[Prepared<'_>],
    finished: impl IntoIterator<Item = Finished>,
) -> Result<Vec<Vec<Rollout>>, PolicyError> {
    let mut groups: Vec<Vec<Option<Rollout>>> = requests.iter().map(|r| vec![None; r.request.n]).collect();
    for Finished { request, index, rollout } in finished {
        groups[request][index] = Some(rollout);
    }
    groups
        .into_iter()
        .map(|group| group.into_iter().collect::<Option<Vec<_>>>())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| PolicyError::Backend { what: "a completion was lost".to_owned(), source: None })
}
