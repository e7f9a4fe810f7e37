use super::{ConformanceFailure, Options, Outcome, constraints, difference, ensure, failed};
use sparring_core::{Finish, PolicyError, Prompt, Rollout, SampleRequest, Sampler, SamplingParams};

/// Checks the contract of [`Sampler`] on the given prompts.
///
/// # Errors
/// The first check that fails.
pub fn sampler(sampler: &dyn Sampler, prompts: &[Prompt], options: &Options) -> Outcome {
    let requests = options.requests(prompts);
    let groups = sampler.sample_all(&requests).map_err(failed("sampler/shape"))?;
    shape(&requests, &groups)?;
    independence(sampler, &requests, &groups, options)?;
    seeds(sampler, &requests, options)?;
    greedy(sampler, &requests, options)?;
    stop_strings(sampler, &requests, &groups)?;
    constraints::all(sampler, &requests, &groups, options)?;
    refusals(sampler, &requests)?;
    let answers = beside_a_bad_request(sampler, &requests)?;
    let alone = answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(failed(FAILS_ALONE))?;
    same(FAILS_ALONE, &groups, &alone, options.tolerance)
}

fn shape(requests: &[SampleRequest], groups: &[Vec<Rollout>]) -> Outcome {
    let check = "sampler/shape";
    for (i, (request, group)) in requests.iter().zip(groups).enumerate() {
        for (j, rollout) in group.iter().enumerate() {
            let fault = if rollout.tokens.len() != rollout.logp.len() {
                "there must be one log-probability per token"
            } else if rollout.tokens.is_empty() {
                "a completion must contain the token that ended it"
            } else if rollout.tokens.len() > request.params.max_tokens {
                "it is longer than max_tokens"
            } else if rollout.prompt.is_empty() || rollout.prompt != group[0].prompt {
                "its prompt is empty, or not that of its group"
            } else if matches!(&request.prompt, Prompt::Tokens(tokens) if *tokens != rollout.prompt) {
                "token prompts must be used unchanged"
            } else if rollout.logp.iter().any(|l| !(l.is_finite() && *l <= 0.0)) {
                "a log-probability is positive or not finite"
            } else {
                continue;
            };
            return ensure(false, check, || format!("request {i}, completion {j}: {fault}"));
        }
    }
    Ok(())
}

/// A completion depends on seed, prompt and parameters: not on the call, the batch, the order, or n.
fn independence(
    sampler: &dyn Sampler,
    requests: &[SampleRequest],
    groups: &[Vec<Rollout>],
    options: &Options,
) -> Outcome {
    // What is freed is made again.
    sampler.rest();
    let again = sampler.sample_all(requests).map_err(failed("sampler/repeatable"))?;
    same("sampler/repeatable", groups, &again, 0.0)?;
    let reversed: Vec<SampleRequest> = requests.iter().rev().cloned().collect();
    let mut turned = sampler.sample_all(&reversed).map_err(failed("sampler/order"))?;
    turned.reverse();
    same("sampler/order", groups, &turned, options.tolerance)?;
    for (request, group) in requests.iter().zip(groups) {
        let check = "sampler/alone";
        let alone = sampler.sample_one(request).map_err(failed(check))?;
        same(check, std::slice::from_ref(group), &[alone], options.tolerance)?;
        let check = "sampler/group size";
        let fewer = request.clone().with_n(request.n.div_ceil(2));
        let prefix = vec![group[..fewer.n].to_vec()];
        let alone = sampler.sample_one(&fewer).map_err(failed(check))?;
        same(check, &prefix, &[alone], options.tolerance)?;
    }
    Ok(())
}

pub(super) fn same(check: &'static str, a: &[Vec<Rollout>], b: &[Vec<Rollout>], tolerance: f32) -> Outcome {
    ensure(a.len() == b.len(), check, || format!("{} groups against {}", a.len(), b.len()))?;
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        ensure(a.len() == b.len(), check, || format!("request {i}: a different number of completions"))?;
        for (j, (a, b)) in a.iter().zip(b).enumerate() {
            ensure(a.tokens == b.tokens && a.text == b.text && a.finish == b.finish, check, || {
                format!("request {i}, completion {j}: {:?} against {:?}", a.tokens, b.tokens)
            })?;
            if let Some(what) = difference(&a.logp, &b.logp, tolerance) {
                return ensure(false, check, || format!("request {i}, completion {j}: {what}"));
            }
        }
    }
    Ok(())
}

