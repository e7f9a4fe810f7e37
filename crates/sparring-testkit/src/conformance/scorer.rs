use super::{Options, Outcome, difference, ensure, failed, grouped, ungrouped};
use sparring_core::{Rollout, Scorer, TokenBatch, TokenGroup};

/// Checks the contract of [`Scorer`] on the tokens of the given groups, which may be rollouts of any sampler.
///
/// # Errors
/// The first check that fails.
pub fn scorer(scorer: &dyn Scorer, groups: &[Vec<Rollout>], options: &Options) -> Outcome {
    let together = grouped(groups);
    let batch = TokenBatch::new(&together, 1.0);
    let logp = scorer.score(batch).map_err(failed("scorer/shape"))?;
    ensure(logp.len() == batch.completion_tokens(), "scorer/shape", || {
        format!("{} numbers for {} completion tokens", logp.len(), batch.completion_tokens())
    })?;
    ensure(logp.iter().all(|l| l.is_finite() && *l <= 0.0), "scorer/range", || {
        "a log-probability is positive or not finite".to_owned()
    })?;
    let again = scorer.score(batch).map_err(failed("scorer/repeatable"))?;
    equal("scorer/repeatable", &logp, &again, 0.0)?;

    let apart = ungrouped(groups);
    let alone = scorer.score(TokenBatch::new(&apart, 1.0)).map_err(failed("scorer/grouping"))?;
    equal("scorer/grouping", &logp, &alone, options.tolerance)?;
    let mut one_by_one = Vec::new();
    for group in &apart {
        let batch = TokenBatch::new(std::slice::from_ref(group), 1.0);
        one_by_one.extend(scorer.score(batch).map_err(failed("scorer/batch size"))?);
    }
    equal("scorer/batch size", &logp, &one_by_one, options.tolerance)?;
    causal(scorer, &apart, &one_by_one, options)?;
    empty_and_refused(scorer, &apart, &one_by_one, options)
}

fn equal(check: &'static str, a: &[f32], b: &[f32], tolerance: f32) -> Outcome {
    difference(a, b, tolerance).map_or(Ok(()), |what| ensure(false, check, || what))
}

/// A token's log-probability depends on earlier tokens only.
fn causal(scorer: &dyn Scorer, apart: &[TokenGroup<'_>], logp: &[f32], options: &Options) -> Outcome {
    let check = "scorer/causal";
    let mut rest = logp;
    for group in apart {
        let tokens = group.completions[0];
        let (own, others) = rest.split_at(tokens.len());
        rest = others;
        let half = tokens.len().div_ceil(2);
        let cut = [TokenGroup::new(group.prompt, vec![&tokens[..half]])];
        let prefix = scorer.score(TokenBatch::new(&cut, 1.0)).map_err(failed(check))?;
        equal(check, &own[..half], &prefix, options.tolerance)?;
    }
    Ok(())
}

fn empty_and_refused(
    scorer: &dyn Scorer,
    apart: &[TokenGroup<'_>],
    logp: &[f32],
    options: &Options,
) -> Outcome {
    let check = "scorer/empty";
    let none = scorer.score(TokenBatch::new(&[], 1.0)).map_err(failed(check))?;
    ensure(none.is_empty(), check, || format!("{} numbers for no group", none.len()))?;
    let Some(group) = apart.first() else { return Ok(()) };
    let with_empty = [TokenGroup::new(group.prompt, vec![&[], group.completions[0], &[]])];
    let scored = scorer.score(TokenBatch::new(&with_empty, 1.0)).map_err(failed(check))?;
    equal(check, &logp[..group.completions[0].len()], &scored, options.tolerance)?;

    let check = "scorer/refuses";
    let promptless = [TokenGroup::new(&[], group.completions.clone())];
    let empty_prompt = scorer.score(TokenBatch::new(&promptless, 1.0));
    ensure(empty_prompt.is_err(), check, || "an empty prompt was accepted".to_owned())?;
    let unknown = [TokenGroup::new(group.prompt, vec![&[u32::MAX]])];
    let unknown = scorer.score(TokenBatch::new(&unknown, 1.0));
    ensure(unknown.is_err(), check, || format!("token {} was taken", u32::MAX))
}
