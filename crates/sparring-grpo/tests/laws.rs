//! Property tests of the pure functions.
#![allow(clippy::float_cmp, clippy::unwrap_used, missing_docs)]
use proptest::prelude::*;
use sparring_core::Advantage;
use sparring_grpo::importance::{ImportanceCorrection, ImportanceLevel, Outside};
use sparring_grpo::normaliser::Totals;
use sparring_grpo::surrogate::{Clip, clipped};
use sparring_grpo::{AdvantageKind, KlEstimator, LossKind, SoftOverlong, advantages};

/// Estimators that subtract the mean of the rewards and treat all completions alike.
const CENTRED: [AdvantageKind; 5] = [
    AdvantageKind::GroupStd,
    AdvantageKind::GroupMean,
    AdvantageKind::BatchStd,
    AdvantageKind::LeaveOneOut,
    AdvantageKind::KeyedWhitening,
];
const LOSSES: [LossKind; 4] = [LossKind::Grpo, LossKind::Bnpo, LossKind::DrGrpo, LossKind::Dapo];

proptest! {
    #[test]
    fn advantages_are_centred(rewards in prop::collection::vec(-10.0f64..10.0, 0..12), shift in -5.0f64..5.0) {
        for kind in CENTRED {
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

    /// The variance is v / (v + 1e-8): 1, but for rewards that are nearly equal (verl's `masked_whiten`).
    #[test]
    fn whitening_has_mean_0_and_variance_1(rewards in prop::collection::vec(-10.0f64..10.0, 2..12)) {
        let n = rewards.len() as f64;
        let mean = rewards.iter().sum::<f64>() / n;
        let variance = rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let expected = variance / (variance + 1e-8);
        for kind in [AdvantageKind::ReinforcePlusPlus, AdvantageKind::ReinforcePlusPlusBaseline] {
            let out = kind.of(&rewards);
            prop_assert!(out.iter().sum::<f64>().abs() < 1e-6);
            prop_assert!((out.iter().map(|a| a * a).sum::<f64>() / (n - 1.0) - expected).abs() < 1e-3);
        }
    }

    #[test]
    fn equal_rewards_are_exactly_zero(level in -1e6f32..1e6, n in 0usize..20) {
        for kind in AdvantageKind::ALL {
            let mut out = vec![f32::NAN; n];
            kind.compute(&vec![level; n], &mut out);
            prop_assert!(out.iter().all(|&a| a == 0.0), "{:?}", kind);
            prop_assert_eq!(advantages(&kind, &vec![Some(level); n]), vec![0.0; n]);
        }
    }

    /// Noise of one unit in the last place is no signal, and no estimator divides by it.
    #[test]
    fn rewards_equal_up_to_rounding_are_zero(
        level in -1e6f32..1e6, ups in prop::collection::vec(any::<bool>(), 2..12), apart in 0.1f32..1.0,
    ) {
        let noisy: Vec<f32> = ups.iter().map(|&up| if up { level.next_up() } else { level }).collect();
        let some: Vec<Option<f32>> = noisy.iter().copied().map(Some).collect();
        for kind in AdvantageKind::ALL {
            prop_assert_eq!(advantages(&kind, &some), vec![0.0; noisy.len()], "{:?}", kind);
        }
        // One other reward among them: as large as its deviation from the rest.
        let other = level - apart * level.abs().max(1.0);
        let rewards: Vec<f64> = noisy.iter().chain([&other]).map(|&r| r.into()).collect();
        let last = *AdvantageKind::LeaveOneOutStd.of(&rewards).last().unwrap();
        let expected = f64::from(other) - f64::from(level);
        prop_assert!((last - expected).abs() <= 1e-5 * expected.abs(), "{} but {}", last, expected);
    }

    #[test]
    fn ratio_one_is_reinforce(advantage in -5.0..5.0, low in 0.01..0.9, high in 0.01..0.9) {
        let term = clipped(0.0, advantage, Clip { low, high, ..Clip::default() });
        prop_assert_eq!(term.value, -advantage);
        prop_assert_eq!(term.gradient, -advantage);
    }

    /// Clipping only ever makes the objective worse: it is a lower bound (arXiv:1707.06347, section 3).
    #[test]
    fn clipping_is_pessimistic(log_ratio in -3.0..3.0, advantage in -3.0f64..3.0, low in 0.0..1.0, high in 0.0..1.0) {
        let term = clipped(log_ratio, advantage, Clip { low, high, ..Clip::default() });
        prop_assert!(term.value >= -log_ratio.exp() * advantage - 1e-12);
        // The dual clip raises it again, within a bound.
        let dual = clipped(log_ratio, advantage, Clip { low, high, dual: Some(3.0), cap: None });
        prop_assert!(dual.value <= term.value && (advantage >= 0.0 || dual.value <= -3.0 * advantage));
    }

    #[test]
    fn kl_is_never_negative_but_k1(logp in -5.0..0.0, reference in -5.0..0.0) {
        for kind in [KlEstimator::K2, KlEstimator::K3, KlEstimator::Abs, KlEstimator::K3WithGradientOfK2] {
            prop_assert!(kind.of(logp, reference).value >= 0.0);
        }
        let k2 = KlEstimator::K2.of(logp, reference).gradient;
        prop_assert_eq!(KlEstimator::K1WithGradientOfK2.of(logp, reference).gradient, k2);
        prop_assert_eq!(KlEstimator::K3WithGradientOfK2.of(logp, reference).gradient, k2);
    }

    /// k1 and k3 are unbiased: their mean under the policy is the KL divergence.
    #[test]
    fn k1_and_k3_are_unbiased(logits in prop::collection::vec((-2.0..2.0, -2.0..2.0), 2..6)) {
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

    #[test]
    fn importance_weights_are_bounded(
        pairs in prop::collection::vec((-5.0f64..0.0, -5.0f64..0.0), 1..8), min in 0.0..0.9, max in 1.1..4.0,
    ) {
        let (old, sampler): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        for level in [ImportanceLevel::Token, ImportanceLevel::Sequence] {
            let of = |outside| {
                let correction = ImportanceCorrection::new(level, outside).with_min(Some(min)).with_max(Some(max));
                correction.weights(&old, &sampler, |_| true)
            };
            for (cut, masked) in of(Outside::Truncate).into_iter().zip(of(Outside::Mask)) {
                prop_assert!((min..=max).contains(&cut));
                prop_assert!(masked == cut || masked == 0.0);
            }
        }
        let same = ImportanceCorrection::new(ImportanceLevel::Sequence, Outside::Mask).weights(&old, &old, |_| true);
        prop_assert!(same.iter().all(|&w| w == 1.0));
    }

    #[test]
    fn the_soft_penalty_decreases(max in 1usize..200, share in 0.0..1.0, length in 0usize..400) {
        let soft = SoftOverlong::new(max, 1 + (share * (max - 1) as f64) as usize);
        prop_assert!((-1.0..=0.0).contains(&soft.of(length)) && soft.of(length + 1) <= soft.of(length));
    }

    /// With equal lengths all four are the same mean, except for Dr. GRPO's constant.
    #[test]
    fn equal_lengths_make_the_losses_agree(rows in 1usize..20, tokens in 1usize..50) {
        let totals = Totals {
            completions: rows,
            tokens: rows * tokens,
            tokens_per_step: (rows * tokens) as f64,
            max_tokens: tokens,
        };
        let weights = LOSSES.map(|loss| loss.aggregation().token_weight(tokens, &totals));
        prop_assert!(weights.iter().all(|w| (w * (rows * tokens) as f64 - 1.0).abs() < 1e-12));
    }
}

#[test]
fn nothing_divides_by_zero() {
    let totals = Totals { completions: 0, tokens: 0, tokens_per_step: 0.0, max_tokens: 0 };
    for loss in LossKind::ALL {
        assert_eq!(loss.aggregation().token_weight(0, &totals), 1.0);
    }
}
