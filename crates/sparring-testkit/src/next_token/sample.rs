use super::softmax::{best, nucleus};
use super::{NextToken, NextTokenPolicy, TokenContext};
use rand::Rng;
use sparring_core::{Finish, PolicyError, Prompt, Rollout, SampleRequest, Sampler, SamplingParams, Seed};
use std::sync::Arc;

impl<M: NextToken> Sampler for NextTokenPolicy<M> {
    fn sample(&self, requests: &[SampleRequest]) -> Result<Vec<Vec<Rollout>>, PolicyError> {
        requests.iter().map(|request| self.group(request)).collect()
    }
}

impl<M: NextToken> NextTokenPolicy<M> {
    fn group(&self, request: &SampleRequest) -> Result<Vec<Rollout>, PolicyError> {
        request.params.validate()?;
        let prompt: Arc<[u32]> = match &request.prompt {
            Prompt::Messages(messages) => self.model.encode(messages).into(),
            Prompt::Tokens(tokens) => Arc::clone(tokens),
            _ => return Err(PolicyError::Unsupported { what: "this kind of prompt" }),
        };
        self.check_prompt(&prompt)?;
        if prompt.len() >= self.max_length {
            return Err(PolicyError::invalid(format!(
                "a prompt of {} tokens leaves no room in {}; shorten it",
                prompt.len(),
                self.max_length
            )));
        }
        let draw = |i| self.complete(&prompt, &request.params, request.seed.index(i));
        (0..request.n as u64).map(draw).collect()
    }

    fn complete(
        &self,
        prompt: &Arc<[u32]>,
        params: &SamplingParams,
        seed: Seed,
    ) -> Result<Rollout, PolicyError> {
        let mut rng = seed.rng();
        let greedy = params.temperature == 0.0;
        let temperature = if greedy { 1.0 } else { f64::from(params.temperature) };
        let room = params.max_tokens.min(self.max_length - prompt.len());
        let start = TokenContext::new(prompt);
        let (mut tokens, mut logp, mut text) = (Vec::new(), Vec::new(), String::new());
        let mut finish = Finish::Length;
        while tokens.len() < room && finish == Finish::Length {
            let logps = self.log_softmax(start.after(&tokens), temperature)?;
            let (token, drawn) =
                if greedy { best(&logps) } else { nucleus(&logps, params.top_p, rng.random()) };
            tokens.push(token);
            logp.push(drawn as f32);
            text.push_str(self.model.decode(token));
            if token == self.model.end() || params.stop.iter().any(|stop| text.contains(stop.as_str())) {
                finish = Finish::Stop;
            }
        }
        Ok(Rollout { prompt: Arc::clone(prompt), tokens, logp, text, finish, observations: Vec::new() })
    }
}
