//! The hook suite.

use super::{Options, Outcome, ensure, failed};
use sparring_core::{HookState, LogitHook, SeedRng, TokenMask};

/// Checks the contract of [`LogitHook`] on random completions of `prompt`, one for each of [`Options::group`]: states
/// that accepted the same tokens change logits alike, and a mask ([`HookState::mask`]) is what
/// [`HookState::apply`] does.
///
/// A completion ends after [`Options::max_tokens`], or where no token is allowed.
///
/// # Errors
/// The first check that fails.
pub fn hook(hook: &dyn LogitHook, prompt: &[u32], vocab_size: usize, options: &Options) -> Outcome {
    for completion in 0..options.group {
        let mut rng = options.seed.child("hook").index(completion as u64).rng();
        // One state is only asked for masks, where it has any.
        let [mut plain, mut twin, mut asked] = [(); 3].map(|()| hook.start(prompt));
        let mut accepted: Vec<u32> = Vec::new();
        while accepted.len() < options.max_tokens {
            let place = || format!("completion {completion}, after {accepted:?}");
            let before: Vec<f32> = (0..vocab_size).map(|_| (rng.unit() * 8.0 - 4.0) as f32).collect();
            let after = applied(&mut *plain, &before, "hook/apply")?;
            ensure(
                same(&applied(&mut *twin, &before, "hook/repeatable")?, &after),
                "hook/repeatable",
                || format!("{}: two states change the same logits differently", place()),
            )?;
            match asked.mask(vocab_size).map_err(failed("hook/mask"))? {
                Some(mask) => compare(&mask, &before, &after, place)?,
                None => drop(applied(&mut *asked, &before, "hook/apply")?),
            }
            let Some(token) = any(&after, &mut rng) else { break };
            for state in [&mut plain, &mut twin, &mut asked] {
                state.accept(token).map_err(failed("hook/accept"))?;
            }
            accepted.push(token);
        }
    }
    Ok(())
}

fn applied(
    state: &mut dyn HookState,
    logits: &[f32],
    check: &'static str,
) -> Result<Vec<f32>, super::ConformanceFailure> {
    let mut logits = logits.to_vec();
    state.apply(&mut logits).map_err(failed(check))?;
    Ok(logits)
}

/// A mask says all that is done to the logits, in the variant for its number of tokens.
fn compare(mask: &TokenMask, before: &[f32], after: &[f32], place: impl Fn() -> String) -> Outcome {
    let mut masked = before.to_vec();
    mask.apply(&mut masked);
    let differs = masked.iter().zip(after).position(|(a, b)| a.to_bits() != b.to_bits());
    if let Some(token) = differs {
        return ensure(false, "hook/mask", || {
            format!(
                "{}: the logit of token {token} is {} by the mask, {} without it",
                place(),
                masked[token],
                after[token]
            )
        });
    }
    let tokens = mask.allowed(0..before.len() as u32);
    ensure(TokenMask::from_tokens(tokens, before.len()) == *mask, "hook/mask variant", || {
        format!("{}: {mask:?} has another variant than TokenMask::from_words gives it", place())
    })
}

fn same(a: &[f32], b: &[f32]) -> bool {
    a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits()))
}

/// One of the tokens that are allowed.
fn any(logits: &[f32], rng: &mut SeedRng) -> Option<u32> {
    let allowed: Vec<u32> =
        (0..).zip(logits).filter(|(_, l)| **l > f32::NEG_INFINITY).map(|(t, _)| t).collect();
    allowed.get(rng.below(allowed.len())).copied()
}
