//! Laws of the pure functions, by property tests.
#![allow(clippy::float_cmp, missing_docs)]
use proptest::prelude::*;
use sparring_core::Advantage;
use sparring_grpo::loss::{Objective, Token};
use sparring_grpo::normaliser::Totals;
use sparring_grpo::surrogate::{Clip, clipped_surrogate};
use sparring_grpo::{AdvantageKind, KlEstimator, LossKind, advantages};

const KINDS: [AdvantageKind; 2] = [AdvantageKind::GroupStd, AdvantageKind::GroupMean];
const ESTIMATORS: [KlEstimator; 3] = [KlEstimator::K1, KlEstimator::K2, KlEstimator::K3];
const LOSSES: [LossKind; 4] = [LossKind::Grpo, LossKind::Bnpo, LossKind::DrGrpo, LossKind::Dapo];

fn objectives() -> impl Strategy<Value = Objective> {
    (0.0..0.9, 0.0..0.9, proptest::option::of(2.0..4.0), 0..3usize, 0.0..1.0, any::<bool>()).prop_map(
        |(low, high, cap, kl, kl_coef, kl_ratio_weighted)| Objective {
            clip: Clip { low, high, cap },
            kl: ESTIMATORS[kl],
            kl_coef,
            kl_ratio_weighted,
        },
    )
}

proptest! {
    #[test]
    fn advantages_are_centred(rewards in proptest::collection::vec(-10.0f64..10.0, 0..12), shift in -5.0f64..5.0) {
        for kind in KINDS {
            let out = kind.of(&rewards);
            prop_assert_eq!(out.len(), rewards.len());
            prop_assert!(out.iter().sum::<f64>().abs() < 1e-8);
            // A better reward has a better advantage; a shift of all rewards changes nothing.
            let shifted = kind.of(&rewards.iter().map(|r| r + shift).collect::<Vec<_>>());
            for (i, a) in out.iter().enumerate() {
                prop_assert!((a - shifted[i]).abs() < 1e-6 * (1.0 + a.abs()));
                for (j, b) in out.iter().enumerate() {
                    prop_assert!(rewards[i] <= rewards[j] || a > b);
                }
            }
        }
    }

    #[test]
    fn no_signal_is_exactly_zero(level in -1e6f32..1e6, n in 0usize..20) {
        for kind in KINDS {
            let mut out = vec![f32::NAN; n];
            kind.compute(&vec![level; n], &mut out);
            prop_assert!(out.iter().all(|&a| a == 0.0));
            prop_assert_eq!(advantages(&kind, &vec![Some(level); n]), vec![0.0; n]);
        }
    }

    /// The slope of every combination of terms is its derivative, away from the corners of the clip.
    #[test]
    fn slopes_are_derivatives(
        objective in objectives(),
        logp in -5.0..0.0,
        old in proptest::option::of(-1.5..1.5),
        reference in proptest::option::of(-2.0..2.0),
        advantage in -3.0..3.0,
    ) {
        let at = |logp: f64, moved: f64| {
            objective.token(Token {
                logp: logp + moved,
                old: old.map(|d| logp + d),
                reference: reference.map(|d| logp + d),
                advantage,
            })
        };
        let h = 1e-5;
        let corners = [1.0 - objective.clip.low, 1.0 + objective.clip.high, objective.clip.cap.unwrap_or(0.0)];
        let ratio = old.map_or(1.0, |d: f64| (-d).exp());
        prop_assume!(corners.iter().all(|c| (ratio - c).abs() > 1e-3));
        // Without an old policy the ratio is exactly 1 whatever logp is: its slope is that at old = logp.
        let value = |moved: f64| match old {
            Some(_) => at(logp, moved).total.value,
            None => objective.token(Token {
                logp: logp + moved,
                old: Some(logp),
                reference: reference.map(|d| logp + d),
                advantage,
            }).total.value,
        };
        let numeric = (value(h) - value(-h)) / (2.0 * h);
        let slope = at(logp, 0.0).total.slope;
        prop_assert!((numeric - slope).abs() < 1e-6 * (1.0 + slope.abs()), "{numeric} {slope}");
    }

    #[test]
    fn ratio_one_is_reinforce(advantage in -5.0..5.0, low in 0.01..0.9, high in 0.01..0.9) {
        let term = clipped_surrogate(0.0, advantage, Clip { low, high, cap: None });
        prop_assert_eq!(term.value, -advantage);
        prop_assert_eq!(term.slope, -advantage);
    }

    /// Clipping only ever makes the objective worse: it is a lower bound (arXiv:1707.06347, section 3).
    #[test]
    fn clipping_is_pessimistic(log_ratio in -3.0..3.0, advantage in -3.0f64..3.0, low in 0.0..1.0, high in 0.0..1.0) {
        let term = clipped_surrogate(log_ratio, advantage, Clip { low, high, cap: None });
        prop_assert!(term.value >= -log_ratio.exp() * advantage - 1e-12);
    }

    #[test]
    fn kl_is_never_negative_but_k1(logp in -5.0..0.0, reference in -5.0..0.0) {
        for kind in [KlEstimator::K2, KlEstimator::K3] {
            prop_assert!(kind.of(logp, reference).value >= 0.0);
        }
    }

    /// k1 and k3 are unbiased: their mean under the policy is the KL divergence.
    #[test]
    fn k1_and_k3_are_unbiased(logits in proptest::collection::vec((-2.0..2.0, -2.0..2.0), 2..6)) {
        let log_softmax = |values: Vec<f64>| -> Vec<f64> {
            let sum = values.iter().map(|v| v.exp()).sum::<f64>().ln();
            values.into_iter().map(|v| v - sum).collect()
        };
        let p = log_softmax(logits.iter().map(|l| l.0).collect());
        let q = log_softmax(logits.iter().map(|l| l.1).collect());
        let exact: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
        for kind in [KlEstimator::K1, KlEstimator::K3] {
            let mean: f64 = p.iter().zip(&q).map(|(&p, &q)| p.exp() * kind.of(p, q).value).sum();
            prop_assert!((mean - exact).abs() < 1e-12);
        }
    }

    /// Equal lengths: all four are the same mean, but for Dr. GRPO's constant.
    #[test]
    fn equal_lengths_make_the_losses_agree(rows in 1usize..20, tokens in 1usize..50) {
        let totals = Totals {
            completions: rows,
            tokens: rows * tokens,
            tokens_per_step: (rows * tokens) as f64,
            max_tokens: tokens,
        };
        let weights = LOSSES.map(|loss| loss.token_weight(tokens, &totals));
        prop_assert!(weights.iter().all(|w| (w * (rows * tokens) as f64 - 1.0).abs() < 1e-12));
    }
}

#[test]
fn nothing_divides_by_zero() {
    let totals = Totals { completions: 0, tokens: 0, tokens_per_step: 0.0, max_tokens: 0 };
    for loss in LOSSES {
        assert_eq!(loss.token_weight(0, &totals), 1.0);
    }
}
