//! A completion in progress: draws its tokens and decides when it ends. It is independent of cache and model, so every
//! backend draws the same way.

use super::request::Prepared;
use super::stop;
use super::token::{DrawScratch, draw, skip};
use crate::model::ChatTokenizer;
use sparring_core::{Finish, LogitRules, PolicyError, Rollout, SeedRng, TokenMask};

/// The completion so far.
#[derive(Debug)]
pub(crate) struct Completion<'a> {
    pub(crate) request: usize,
    /// Index within the request.
    pub(crate) index: usize,
    rng: SeedRng,
    rules: LogitRules<'a>,
    tokens: Vec<u32>,
    logp: Vec<f32>,
}

/// A finished completion and its indices.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) request: usize,
    /// Index within the request.
    pub(crate) index: usize,
    /// The rollout, or the error of its drawing.
    pub(crate) outcome: Result<Rollout, PolicyError>,
}

impl<'a> Completion<'a> {
    /// Completion `index` of request `request`, before its first token.
    pub(crate) fn new(requests: &'a [Prepared<'a>], request: usize, index: usize) -> Self {
        let prepared = &requests[request];
        let rng = prepared.request.seed.index(index as u64).rng();
        let rules = prepared.request.rules(&prepared.prompt, prepared.ends);
        Self { request, index, rng, rules, tokens: Vec::new(), logp: Vec::new() }
    }

    /// The token that was drawn last.
    pub(crate) fn last(&self) -> u32 {
        self.tokens.last().copied().unwrap_or_default()
    }

    /// The logits that the next draw reads: those of the mask's tokens; of [`TokenMask::Only`] none.
    pub(crate) fn wanted(&mut self, vocab_size: usize) -> &TokenMask {
        match self.rules.mask(vocab_size) {
            Ok(mask) => mask.unwrap_or(&TokenMask::All),
            // The draw will return the error.
            Err(_) => &TokenMask::Only(0),
        }
    }

    /// Draws a token from `logits`, which are overwritten. Those that [`Completion::wanted`] leaves out may have any
    /// value. Returns the completion if it ends with this token or by an error.
    pub(crate) fn advance(
        &mut self,
        tokenizer: &ChatTokenizer,
        requests: &[Prepared<'_>],
        logits: &mut [f32],
        scratch: &mut DrawScratch,
    ) -> Option<Finished> {
        let outcome = self.draw(tokenizer, requests, logits, scratch).transpose()?;
        Some(Finished { request: self.request, index: self.index, outcome })
    }

    fn draw(
        &mut self,
        tokenizer: &ChatTokenizer,
        requests: &[Prepared<'_>],
        logits: &mut [f32],
        scratch: &mut DrawScratch,
    ) -> Result<Option<Rollout>, PolicyError> {
        let prepared = &requests[self.request];
        let params = &prepared.request.params;
        let (token, logp) = if let Some(TokenMask::Only(forced)) = self.rules.mask(logits.len())? {
            let forced = *forced;
            skip(params, &mut self.rng);
            (forced, 0.0)
        } else {
            self.rules.adjust(logits)?;
            draw(logits, params, &mut self.rng, scratch)
        };
        if !logp.is_finite() {
            return Err(PolicyError::NonFinite { what: "a log-probability while sampling".to_owned() });
        }
        self.rules.accept(token)?;
        self.tokens.push(token);
        self.logp.push(logp);
        let ended = prepared.ends.contains(&token) || params.stop_tokens.contains(&token);
        let stopped = ended || stop::completed(tokenizer, &self.tokens, params)?;
        if !stopped && self.tokens.len() < prepared.max_tokens {
            return Ok(None);
        }
        let shown = self.tokens.len() - usize::from(ended);
        let mut rollout = Rollout::from_text(tokenizer.decode(&self.tokens[..shown])?)
            .with_finish(if stopped { Finish::Stop } else { Finish::Length })
            .with_tokens(prepared.prompt.clone(), std::mem::take(&mut self.tokens))
            .with_logp(std::mem::take(&mut self.logp));
        rollout.weights_version = prepared.version;
        Ok(Some(rollout))
    }
}

/// The rollouts of every request, or the first error among its completions.
pub(super) fn in_order(
    requests: &[Prepared<'_>],
    finished: Vec<Finished>,
) -> Vec<Result<Vec<Rollout>, PolicyError>> {
    let lost = || Err(PolicyError::Backend { what: "a completion was lost".to_owned(), source: None });
    let mut groups: Vec<Vec<Option<Result<Rollout, PolicyError>>>> =
        requests.iter().map(|r| vec![None; r.request.n]).collect();
    for Finished { request, index, outcome } in finished {
        // If a completion was drawn before its cohort failed, the first result counts.
        groups[request][index].get_or_insert(outcome);
    }
    let group = |g: Vec<Option<_>>| g.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect();
    groups.into_iter().map(group).collect()
}