/// Completions of a group, and of different seeds, differ unless the policy is certain.
fn seeds(sampler: &dyn Sampler, requests: &[SampleRequest], options: &Options) -> Outcome {
    const COMPLETIONS: usize = 16;
    /// Logarithm of the probability below which equality is not a coincidence.
    const TOO_UNLIKELY: f32 = -20.0;
    let check = "sampler/seed";
    for (i, request) in requests.iter().enumerate() {
        let wide = request.clone().with_n(COMPLETIONS);
        let other = wide.clone().with_seed(options.seed.child("another").index(i as u64));
        let groups = sampler.sample_all(&[wide, other]).map_err(failed(check))?;
        let sum = |rollout: &Rollout| rollout.logp.iter().sum::<f32>();
        if let [first, second] = groups.as_slice() {
            let all_equal = first.iter().all(|r| r.tokens == first[0].tokens);
            let unlikely = first.iter().skip(1).map(sum).sum::<f32>() < TOO_UNLIKELY;
            ensure(!(all_equal && unlikely), check, || {
                format!("request {i}: every completion of the group is the same")
            })?;
            let equal = first.iter().zip(second).all(|(a, b)| a.tokens == b.tokens);
            ensure(!(equal && unlikely), check, || {
                format!("request {i}: another seed gives the same completions")
            })?;
        }
    }
    Ok(())
}

/// At temperature 0 the seed does not matter.
fn greedy(sampler: &dyn Sampler, requests: &[SampleRequest], options: &Options) -> Outcome {
    let check = "sampler/greedy";
    let params = SamplingParams::greedy().with_max_tokens(options.max_tokens);
    let ask: Vec<SampleRequest> =
        requests.iter().map(|r| r.clone().with_n(2).with_params(params.clone())).collect();
    let groups = sampler.sample_all(&ask).map_err(failed(check))?;
    shape(&ask, &groups).map_err(|failure| ConformanceFailure { check, ..failure })?;
    for (i, group) in groups.iter().enumerate() {
        ensure(group[0].tokens == group[1].tokens, check, || {
            format!("request {i}: two seeds give {:?} and {:?}", group[0].tokens, group[1].tokens)
        })?;
    }
    Ok(())
}

/// A stop string ends the completion at its first occurrence and is kept in the text.
fn stop_strings(sampler: &dyn Sampler, requests: &[SampleRequest], groups: &[Vec<Rollout>]) -> Outcome {
    let check = "sampler/stop string";
    for (i, (request, group)) in requests.iter().zip(groups).enumerate() {
        let Some((j, rollout)) = group.iter().enumerate().max_by_key(|(_, r)| r.text.chars().count()) else {
            continue;
        };
        let Some(stop) = rollout.text.chars().nth(rollout.text.chars().count() / 2).map(String::from) else {
            continue;
        };
        if stop == "\u{fffd}" {
            continue; // half a character: its text depends on the tokens around it
        }
        let mut changed = request.clone();
        changed.params.stop = vec![stop.clone()];
        let stopped = &sampler.sample_one(&changed).map_err(failed(check))?[j];
        let is_prefix = rollout.tokens.starts_with(&stopped.tokens);
        ensure(is_prefix && stopped.text.contains(&stop) && stopped.finish == Finish::Stop, check, || {
            format!(
                "request {i}, completion {j}: {:?} should stop at {stop:?}, got {:?}",
                rollout.text, stopped.text
            )
        })?;
        let shorter = stopped.tokens.len() < rollout.tokens.len() || rollout.text.ends_with(&stop);
        ensure(shorter, check, || format!("request {i}, completion {j}: continued after {stop:?}"))?;
    }
    Ok(())
}

pub(super) const FAILS_ALONE: &str = "sampler/fails alone";

/// Returns the answers to the other requests of a call with one wrong request in the middle.
pub(super) fn beside_a_bad_request(
    sampler: &dyn Sampler,
    requests: &[SampleRequest],
) -> Result<Vec<Result<Vec<Rollout>, PolicyError>>, ConformanceFailure> {
    let Some(first) = requests.first() else { return Ok(Vec::new()) };
    let mut bad = first.clone();
    bad.params.temperature = f32::NAN;
    let place = requests.len() / 2;
    let mut changed = requests.to_vec();
    changed.insert(place, bad);
    let mut answers = sampler.sample(&changed);
    ensure(answers.len() == changed.len(), FAILS_ALONE, || {
        format!("{} answers to {} requests, one of them wrong", answers.len(), changed.len())
    })?;
    ensure(answers.remove(place).is_err(), FAILS_ALONE, || {
        "a NaN temperature was accepted next to other requests".to_owned()
    })?;
    Ok(answers)
}

/// Checks a call without requests, wrong parameters and an empty prompt.
pub(super) fn refusals(sampler: &dyn Sampler, requests: &[SampleRequest]) -> Outcome {
    let check = "sampler/empty";
    let none = sampler.sample(&[]);
    ensure(none.is_empty(), check, || format!("{} answers to no request", none.len()))?;
    let Some(request) = requests.first() else { return Ok(()) };
    let no_completion = request.clone().with_n(0);
    sampler.sample_one(&no_completion).map_err(failed(check))?;
    let check = "sampler/refuses";
    let mut hot = request.clone();
    hot.params.temperature = f32::NAN;
    ensure(sampler.sample_one(&hot).is_err(), check, || "a NaN temperature was accepted".to_owned())?;
    let promptless = SampleRequest::new(Vec::<u32>::new(), 1, request.params.clone(), request.seed);
    ensure(sampler.sample_one(&promptless).is_err(), check, || "an empty prompt was accepted".to_owned())
}
