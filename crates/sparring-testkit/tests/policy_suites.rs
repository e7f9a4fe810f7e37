//! Each check of the policy suites passes on the toy policy and catches a bug planted for it.
#![allow(clippy::float_cmp, clippy::unwrap_used, missing_docs, unreachable_pub)]
mod planted;

use planted::{Bug, Planted};
use sparring_core::{Message, Policy, Prompt, Scorer, Seed};
use sparring_testkit::ToyPolicy;
use sparring_testkit::conformance::{self, ConformanceFailure, Options};

fn fresh() -> ToyPolicy {
    ToyPolicy::new("abcde", Seed::new(3))
}

fn prompts() -> Vec<Prompt> {
    let policy = fresh();
    vec![
        Prompt::Tokens(policy.encode("ab")),
        Prompt::Tokens(policy.encode("edc")),
        vec![Message::user("what is written here?")].into(),
    ]
}

fn options() -> Options {
    Options::default().with_group(5).with_max_tokens(5)
}

fn all(make: &dyn Fn() -> Planted) -> Result<(), ConformanceFailure> {
    let dir = tempfile::tempdir().unwrap();
    conformance::policy(&make(), &prompts(), &options())?;
    conformance::learner(make, &prompts(), &options())?;
    conformance::checkpoint(make, &prompts(), dir.path(), &options())
}

#[test]
fn the_toy_conforms() {
    all(&|| Planted::new(fresh(), Bug::None)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    conformance::policy(&fresh(), &prompts(), &options()).unwrap();
    conformance::learner(fresh, &prompts(), &options()).unwrap();
    conformance::checkpoint(fresh, &prompts(), dir.path(), &options()).unwrap();
}

#[test]
fn planted_bugs_are_caught() {
    let expected = [
        (Bug::DropsCompletion, "sampler/shape"),
        (Bug::MissingLogp, "sampler/shape"),
        (Bug::TooLong, "sampler/shape"),
        (Bug::GlobalState, "sampler/repeatable"),
        (Bug::SeedByPlace, "sampler/order"),
        (Bug::SeedByGroupSize, "sampler/group size"),
        (Bug::OneSeedForAll, "sampler/seed"),
        (Bug::GreedyDraws, "sampler/greedy"),
        (Bug::NoStopStrings, "sampler/stop string"),
        (Bug::NoTopK, "sampler/top-k"),
        (Bug::LogpBeforeFilters, "sampler/top-k"),
        (Bug::EndsTooSoon, "sampler/min_tokens"),
        (Bug::NoStopTokens, "sampler/stop token"),
        (Bug::NoHook, "sampler/hook"),
        (Bug::SharesHookState, "sampler/hook state"),
        (Bug::TellsHookNothing, "sampler/hook state"),
        (Bug::MasksChangeDraws, "sampler/hook mask"),
        (Bug::ForgetsMinTokensUnderMasks, "sampler/hook mask"),
        (Bug::TakesAnyTemperature, "sampler/refuses"),
        (Bug::FailsTogether, "sampler/fails alone"),
        (Bug::LosesFailed, "sampler/fails alone"),
        (Bug::ShiftsAfterFailed, "sampler/fails alone"),
        (Bug::PositiveScore, "scorer/range"),
        (Bug::GroupLeaks, "scorer/grouping"),
        (Bug::LooksAhead, "scorer/causal"),
        (Bug::TakesEmptyPrompt, "scorer/refuses"),
        (Bug::TemperatureNotInLogp, "policy/score of a sample"),
        (Bug::SharperThanItSays, "policy/chi-square of first tokens"),
        (Bug::ScoresWithoutHook, "policy/score under a hook"),
        (Bug::WrongFrozenCopy, "policy/frozen copy"),
        (Bug::LossSeesOtherLogp, "learner/loss sees the scores"),
        (Bug::Ascends, "learner/descent"),
        (Bug::ClampsGradients, "learner/linearity"),
        (Bug::Overwrites, "learner/micro-batches"),
        (Bug::NormalisesByMicroBatch, "learner/micro-batches"),
        (Bug::Drifts, "learner/zero gradients"),
        (Bug::NeverClears, "learner/step clears"),
        (Bug::DiscardForgetsNothing, "learner/discard"),
        (Bug::ResetKeepsMoments, "learner/reset"),
        (Bug::SwallowsNan, "learner/not finite"),
        (Bug::RefusesTooLate, "learner/not finite"),
        (Bug::EntropyUpsideDown, "learner/entropy"),
        (Bug::LearnsWithoutHook, "learner/loss sees the scores"),
        (Bug::ForgetsOptimiser, "checkpoint/resume"),
        (Bug::RestoresNothing, "checkpoint/weights"),
        (Bug::TakesHalfAFile, "checkpoint/damaged"),
    ];
    for (bug, check) in expected {
        let failure = all(&|| Planted::new(fresh(), bug)).expect_err(&format!("{bug:?} went unnoticed"));
        assert_eq!(failure.check, check, "{bug:?}: {failure}");
    }
}

#[test]
fn a_prompt_without_room_is_an_error() {
    let policy = fresh().with_max_length(2);
    let failure = conformance::policy(&policy, &prompts(), &options()).unwrap_err();
    assert!(failure.detail.contains("leaves no room"), "{failure}");
}

#[test]
fn a_frozen_copy_stays() {
    let mut policy = fresh();
    let frozen = policy.freeze().unwrap();
    let prompt = policy.encode("ab");
    let groups = [sparring_core::TokenGroup::new(&prompt, vec![&[1, 2, 0]])];
    let batch = sparring_core::TokenBatch::new(&groups, 1.0);
    let before = frozen.score(batch).unwrap();
    policy.weights_mut().iter_mut().for_each(|w| *w *= 2.0);
    assert_eq!(frozen.score(batch).unwrap(), before);
    assert_ne!(policy.score(batch).unwrap(), before);
}
