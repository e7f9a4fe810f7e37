use super::{Outcome, ensure, failed};
use sparring_core::{Component, Player, Reward, RewardContext, Rollout, check_scores, sum_components};
use std::borrow::Borrow;

/// Largest difference between a sum of components and the score, relative to the size of the terms.
const ROUNDING: f32 = 1e-5;

/// Number of steps of the phase in the contexts.
const STEPS: usize = 5;

/// Solve rates of a group's completions, repeated: all probed, and some probed.
const PROBED: [Option<f32>; 3] = [Some(0.5), Some(0.0), Some(1.0)];
const PARTLY: [Option<f32>; 4] = [None, Some(0.5), None, Some(1.0)];

/// Checks the contract of [`Reward`] on tasks with groups of completions: one finite entry or `None` per completion,
/// repeated calls agree, both for the score and its components; the components add up to the score.
///
/// Every group is scored in the default [`RewardContext`], at the first and last of five steps, with solve rates, with
/// solve rates that are partly `None`, with the groups of all `cases` as the batch, and with rates and batch together.
/// An empty group is scored in the same contexts.
///
/// # Errors
/// The first check that fails.
pub fn reward<T: ?Sized>(reward: &dyn Reward<T>, cases: &[(impl Borrow<T>, Vec<Rollout>)]) -> Outcome {
    ensure(!reward.name().is_empty(), "reward/name", || "the name is empty".to_owned())?;
    let mut groups: Vec<Vec<Rollout>> = cases.iter().map(|(_, group)| group.clone()).collect();
    groups.push(Vec::new());
    let (all, empty) = (&groups[..cases.len()], &groups[cases.len()]);
    for (i, (task, _)) in cases.iter().enumerate() {
        for (group, batch) in [(&all[i], all), (empty, &groups)] {
            let rates = |all: &[Option<f32>]| all.iter().copied().cycle().take(group.len()).collect();
            let (probed, partly): (Vec<_>, Vec<_>) = (rates(&PROBED), rates(&PARTLY));
            for (when, context) in contexts(&probed, &partly, batch) {
                in_context(reward, task.borrow(), group, &context, &format!("case {i}, {when}"))?;
            }
        }
    }
    Ok(())
}

/// Returns the contexts in which a group, which is part of the batch, is scored.
fn contexts<'a>(
    probed: &'a [Option<f32>],
    partly: &'a [Option<f32>],
    batch: &'a [Vec<Rollout>],
) -> [(&'static str, RewardContext<'a>); 7] {
    let at = |step, player| RewardContext::at(step, STEPS).with_player(player);
    let middle = at(STEPS / 2, Player::Generator);
    [
        ("default context", RewardContext::default()),
        ("first step", at(0, Player::Solver)),
        ("last step", at(STEPS - 1, Player::Solver)),
        ("with solve rates", middle.with_solve_rates(probed)),
        ("with solve rates, some `None`", middle.with_solve_rates(partly)),
        ("with a batch", middle.with_batch(batch)),
        ("with solve rates and a batch", middle.with_solve_rates(partly).with_batch(batch)),
    ]
}

/// Checks one group in one context; `place` names it.
fn in_context<T: ?Sized>(
    reward: &dyn Reward<T>,
    task: &T,
    group: &[Rollout],
    context: &RewardContext<'_>,
    place: &str,
) -> Outcome {
    let score = || reward.score(task, group, context);
    let scores = score().map_err(failed("reward/score"))?;
    check_scores(reward.name(), &scores, group.len()).map_err(failed("reward/score"))?;
    let again = score().map_err(failed("reward/repeatable"))?;
    ensure(bits(&scores) == bits(&again), "reward/repeatable", || {
        format!("{place}: {scores:?}, then {again:?}")
    })?;
    let components = || reward.components(task, group, context).map_err(failed("reward/components"));
    let parts = components()?;
    let named = parts.iter().all(|(name, _)| !name.is_empty());
    ensure(named, "reward/components", || format!("{place}: a component without a name"))?;
    let sums = sum_components(reward.name(), &parts, group.len()).map_err(failed("reward/components"))?;
    let again = components()?;
    ensure(same(&parts, &again), "reward/components", || format!("{place}: {parts:?}, then {again:?}"))?;
    add_up(place, &scores, &sums, &parts)
}

fn bits(scores: &[Option<f32>]) -> Vec<Option<u32>> {
    scores.iter().map(|score| score.map(f32::to_bits)).collect()
}

fn same(a: &[Component], b: &[Component]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && bits(&a.1) == bits(&b.1))
}

/// The components add up to the score.
fn add_up(place: &str, scores: &[Option<f32>], sums: &[Option<f32>], parts: &[Component]) -> Outcome {
    for (j, (score, sum)) in scores.iter().zip(sums).enumerate() {
        let close = match (score, sum) {
            (Some(score), Some(sum)) => {
                let terms: f32 = parts.iter().filter_map(|(_, scores)| scores[j]).map(f32::abs).sum();
                (score - sum).abs() <= ROUNDING * (score.abs() + terms)
            }
            (None, None) => true,
            _ => false,
        };
        ensure(close, "reward/sum", || {
            format!("{place}, completion {j}: the score is {score:?}, its components add up to {sum:?}")
        })?;
    }
    Ok(())
}
