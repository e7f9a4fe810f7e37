use super::softmax::{best, draw, log_softmax};
use super::{NextToken, NextTokenPolicy, TokenContext};
use rand::Rng;
use sparring_core::{Finish, PolicyError, Prompt, Rollout, SampleRequest, Sampler};
use std::sync::Arc;

impl<M: NextToken> Sampler for NextTokenPolicy<M> {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        requests.iter().map(|request| self.group(request)).collect()
    }
}

impl<M: NextToken> NextTokenPolicy<M> {
    fn group(&self, request: &SampleRequest) -> Result<Vec<Rollout>, PolicyError> {
        request.params.validate()?;
        let prompt: Arc<[u32]> = match &request.prompt {
            Prompt::Conversation(conversation) => self.model.encode(&conversation.messages).into(),
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
        (0..request.n as u64).map(|i| self.complete(request, &prompt, i)).collect()
    }

    fn complete(
        &self,
        request: &SampleRequest,
        prompt: &Arc<[u32]>,
        completion: u64,
    ) -> Result<Rollout, PolicyError> {
        let (params, end) = (&request.params, self.model.end());
        let mut rng = request.seed.index(completion).rng();
        let greedy = params.temperature == 0.0;
        let temperature = if greedy { 1.0 } else { f64::from(params.temperature) };
        let room = params.max_tokens.min(self.max_length - prompt.len());
        let start = TokenContext::new(prompt);
        let ends = [end];
        let mut rules = request.rules(prompt, &ends);
        let (mut tokens, mut logp, mut text) = (Vec::new(), Vec::new(), String::new());
        let mut finish = Finish::Length;
        while tokens.len() < room && finish == Finish::Length {
            let mut logits = self.logits(start.after(&tokens))?;
            if rules.adjusts() {
                let mut narrow: Vec<f32> = logits.iter().map(|&z| z as f32).collect();
                rules.adjust(&mut narrow)?;
                logits = narrow.into_iter().map(f64::from).collect();
            }
            log_softmax(&mut logits, temperature);
            let (token, drawn) = if greedy { best(&logits) } else { draw(&logits, params, rng.random()) };
            rules.accept(token)?;
            tokens.push(token);
            logp.push(drawn as f32);
            let ended = token == end || params.stop_tokens.contains(&token);
            let before = text.len();
            if !ended {
                text.push_str(self.model.decode(token));
            }
            let completed = |stop: &String| {
                text.matches(stop.as_str()).count() > text[..before].matches(stop.as_str()).count()
            };
            if ended || (tokens.len() >= params.min_tokens && params.stop.iter().any(completed)) {
                finish = Finish::Stop;
            }
        }
        let rollout = Rollout::from_text(text).with_finish(finish);
        Ok(rollout.with_tokens(Arc::clone(prompt), tokens).with_logp(logp))
    }
}
