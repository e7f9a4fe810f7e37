use super::{Options, Outcome, constrained, difference, ensure, failed, grouped, samples, under};
use sparring_core::{
    AllowTokens, Hook, Policy, Prompt, Rollout, SampleRequest, SamplingParams, Scorer, TokenBatch, TokenGroup,
};
use std::collections::BTreeMap;

/// Checks that a policy's sampler and scorer keep their contracts, and that they agree.
///
/// # Errors
/// The first check that fails.
pub fn policy(policy: &dyn Policy, prompts: &[Prompt], options: &Options) -> Outcome {
    super::sampler(policy, prompts, options)?;
    let groups = samples(policy, prompts, options, "policy/samples")?;
    super::scorer(policy, &groups, options)?;
    for (drawn_at, scored_at) in [(1.0, 1.0), (0.7, 0.7), (1.5, 1.5), (0.0, 1.0)] {
        agreement(policy, prompts, options, drawn_at, scored_at)?;
    }
    prompts.iter().enumerate().try_for_each(|(i, prompt)| chi_square(policy, prompt, i, options))?;
    under_a_hook(policy, prompts, options)?;
    frozen(policy, &groups)
}

/// The rollouts' log-probabilities equal the scorer's.
fn agreement(
    policy: &dyn Policy,
    prompts: &[Prompt],
    options: &Options,
    drawn_at: f32,
    scored_at: f32,
) -> Outcome {
    let check = "policy/score of a sample";
    let mut requests = options.requests(prompts);
    for request in &mut requests {
        request.params.temperature = drawn_at;
    }
    let groups = policy.sample_all(&requests).map_err(failed(check))?;
    let tokens = grouped(&groups);
    let scored = policy.score(TokenBatch::new(&tokens, scored_at)).map_err(failed(check))?;
    let own: Vec<f32> = groups.iter().flatten().flat_map(|rollout| rollout.logp.clone()).collect();
    match difference(&own, &scored, options.tolerance) {
        Some(what) => ensure(false, check, || format!("temperature {drawn_at}: {what}")),
        None => Ok(()),
    }
}

/// The same under a hook: the softmax is over the tokens that it allows. A token that it forbids is refused.
fn under_a_hook(policy: &dyn Policy, prompts: &[Prompt], options: &Options) -> Outcome {
    let check = "policy/score under a hook";
    for temperature in [1.0, 0.7] {
        let mut requests = options.requests(prompts);
        for request in &mut requests {
            request.params.temperature = temperature;
        }
        let Some((hook, groups)) = constrained(policy, &requests, options, check)? else { return Ok(()) };
        let tokens = under(grouped(&groups), Some(&hook));
        let scored = policy.score(TokenBatch::new(&tokens, temperature)).map_err(failed(check))?;
        let own: Vec<f32> = groups.iter().flatten().flat_map(|rollout| rollout.logp.clone()).collect();
        if let Some(what) = difference(&own, &scored, options.tolerance) {
            return ensure(false, check, || format!("temperature {temperature}: {what}"));
        }
        let nothing = Hook::new(AllowTokens::new([]));
        let forbidden = under(grouped(&groups), Some(&nothing));
        let refused = policy.score(TokenBatch::new(&forbidden, temperature)).is_err();
        ensure(refused, check, || "a token that the hook forbids was scored".to_owned())?;
    }
    Ok(())
}

/// Pearson's χ² of the first tokens against the scorer's probabilities.
fn chi_square(policy: &dyn Policy, prompt: &Prompt, index: usize, options: &Options) -> Outcome {
    /// Cells with fewer expected draws are pooled.
    const LEAST_EXPECTED: f64 = 5.0;
    let check = "policy/chi-square of first tokens";
    let request = SampleRequest::new(
        prompt.clone(),
        options.draws,
        SamplingParams::default().with_max_tokens(1),
        options.seed.child("chi-square").index(index as u64),
    );
    let drawn = policy.sample_one(&request).map_err(failed(check))?;
    let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
    for rollout in &drawn {
        *counts.entry(rollout.tokens[0]).or_default() += 1.0;
    }
    let Some(first) = drawn.first() else { return Ok(()) };
    let tokens: Vec<[u32; 1]> = counts.keys().map(|&token| [token]).collect();
    let group = [TokenGroup::new(&first.prompt, tokens.iter().map(<[u32; 1]>::as_slice).collect())];
    let logps = policy.score(TokenBatch::new(&group, 1.0)).map_err(failed(check))?;
    let draws = drawn.len() as f64;
    // Tokens that were never sampled, or are too rare for a cell of their own, share one cell.
    let (mut rest_expected, mut rest_seen, mut statistic, mut cells) = (draws, 0.0, 0.0, 0.0);
    for (&seen, &logp) in counts.values().zip(&logps) {
        let expected = draws * f64::from(logp).exp();
        if expected >= LEAST_EXPECTED {
            statistic += (seen - expected).powi(2) / expected;
            cells += 1.0;
            rest_expected -= expected;
        } else {
            rest_seen += seen;
        }
    }
    let rounding = draws * f64::from(options.tolerance);
    if rest_expected >= LEAST_EXPECTED {
        statistic += (rest_seen - rest_expected).powi(2) / rest_expected;
        cells += 1.0;
    }
    ensure(rest_expected > -rounding.max(1.0), check, || {
        format!("prompt {index}: the probabilities of the tokens drawn add up to more than 1")
    })?;
    let limit = chi_square_limit(cells - 1.0);
    ensure(statistic <= limit, check, || {
        format!("prompt {index}: χ² = {statistic:.1} over {cells} cells, above {limit:.1} (p < 1e-6)")
    })
}

/// Returns the χ² that is exceeded with probability 1e-6 (Wilson and Hilferty, 1931).
fn chi_square_limit(freedom: f64) -> f64 {
    /// Standard normal quantile at 1 − 1e-6.
    const Z: f64 = 4.753;
    if freedom < 1.0 {
        return f64::INFINITY;
    }
    let spread = 2.0 / (9.0 * freedom);
    freedom * (1.0 - spread + Z * spread.sqrt()).powi(3)
}

/// A frozen copy, if supported, scores like the original.
fn frozen(policy: &dyn Policy, groups: &[Vec<Rollout>]) -> Outcome {
    let check = "policy/frozen copy";
    let Ok(copy) = policy.freeze() else { return Ok(()) };
    let tokens = grouped(groups);
    let score = |scorer: &dyn Scorer| scorer.score(TokenBatch::new(&tokens, 1.0));
    let (a, b) = (score(policy).map_err(failed(check))?, score(&*copy).map_err(failed(check))?);
    difference(&a, &b, 0.0).map_or(Ok(()), |what| ensure(false, check, || what))
}
