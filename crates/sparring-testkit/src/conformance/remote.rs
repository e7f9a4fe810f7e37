use super::sampler::{FAILS_ALONE, beside_a_bad_request, refusals};
use super::{ConformanceFailure, Options, Outcome, ensure, failed};
use sparring_core::{AllowTokens, PolicyError, Prompt, Rollout, SampleRequest, Sampler};

/// Checks the part of [`Sampler`]'s contract that a sampler backed by a server can promise.
///
/// It does not require repeated answers to agree, or token ids and log-probabilities (if given, they must be right;
/// otherwise they are left empty), and a stop string may be kept or cut off. Everything else in
/// [`sampler()`](super::sampler()) that can be seen in a single answer must hold: one answer per request, in order;
/// lengths; refusals; a bad request fails alone. Parameters and hooks that the server does not support are refused with
/// [`PolicyError::Unsupported`], not ignored.
///
/// # Errors
/// The first check that fails.
pub fn remote_sampler(sampler: &dyn Sampler, prompts: &[Prompt], options: &Options) -> Outcome {
    // Groups have different sizes, so that swapped answers are noticed.
    let sized = |(i, request): (usize, SampleRequest)| request.with_n(options.group + i);
    let requests: Vec<SampleRequest> = options.requests(prompts).into_iter().enumerate().map(sized).collect();
    let groups = sampler.sample_all(&requests).map_err(failed("remote/shape"))?;
    for (i, (request, group)) in requests.iter().zip(&groups).enumerate() {
        group.iter().try_for_each(|rollout| rollout_is_honest(i, request, rollout))?;
        made_up(i, group)?;
        stop_string(sampler, i, request, group)?;
    }
    hook(sampler, &requests)?;
    refusals(sampler, &requests)?;
    let answers = beside_a_bad_request(sampler, &requests)?.into_iter();
    let answers = answers.collect::<Result<Vec<_>, _>>().map_err(failed(FAILS_ALONE))?;
    let in_place = requests.iter().zip(&answers).all(|(request, group)| request.n == group.len());
    ensure(in_place, FAILS_ALONE, || "answers next to a bad request are out of order".to_owned())
}

/// The given fields are right.
fn rollout_is_honest(i: usize, request: &SampleRequest, rollout: &Rollout) -> Outcome {
    let logp = &rollout.logp;
    let (check, fault) = if rollout.tokens.len() > request.params.max_tokens {
        ("remote/length", "a completion is longer than max_tokens")
    } else if !logp.is_empty() && logp.len() != rollout.tokens.len() {
        ("remote/log-probabilities", "there must be one log-probability per token, or none")
    } else if logp.iter().any(|l| !(l.is_finite() && *l <= 0.0)) {
        ("remote/log-probabilities", "a log-probability is positive or not finite")
    } else {
        return Ok(());
    };
    ensure(false, check, || format!("request {i}: {fault}"))
}

/// Log-probabilities of 0 mean that there was no choice; different completions show that there was.
fn made_up(i: usize, group: &[Rollout]) -> Outcome {
    let certain = |rollout: &Rollout| !rollout.logp.is_empty() && rollout.logp.iter().all(|l| *l == 0.0);
    let differ = group.iter().any(|rollout| rollout.text != group[0].text);
    ensure(!(differ && group.iter().all(certain)), "remote/made-up log-probabilities", || {
        format!("request {i}: completions differ, but every log-probability is 0; leave `logp` empty instead")
    })
}

/// Nothing follows a stop string; the string itself may be kept or cut off.
fn stop_string(sampler: &dyn Sampler, i: usize, request: &SampleRequest, group: &[Rollout]) -> Outcome {
    let check = "remote/stop string";
    let longest = group.iter().max_by_key(|rollout| rollout.text.len());
    // Its most frequent character is the most likely to be sampled again.
    let count = |text: &str, c: char| text.chars().filter(|other| *other == c).count();
    let commonest = longest.and_then(|r| r.text.chars().max_by_key(|c| (count(&r.text, *c), *c)));
    let Some(stop) = commonest.map(String::from) else { return Ok(()) };
    let mut changed = request.clone();
    changed.params.stop = vec![stop.clone()];
    let stopped = match sampler.sample_one(&changed) {
        Err(PolicyError::Unsupported { .. }) => return Ok(()),
        answer => answer.map_err(failed(check))?,
    };
    for rollout in stopped {
        let rest = rollout.text.split_once(stop.as_str()).map_or("", |(_, rest)| rest);
        ensure(rest.is_empty(), check, || {
            format!("request {i}: {:?} continues after the stop string {stop:?}", rollout.text)
        })?;
    }
    Ok(())
}

/// A hook is applied or refused: one that leaves no token cannot be applied.
fn hook(sampler: &dyn Sampler, requests: &[SampleRequest]) -> Result<(), ConformanceFailure> {
    let Some(request) = requests.first() else { return Ok(()) };
    let nothing = request.clone().with_hook(AllowTokens::new([]));
    ensure(sampler.sample_one(&nothing).is_err(), "remote/hook", || {
        "a hook that forbids everything was ignored; refuse hooks with PolicyError::Unsupported".to_owned()
    })
}
