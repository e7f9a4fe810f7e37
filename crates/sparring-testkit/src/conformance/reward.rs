use super::{Options, Outcome, ensure, failed};
use sparring_core::{Reward, RewardContext, Rollout};

/// Checks the contract of [`Reward`] on tasks with groups of completions: one finite entry or `None` a
/// completion, the same at every call, in the score and in its components.
///
/// # Errors
/// The first check that fails.
pub fn reward<T>(reward: &dyn Reward<T>, cases: &[(T, Vec<Rollout>)], _: &Options) -> Outcome {
    ensure(!reward.name().is_empty(), "reward/name", || "the name is empty".to_owned())?;
    for (i, (task, group)) in cases.iter().enumerate() {
        for group in [group.as_slice(), &[]] {
            let context = RewardContext::default();
            let scores = reward.score(task, group, &context).map_err(failed("reward/score"))?;
            entries("reward/score", i, &scores, group.len())?;
            let again = reward.score(task, group, &context).map_err(failed("reward/repeatable"))?;
            ensure(bits(&scores) == bits(&again), "reward/repeatable", || {
                format!("case {i}: {scores:?}, then {again:?}")
            })?;
            for (name, scores) in
                reward.components(task, group, &context).map_err(failed("reward/components"))?
            {
                ensure(!name.is_empty(), "reward/components", || format!("case {i}: a nameless component"))?;
                entries("reward/components", i, &scores, group.len())?;
            }
        }
    }
    Ok(())
}

fn bits(scores: &[Option<f32>]) -> Vec<Option<u32>> {
    scores.iter().map(|score| score.map(f32::to_bits)).collect()
}

fn entries(check: &'static str, case: usize, scores: &[Option<f32>], completions: usize) -> Outcome {
    ensure(scores.len() == completions, check, || {
        format!("case {case}: {} entries for {completions} completions", scores.len())
    })?;
    ensure(scores.iter().flatten().all(|score| score.is_finite()), check, || {
        format!("case {case}: {scores:?} is not finite")
    })
}
