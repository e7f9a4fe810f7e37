use super::{Options, Outcome, ensure};
use rand::Rng;
use sparring_core::Advantage;

/// Checks the contract of [`Advantage`] on random groups: every entry is written and finite, zero-advantage groups give
/// exactly 0, and repeated calls agree.
///
/// # Errors
/// The first check that fails.
pub fn advantage(advantage: &dyn Advantage, options: &Options) -> Outcome {
    const ROUNDS: usize = 200;
    const LARGEST_GROUP: usize = 12;
    let mut rng = options.seed.child("advantage").rng();
    let compute = |rewards: &[f32]| {
        let mut out = vec![f32::NAN; rewards.len()];
        advantage.compute(rewards, &mut out);
        out
    };
    for round in 0..ROUNDS {
        let n = rng.random_range(0..=LARGEST_GROUP);
        let scale = [1e-3, 1.0, 1e6][round % 3];
        let binary = round % 2 == 0;
        let draw = |u: f32| if binary { scale * u.round() } else { scale * (u - 0.5) };
        let rewards: Vec<f32> = (0..n).map(|_| draw(rng.random())).collect();
        let out = compute(&rewards);
        ensure(out.iter().all(|a| a.is_finite()), "advantage/finite", || {
            format!("{rewards:?} gave {out:?} (an entry that is not written stays NaN)")
        })?;
        ensure(out == compute(&rewards), "advantage/repeatable", || format!("{rewards:?} gave two results"))?;
        let level = draw(rng.random());
        let equal = vec![level; n];
        let out = compute(&equal);
        ensure(out.iter().all(|&a| a == 0.0), "advantage/no signal", || format!("{equal:?} gave {out:?}"))?;
    }
    Ok(())
}
