//! A completion in progress: how its tokens are drawn, and when it ends. No cache and no model here, so that
//! every backend draws alike.

use super::draw::{Scratch, draw};
use super::request::Prepared;
use super::stop;
use crate::tokenizer::ChatTokenizer;
use sparring_core::{Finish, LogitRules, PolicyError, Rollout, SeedRng};

/// What was drawn so far.
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

/// A rollout and where it belongs.
#[derive(Debug)]
pub(crate) struct Finished {
    request: usize,
    index: usize,
    rollout: Rollout,
}

impl Finished {
    /// What was drawn.
    pub(super) fn rollout(&self) -> &Rollout {
        &self.rollout
    }
}

impl<'a> Completion<'a> {
    /// Completion `index` of request `request`, before its first token.
    pub(crate) fn new(requests: &'a [Prepared<'a>], request: usize, index: usize) -> Self {
        let prepared = &requests[request];
        let rng = prepared.request.seed.index(index as u64).rng();
        let rules = prepared.request.rules(&prepared.prompt, prepared.ends, request);
        Self { request, index, rng, rules, tokens: Vec::new(), logp: Vec::new() }
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
        scratch: &mut Scratch,
    ) -> Result<Option<Finished>, PolicyError> {
        let prepared = &requests[self.request];
        let params = &prepared.request.params;
        self.rules.adjust(logits)?;
        let (token, logp) = draw(logits, params, &mut self.rng, scratch);
        if !logp.is_finite() {
            let what = format!("a log-probability while sampling request {}", self.request);
            return Err(PolicyError::NonFinite { what });
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
