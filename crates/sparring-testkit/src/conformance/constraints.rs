//! Checks of parameters and hooks, which a sampler honours or refuses with [`PolicyError::Unsupported`].

use super::counter::Counter;
use super::sampler::same;
use super::{Options, Outcome, ensure, failed};
use sparring_core::{
    AllowTokens, Finish, HookState, PolicyError, Rollout, SampleRequest, Sampler, SamplingParams,
};

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

/// Returns the completions; `None` if the sampler does not support the request.
pub(super) fn ask(
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

/// Top-k 1 leaves one token of every distribution: the greedy completion, sampled with probability 1.
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

/// `min_tokens` = `max_tokens` fixes the length, unless the model's maximum is smaller.
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

/// A stop token ends the completion at its first occurrence.
fn stop_tokens(sampler: &dyn Sampler, requests: &[SampleRequest], groups: &[Vec<Rollout>]) -> Outcome {
    let check = "sampler/stop token";
    for (i, (request, group)) in requests.iter().zip(groups).enumerate() {
        let Some((j, rollout)) = group.iter().enumerate().max_by_key(|(_, r)| r.tokens.len()) else {
            continue;
        };
        let stop = rollout.tokens[rollout.tokens.len() / 2];
        let first = rollout.tokens.iter().position(|&t| t == stop).unwrap_or(0);
        let mut changed = request.clone();
        changed.params.stop_tokens = vec![stop];
        let Some(stopped) = ask(sampler, &[changed], check)? else { return Ok(()) };
        let stopped = &stopped[0][j];
        ensure(stopped.tokens == rollout.tokens[..=first] && stopped.finish == Finish::Stop, check, || {
            format!(
                "request {i}, completion {j}: {:?} should stop at {stop}, got {:?}",
                rollout.tokens, stopped.tokens
            )
        })?;
    }
    Ok(())
}

/// A hook is applied, in any order of the requests; a hook that forbids everything is an error.
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
    let changed: Vec<SampleRequest> = requests.iter().zip(groups).map(hooked).collect();
    let Some(constrained) = ask(sampler, &changed, check)? else { return Ok(()) };
    for (i, (free, group)) in groups.iter().zip(&constrained).enumerate() {
        let allowed = allowed(free);
        let stray = group.iter().flat_map(|r| &r.tokens).find(|token| !allowed.contains(token));
        ensure(stray.is_none(), check, || {
            format!("request {i}: drew token {stray:?}, but its hook allows {allowed:?}")
        })?;
    }
    let reversed: Vec<SampleRequest> = changed.iter().rev().cloned().collect();
    let mut turned = sampler.sample_all(&reversed).map_err(failed(check))?;
    turned.reverse();
    same("sampler/hook order", &constrained, &turned, options.tolerance)?;
    let Some(request) = requests.first() else { return Ok(()) };
    let nothing = request.clone().with_hook(AllowTokens::new([]));
    ensure(sampler.sample_one(&nothing).is_err(), check, || {
        "a hook that forbids everything was accepted".to_owned()
    })?;
    hook_states(sampler, requests, groups, options)
}

/// Each completion has its own hook state, which accepts exactly its tokens, whatever else the call samples.
fn hook_states(
    sampler: &dyn Sampler,
    requests: &[SampleRequest],
    groups: &[Vec<Rollout>],
    options: &Options,
) -> Outcome {
    let check = "sampler/hook state";
    let tokens = groups.iter().flatten().flat_map(|rollout| rollout.tokens.iter().copied());
    let hook = Counter::new(tokens, options.max_tokens);
    let counted = |request: &SampleRequest| request.clone().with_hook(hook.clone());
    let changed: Vec<SampleRequest> = requests.iter().map(counted).collect();
    let drawn = sampler.sample_all(&changed).map_err(failed(check))?;
    for (i, rollout) in drawn.iter().flatten().enumerate() {
        let mut state = hook.begin();
        for (t, &token) in rollout.tokens.iter().enumerate() {
            ensure(state.allows(token), check, || {
                format!(
                    "completion {i}: drew {token} after {:?}, which a hook that counts had forbidden",
                    &rollout.tokens[..t]
                )
            })?;
            state.accept(token).map_err(failed(check))?;
        }
    }
    masks(sampler, requests, &hook, options)
}

/// A hook that gives its masks before the logits changes no completion, drawn or greedy, with end tokens or without.
fn masks(sampler: &dyn Sampler, requests: &[SampleRequest], hook: &Counter, options: &Options) -> Outcome {
    let check = "sampler/hook mask";
    for params in [
        SamplingParams::default(),
        SamplingParams::default().with_min_tokens(options.max_tokens),
        SamplingParams::default().with_top_k(2).with_repetition_penalty(1.5),
        SamplingParams::greedy(),
    ] {
        let params = params.with_max_tokens(options.max_tokens);
        let under = |hook: Counter| -> Vec<SampleRequest> {
            let one = |r: &SampleRequest| r.clone().with_params(params.clone()).with_hook(hook.clone());
            requests.iter().map(one).collect()
        };
        let (plain, masked) =
            (sampler.sample(&under(hook.clone())), sampler.sample(&under(hook.clone().with_masks())));
        for (i, answers) in plain.into_iter().zip(masked).enumerate() {
            match answers {
                (Ok(plain), Ok(masked)) => same(check, &[plain], &[masked], options.tolerance)?,
                (Err(_), Err(_)) => {}
                (plain, masked) => ensure(false, check, || {
                    format!("request {i}: {plain:?} without masks, {masked:?} with them")
                })?,
            }
        }
    }
    Ok(())
}
