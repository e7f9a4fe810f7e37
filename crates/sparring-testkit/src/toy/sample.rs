use super::ToyPolicy;
use super::tokens::END;
use rand::Rng;
use sparring_core::{Finish, PolicyError, Rollout, SampleRequest, Sampler, SamplingParams, Seed};
use std::sync::Arc;

impl Sampler for ToyPolicy {
    fn sample(&self, requests: &[SampleRequest]) -> Result<Vec<Vec<Rollout>>, PolicyError> {
        requests
            .iter()
            .map(|request| {
                request.params.validate()?;
                let prompt = self
                    .prompt_tokens(&request.prompt)
                    .ok_or(PolicyError::Unsupported { what: "this kind of prompt" })?;
                self.check_prompt(&prompt)?;
                if prompt.len() >= self.max_length {
                    return Err(PolicyError::invalid(format!(
                        "a prompt of {} tokens leaves no room in {}; shorten it",
                        prompt.len(),
                        self.max_length
                    )));
                }
                let draw = |i| self.complete(&prompt, &request.params, request.seed.index(i as u64));
                Ok((0..request.n).map(draw).collect())
            })
            .collect()
    }
}

impl ToyPolicy {
    fn complete(&self, prompt: &Arc<[u32]>, params: &SamplingParams, seed: Seed) -> Rollout {
        let mut rng = seed.rng();
        let row = self.row(prompt);
        let room = params.max_tokens.min(self.max_length - prompt.len());
        let mut previous = prompt.last().copied().unwrap_or(END);
        let (mut tokens, mut logp, mut text) = (Vec::new(), Vec::new(), String::new());
        let mut finish = Finish::Length;
        while tokens.len() < room {
            let temperature = if params.temperature == 0.0 { 1.0 } else { f64::from(params.temperature) };
            let logps = self.log_softmax(self.sources(row, tokens.len(), previous), temperature);
            let (token, drawn) = if params.temperature == 0.0 {
                best(&logps)
            } else {
                nucleus(&logps, params.top_p, rng.random())
            };
            tokens.push(token);
            logp.push(drawn as f32);
            previous = token;
            text.push_str(&self.decode(&[token]));
            if token == END || params.stop.iter().any(|stop| text.contains(stop.as_str())) {
                finish = Finish::Stop;
                break;
            }
        }
        Rollout { prompt: Arc::clone(prompt), tokens, logp, text, finish }
    }
}

/// The most probable token, the first of equals.
fn best(logps: &[f64]) -> (u32, f64) {
    let first = (END, f64::NEG_INFINITY);
    logps.iter().enumerate().fold(first, |top, (i, &l)| if l > top.1 { (i as u32, l) } else { top })
}

/// Inverse of the cumulative distribution at `u` in [0, 1), over the smallest set of tokens with at least
/// `top_p` of the probability.
fn nucleus(logps: &[f64], top_p: f32, u: f64) -> (u32, f64) {
    let mut kept: Vec<usize> = (0..logps.len()).collect();
    let mut mass = 1.0;
    if top_p < 1.0 {
        kept.sort_by(|&a, &b| logps[b].total_cmp(&logps[a]).then(a.cmp(&b)));
        mass = 0.0;
        let mut count = 0;
        while count < kept.len() && mass < f64::from(top_p) {
            mass += logps[kept[count]].exp();
            count += 1;
        }
        kept.truncate(count);
    }
    let mut below = 0.0;
    let mut drawn = kept[0];
    for &token in &kept {
        drawn = token;
        below += logps[token].exp();
        if u * mass < below {
            break;
        }
    }
    (drawn as u32, logps[drawn] - mass.ln())
}
