//! Parameters and hooks that a sampler honours, or refuses with [`PolicyError::Unsupported`].

use super::sampler::same;
use super::{Options, Outcome, ensure, failed};
use sparring_core::{AllowTokens, Finish, PolicyError, Rollout, SampleRequest, Sampler, SamplingParams};

pub(super) fn all(
    sampler: &dyn Sampler,
    requests: &[SampleRequest],
    groups: &[Vec<Rollout>],
    options: &Options,
) -> Outcome {
    top_k(sampler, requests, options)?;
    lengths(sampler, requests, options)?;
    stop_tokens(sampler, requests, groups)?;
    hooks(sampler, requests, groups, options)
}

type Groups = Vec<Vec<Rollout>>;

/// Completions; `None` where the sampler says that it does not offer this.
fn ask(
    sampler: &dyn Sampler,
    requests: &[SampleRequest],
    check: &'static str,
) -> Result<Option<Groups>, super::ConformanceFailure> {
    match sampler.sample_all(requests) {
        Ok(groups) => Ok(Some(groups)),
        Err(PolicyError::Unsupported { .. }) => Ok(None),
        Err(error) => Err(failed(check)(error)),
    }
}

/// One token is left of every distribution: the greedy completion, drawn with probability 1.
fn top_k(sampler: &dyn Sampler, requests: &[SampleRequest], options: &Options) -> Outcome {
    let check = "sampler/top-k";
    let with = |params: SamplingParams| {
        let params = params.with_max_tokens(options.max_tokens);
        requests.iter().map(|r| r.clone().with_params(params.clone())).collect::<Vec<_>>()
    };
    let Some(one) = ask(sampler, &with(SamplingParams::default().with_top_k(1)), check)? else {
        return Ok(());
    };
    let greedy = sampler.sample_all(&with(SamplingParams::greedy())).map_err(failed(check))?;
    for (i, (one, greedy)) in one.iter().flatten().zip(greedy.iter().flatten()).enumerate() {
        ensure(one.tokens == greedy.tokens, check, || {
            format!("completion {i}: top-k 1 gives {:?}, temperature 0 {:?}", one.tokens, greedy.tokens)
        })?;
        ensure(one.logp.iter().all(|l| l.abs() <= options.tolerance), check, || {
            format!("completion {i}: drawn from one token, but its log-probabilities are {:?}", one.logp)
        })?;
    }
    Ok(())
}

/// `min_tokens` = `max_tokens` fixes the length, but where the model's own length comes first.
fn lengths(sampler: &dyn Sampler, requests: &[SampleRequest], options: &Options) -> Outcome {
    let check = "sampler/min_tokens";
    let length = options.max_tokens;
    let params = SamplingParams::default().with_max_tokens(length).with_min_tokens(length);
    let fixed: Vec<_> = requests.iter().map(|r| r.clone().with_params(params.clone())).collect();
    let Some(groups) = ask(sampler, &fixed, check)? else { return Ok(()) };
    for (i, rollout) in groups.iter().flatten().enumerate() {
        ensure(rollout.tokens.len() == length || rollout.finish == Finish::Length, check, || {
            format!("completion {i}: ends after {} tokens instead of {length}", rollout.tokens.len())
        })?;
    }
    Ok(())
}

/// A stop token ends the completion where it is first drawn.
fn stop_tokens(sampler: &dyn Sampler, requests: &[SampleRequest], groups: &[Vec<Rollout>]) -> Outcome {
    let check = "sampler/stop token";
    for (i, (request, group)) in requests.iter().zip(groups).enumerate() {
        let Some((j, rollout)) = group.iter().enumerate().max_by_key(|(_, r)| r.tokens.len()) else {
            continue;
        };
        let stop = rollout.tokens[rollout.tokens.len() / 2];
        let first = rollout.tokens.iter().position(|&t| t == stop).unwrap_or(0);
        let mut asked = request.clone();
        asked.params.stop_tokens = vec![stop];
        let Some(stopped) = ask(sampler, &[asked], check)? else { return Ok(()) };
        let stopped = &stopped[0][j];
        ensure(stopped.tokens == rollout.tokens[..=first] && stopped.finish == Finish::Stop, check, || {
            format!(
                "request {i}, completion {j}: {:?} was to stop at {stop}, got {:?}",
                rollout.tokens, stopped.tokens
            )
        })?;
    }
    Ok(())
}

/// A hook is obeyed, in any order of the requests; one that leaves nothing is an error.
fn hooks(
    sampler: &dyn Sampler,
    requests: &[SampleRequest],
    groups: &[Vec<Rollout>],
    options: &Options,
) -> Outcome {
    let check = "sampler/hook";
    let allowed = |group: &[Rollout]| -> Vec<u32> {
        group.iter().filter_map(|rollout| rollout.tokens.first().copied()).collect()
    };
    let hooked = |(request, group): (&SampleRequest, &Vec<Rollout>)| {
        request.clone().with_hook(AllowTokens::new(allowed(group)))
    };
    let asked: Vec<SampleRequest> = requests.iter().zip(groups).map(hooked).collect();
    let Some(constrained) = ask(sampler, &asked, check)? else { return Ok(()) };
    for (i, (free, group)) in groups.iter().zip(&constrained).enumerate() {
        let allowed = allowed(free);
        let stray = group.iter().flat_map(|r| &r.tokens).find(|token| !allowed.contains(token));
        ensure(stray.is_none(), check, || {
            format!("request {i}: drew token {stray:?}, but its hook allows {allowed:?}")
        })?;
    }
    let reversed: Vec<SampleRequest> = asked.iter().rev().cloned().collect();
    let mut turned = sampler.sample_all(&reversed).map_err(failed(check))?;
    turned.reverse();
    same("sampler/hook order", &constrained, &turned, options.tolerance)?;
    let Some(request) = requests.first() else { return Ok(()) };
    let nothing = request.clone().with_hook(AllowTokens::new([]));
    ensure(sampler.sample_one(&nothing).is_err(), check, || {
        "a hook that forbids everything was taken".to_owned()
    })
}
