//! A completion in progress: how its tokens are drawn, and when it ends. No cache and no model here, so that
//! every backend draws alike.

use super::draw::{self, Scratch};
use super::request::Prepared;
use super::stop;
use crate::tokenizer::ChatTokenizer;
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

/// A completion that ended, and where it belongs.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) request: usize,
    /// Index within the request.
    pub(crate) index: usize,
    /// What was drawn, or what its drawing met.
    pub(crate) outcome: Result<Rollout, PolicyError>,
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

    /// Draws a token from `logits`, which are used up. The completion, where it ends with it or by an error.
    pub(crate) fn advance(
        &mut self,
        tokenizer: &ChatTokenizer,
        requests: &[Prepared<'_>],
        logits: &mut [f32],
        scratch: &mut Scratch,
    ) -> Option<Finished> {
        let outcome = self.draw(tokenizer, requests, logits, scratch).transpose()?;
        Some(Finished { request: self.request, index: self.index, outcome })
    }

    fn draw(
        &mut self,
        tokenizer: &ChatTokenizer,
        requests: &[Prepared<'_>],
        logits: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<Option<Rollout>, PolicyError> {
        let prepared = &requests[self.request];
        let params = &prepared.request.params;
        let (prompt, tokens) = (&prepared.prompt, &self.tokens);
        let at = DrawContext { prompt, tokens, ends: prepared.ends };
        prepared.request.adjust(at, logits)?;
        let (token, logp) = draw::draw(logits, params, &mut self.rng, scratch);
        if !logp.is_finite() {
            return Err(PolicyError::NonFinite { what: "a log-probability while sampling".to_owned() });
        }
        self.tokens.push(token);
        self.logp.push(logp);
        let ended = prepared.ends.contains(&token) || params.stop_tokens.contains(&token);
        let stopped = ended || stop::completed(tokenizer, &self.tokens, params)?;
        if !stopped && self.tokens.len() < prepared.max_tokens {
            return Ok(None);
        }
        let shown = self.tokens.len() - usize::from(ended);
        Ok(Some(Rollout {
            prompt: prepared.prompt.clone(),
            text: tokenizer.decode(&self.tokens[..shown])?,
            tokens: std::mem::take(&mut self.tokens),
            logp: std::mem::take(&mut self.logp),
            finish: if stopped { Finish::Stop } else { Finish::Length },
            observations: Vec::new(),
        }))
    }
}

/// The rollouts of every request, or the error of its first completion that met one.
pub(super) fn in_order(
    requests: &[Prepared<'_>],
    finished: Vec<Finished>,
) -> Vec<Result<Vec<Rollout>, PolicyError>> {
    let lost = || Err(PolicyError::Backend { what: "a completion was lost".to_owned(), source: None });
    let mut groups: Vec<Vec<Option<Result<Rollout, PolicyError>>>> =
        requests.iter().map(|r| vec![None; r.request.n]).collect();
    for Finished { request, index, outcome } in finished {
        // Of a completion that was drawn before its cohort failed, the first counts.
        groups[request][index].get_or_insert(outcome);
    }
    let group = |g: Vec<Option<_>>| g.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect();
    groups.into_iter().map(group).collect()
}
