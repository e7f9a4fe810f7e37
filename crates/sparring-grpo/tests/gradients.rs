//! The gradient of every loss, with every option, against central differences.
#![allow(clippy::float_cmp, missing_docs)]
use proptest::prelude::*;
use sparring_grpo::loss::{Objective, Sequence};
use sparring_grpo::surrogate::Clip;
use sparring_grpo::{Divergence, KlConfig, KlEstimator, LossKind, RatioLevel, Surrogate};

/// One completion; the other policies are given as differences to `logp`.
#[derive(Debug, Clone)]
struct Completion {
    logp: Vec<f64>,
    old: Option<Vec<f64>>,
    reference: Option<Vec<f64>>,
    counts: Vec<bool>,
    selected: Option<Vec<bool>>,
    penalised: Vec<bool>,
    importance: Option<Vec<f64>>,
    expert_prefix: usize,
    advantage: f64,
}

const TOKENS: usize = 4;

fn completions() -> impl Strategy<Value = Completion> {
    let flags = || prop::collection::vec(any::<bool>(), TOKENS);
    let gaps = |size: f64| prop::collection::vec(-size..size, TOKENS);
    (
        prop::collection::vec(-4.0..-0.05f64, TOKENS),
        prop::option::of(gaps(0.8)),
        prop::option::of(gaps(1.5)),
        flags(),
        prop::option::of(flags()),
        flags(),
        prop::option::of(prop::collection::vec(0.1..2.0f64, TOKENS)),
        0..=TOKENS,
        -2.0..2.0f64,
    )
        .prop_map(
            |(logp, old, reference, counts, selected, penalised, importance, expert, advantage)| {
                let beside = |gaps: Vec<f64>| logp.iter().zip(gaps).map(|(l, gap)| l + gap).collect();
                Completion {
                    old: old.map(beside),
                    reference: reference.map(beside),
                    // Half of the cases have no expert.
                    expert_prefix: expert.saturating_sub(2),
                    logp,
                    counts,
                    selected,
                    penalised,
                    importance,
                    advantage,
                }
            },
        )
}

fn surrogates() -> impl Strategy<Value = Surrogate> {
    let bounds = |divergence, max_ratio, symmetric| Surrogate::TrustRegion {
        divergence,
        low: 0.2,
        high: 0.3,
        max_ratio,
        symmetric,
    };
    let trust = |divergence, max_ratio| bounds(divergence, max_ratio, false);
    let mut all: Vec<Surrogate> = LossKind::ALL.iter().map(|loss| loss.surrogate()).collect();
    all.extend([
        Surrogate::Cispo { min: 0.8, max: 1.2 },
        Surrogate::Sapo { positive: 2.0, negative: 3.0 },
        Surrogate::KlCov { share: 0.3, coef: 0.7 },
        trust(Divergence::Tv, None),
        trust(Divergence::Kl, None),
        trust(Divergence::Tv, Some(1.5)),
        trust(Divergence::Kl, Some(20.0)),
        bounds(Divergence::Tv, None, true),
        bounds(Divergence::Kl, Some(20.0), true),
    ]);
    prop::sample::select(all)
}

fn objectives() -> impl Strategy<Value = Objective> {
    let clip = (0.0..0.9, 0.0..0.9, prop::option::of(2.0..4.0), prop::option::of(1.5..4.0));
    let kl = prop::sample::select(vec![KlEstimator::K1, KlEstimator::K2, KlEstimator::K3, KlEstimator::Abs]);
    let level = prop::sample::select(vec![RatioLevel::Token, RatioLevel::Sequence]);
    let gamma = prop::option::of(0.05..0.5);
    (surrogates(), clip, level, kl, 0.0..1.0, any::<[bool; 3]>(), gamma).prop_map(
        |(
            surrogate,
            (low, high, cap, dual),
            level,
            kl,
            kl_coef,
            [weighted, bounded, pulled],
            expert_gamma,
        )| {
            Objective {
                surrogate,
                clip: Clip { low, high, cap, dual },
                level,
                kl: KlConfig::new(kl_coef)
                    .with_estimator(kl)
                    .with_ratio_weighted(weighted)
                    .with_bounded(bounded),
                log_ratio_coef: if pulled { 0.3 } else { 0.0 },
                expert_gamma,
            }
        },
    )
}

