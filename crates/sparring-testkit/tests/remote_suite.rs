//! Each check of the suite for remote samplers passes on a correct server and catches a bug planted for it.
#![allow(clippy::unwrap_used, missing_docs)]
use sparring_core::{Message, PolicyError, Prompt, Rollout, SampleRequest, Sampler, Seed};
use sparring_testkit::ToyPolicy;
use sparring_testkit::conformance::{self, Options};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    CutsNothingOff,
    DropsCompletion,
    SwapsGroups,
    TooLong,
    HalfTheLogp,
    PositiveLogp,
    MadeUpLogp,
    PassesOverStop,
    PassesOverHooks,
    TakesAnyTemperature,
    AnswersNothing,
    FailsTogether,
    SwapsBesideFailed,
}

/// A server with its own seed, text-only answers, and stop strings cut off.
struct Server {
    toy: ToyPolicy,
    bug: Bug,
    calls: AtomicU64,
}

impl Server {
    fn with(bug: Bug) -> Self {
        Self { toy: ToyPolicy::new("abc", Seed::new(5)), bug, calls: AtomicU64::new(0) }
    }

    fn one(&self, request: &SampleRequest) -> Result<Vec<Rollout>, PolicyError> {
        let mut request = request.clone();
        match self.bug {
            Bug::PassesOverHooks => request.hook = None,
            Bug::TakesAnyTemperature if request.params.temperature.is_nan() => {
                request.params.temperature = 1.0;
            }
            Bug::TooLong => request.params.max_tokens += 3,
            _ => {}
        }
        let stop = std::mem::take(&mut request.params.stop);
        request.seed = Seed::new(self.calls.fetch_add(1, Ordering::Relaxed));
        if request.hook.is_some() {
            return Err(PolicyError::Unsupported { what: "hooks: the server has no logits" });
        }
        let mut group = self.toy.sample_one(&request)?;
        for rollout in &mut group {
            for stop in &stop {
                match (self.bug, rollout.text.find(stop.as_str())) {
                    (Bug::PassesOverStop, _) | (_, None) => {}
                    (Bug::CutsNothingOff, Some(at)) => rollout.text.truncate(at + stop.len()),
                    (_, Some(at)) => rollout.text.truncate(at),
                }
            }
            match self.bug {
                Bug::TooLong => rollout.logp.clear(),
                Bug::HalfTheLogp => rollout.logp.truncate(rollout.tokens.len() - 1),
                Bug::PositiveLogp => rollout.logp.iter_mut().for_each(|l| *l = 0.5),
                Bug::MadeUpLogp => rollout.logp.fill(0.0),
                _ => (rollout.tokens, rollout.logp) = (Vec::new(), Vec::new()),
            }
        }
        if self.bug == Bug::DropsCompletion {
            group.pop();
        }
        Ok(group)
    }
}

impl Sampler for Server {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        let mut answers: Vec<_> = requests.iter().map(|request| self.one(request)).collect();
        let failed = answers.iter().position(Result::is_err);
        match (self.bug, failed) {
            (Bug::SwapsGroups, _) | (Bug::SwapsBesideFailed, Some(_)) => answers.reverse(),
            (Bug::FailsTogether, Some(i)) => answers = vec![answers[i].clone(); requests.len()],
            (Bug::AnswersNothing, _) if requests.is_empty() => answers.push(Ok(Vec::new())),
            _ => {}
        }
        answers
    }
}

fn prompts() -> [Prompt; 4] {
    ["ab", "c", "ca", "bb"].map(|text| vec![Message::user(text)].into())
}

#[test]
fn servers_with_text_only_conform() {
    let options = Options::default().with_group(3);
    conformance::remote_sampler(&Server::with(Bug::None), &prompts(), &options).unwrap();
    conformance::remote_sampler(&Server::with(Bug::CutsNothingOff), &prompts(), &options).unwrap();
    // A sampler that keeps the whole contract also keeps the weaker one.
    conformance::remote_sampler(&ToyPolicy::new("abc", Seed::new(5)), &prompts(), &options).unwrap();
    let failure = conformance::sampler(&Server::with(Bug::None), &prompts(), &options).unwrap_err();
    assert_eq!(failure.check, "sampler/shape", "the whole contract requires tokens");
}

#[test]
fn planted_bugs_are_caught() {
    let expected = [
        (Bug::DropsCompletion, "remote/shape"),
        (Bug::SwapsGroups, "remote/shape"),
        (Bug::TooLong, "remote/length"),
        (Bug::HalfTheLogp, "remote/log-probabilities"),
        (Bug::PositiveLogp, "remote/log-probabilities"),
        (Bug::MadeUpLogp, "remote/made-up log-probabilities"),
        (Bug::PassesOverStop, "remote/stop string"),
        (Bug::PassesOverHooks, "remote/hook"),
        (Bug::AnswersNothing, "sampler/empty"),
        (Bug::TakesAnyTemperature, "sampler/refuses"),
        (Bug::FailsTogether, "sampler/fails alone"),
        (Bug::SwapsBesideFailed, "sampler/fails alone"),
    ];
    for (bug, check) in expected {
        let failure = conformance::remote_sampler(&Server::with(bug), &prompts(), &Options::default())
            .expect_err(&format!("{bug:?} went unnoticed"));
        assert_eq!(failure.check, check, "{bug:?}: {failure}");
    }
}