/// A surrogate whose weight is a constant: −sg(w)·A·logp.
fn has_constant_weight(surrogate: Surrogate) -> bool {
    matches!(
        surrogate,
        Surrogate::Cispo { .. }
            | Surrogate::Vespo { .. }
            | Surrogate::Reinforce
            | Surrogate::TrustRegion { max_ratio: Some(_), .. }
    )
}

fn value(objective: &Objective, completion: &Completion, logp: &[f64], old: Option<&[f64]>) -> f64 {
    sequence(objective, completion, logp, old).value
}

fn sequence(
    objective: &Objective,
    completion: &Completion,
    logp: &[f64],
    old: Option<&[f64]>,
) -> sparring_grpo::loss::SequenceLoss {
    objective.sequence(&Sequence {
        logp,
        old,
        reference: completion.reference.as_deref(),
        counts: Some(&completion.counts),
        selected: completion.selected.as_deref(),
        penalised: Some(&completion.penalised),
        importance: completion.importance.as_deref(),
        expert_prefix: completion.expert_prefix,
        advantage: completion.advantage,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn are_derivatives(objective in objectives(), completion in completions()) {
        let mut objective = objective;
        let constant = has_constant_weight(objective.surrogate);
        if constant {
            // The old log-probabilities move together with logp, so the ratio does not change.
            objective.kl.ratio_weighted = false;
            objective.log_ratio_coef = 0.0;
        }
        // Without old log-probabilities the ratio is 1, with its gradient at old = logp.
        let old = completion.old.clone().unwrap_or_else(|| completion.logp.clone());
        let analytic = sequence(&objective, &completion, &completion.logp, completion.old.as_deref());
        for t in 0..TOKENS {
            let at = |h: f64| {
                let (mut logp, mut old) = (completion.logp.clone(), old.clone());
                logp[t] += h;
                if constant {
                    old[t] += h;
                }
                value(&objective, &completion, &logp, Some(&old))
            };
            let h = 1e-5;
            let (left, right) = ((at(0.0) - at(-h)) / h, (at(h) - at(0.0)) / h);
            // Corners of the clip and of the bounds have no derivative; the laws define the value there.
            if (left - right).abs() > 1e-3 * (1.0 + left.abs()) {
                continue;
            }
            let central = (at(h) - at(-h)) / (2.0 * h);
            let gradient = analytic.gradients[t];
            let close = (central - gradient).abs() < 1e-5 * (1.0 + gradient.abs());
            prop_assert!(close, "token {}: {} but {}", t, gradient, central);
            prop_assert!(completion.counts[t] || gradient == 0.0);
        }
    }

    /// The sequence ratio and the token variant have the same gradient if all tokens have the same weight.
    #[test]
    fn both_forms_of_gspo_have_one_gradient(completion in completions(), clip in (0.0..0.5, 0.0..0.5)) {
        let mut completion = completion;
        (completion.importance, completion.selected, completion.reference) = (None, None, None);
        completion.expert_prefix = 0;
        let of = |level| {
            let clip = Clip { low: clip.0, high: clip.1, ..Clip::default() };
            let objective = Objective { level, clip, ..Objective::default() };
            sequence(&objective, &completion, &completion.logp, completion.old.as_deref())
        };
        let (whole, token) = (of(RatioLevel::Sequence), of(RatioLevel::SequenceToken));
        prop_assert_eq!(whole.value, token.value);
        for (a, b) in whole.gradients.iter().zip(&token.gradients) {
            prop_assert!((a - b).abs() < 1e-12 * (1.0 + a.abs()));
        }
    }
}
