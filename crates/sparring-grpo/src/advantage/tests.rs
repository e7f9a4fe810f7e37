#![allow(clippy::float_cmp)]
use super::*;

fn near(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (a, b) in got.iter().zip(want) {
        assert!((a - b).abs() < 1e-12, "{got:?}, expected {want:?}");
    }
}

#[test]
fn hand_computed() {
    // mean 0.75, deviations (0.25, 0.25, −0.75, 0.25), variance 0.75 / 3, std 0.5.
    let rewards = [1.0, 1.0, 0.0, 1.0];
    near(
        &AdvantageKind::GroupStd.of(&rewards),
        &[0.25 / 0.5001, 0.25 / 0.5001, -0.75 / 0.5001, 0.25 / 0.5001],
    );
    assert_eq!(AdvantageKind::GroupMean.of(&rewards), [0.25, 0.25, -0.75, 0.25]);
    near(&AdvantageKind::LeaveOneOut.of(&rewards), &[1.0 / 3.0, 1.0 / 3.0, -1.0, 1.0 / 3.0]);
    // The others of the third are equal: its deviation is not scaled.
    assert_eq!(AdvantageKind::LeaveOneOutStd.of(&rewards)[2], -1.0);
    near(&AdvantageKind::PassAtK.of(&[0.0, 3.0, 1.0]), &[0.0, 2.0 / ((7.0_f64 / 3.0).sqrt() + 1e-4), 0.0]);
    assert_eq!(AdvantageKind::PassAtK.of(&[1.0, 1.0, 0.0]), [0.0; 3]);
    near(&AdvantageKind::MaxRl.of(&rewards), &[1.0 / 3.0, 1.0 / 3.0, -1.0, 1.0 / 3.0]);
    assert_eq!(AdvantageKind::MaxRl.of(&[-1.0, 0.0]), [0.0, 0.0]);
    near(&AdvantageKind::Gpg.of(&rewards), &[1.0 / 3.0, 1.0 / 3.0, -1.0, 1.0 / 3.0]);
    near(&length_weighted(&[1.0, 0.0], &[3, 1]), &[0.25, -0.75]);
    near(
        &token_whitened(&[1.0, 0.0], &[1, 1]),
        &[0.5 / (0.5_f64 + 1e-8).sqrt(), -0.5 / (0.5_f64 + 1e-8).sqrt()],
    );
}

#[test]
fn missing_rewards_do_not_count() {
    let some = |r: &[Option<f64>], kind| {
        let lengths = vec![3; r.len()];
        let parts = [WeightedPart { weight: 1.0, scores: r }];
        let group = GroupRewards { rewards: r, lengths: &lengths, key: "k", parts: &parts };
        Estimator::new(kind).batch(&[group], &mut Baselines::default()).remove(0)
    };
    for kind in AdvantageKind::ALL {
        let with = some(&[Some(1.0), None, Some(0.0)], kind);
        let without = some(&[Some(1.0), Some(0.0)], kind);
        assert_eq!(with, [without[0], 0.0, without[1]], "{kind:?}");
        if kind != AdvantageKind::KeyedMovingAverage {
            assert_eq!(some(&[None, Some(3.0), None], kind), [0.0; 3], "{kind:?}");
        }
        assert_eq!(some(&[None, None], kind), [0.0; 2], "{kind:?}");
        assert!(some(&[], kind).is_empty());
    }
    let with = advantages(&AdvantageKind::GroupStd, &[Some(1.0), None, Some(0.0)]);
    let without = advantages(&AdvantageKind::GroupStd, &[Some(1.0), Some(0.0)]);
    assert_eq!(with, [without[0], 0.0, without[1]]);
}

#[test]
fn keys_are_independent() {
    let (one, two) = ([Some(1.0), Some(0.0)], [Some(10.0), Some(30.0)]);
    let group = |rewards, key| GroupRewards { rewards, lengths: &[1, 1], key, parts: &[] };
    let groups = [group(&one, "a"), group(&two, "b")];
    let white = Estimator::new(AdvantageKind::KeyedWhitening).batch(&groups, &mut Baselines::default());
    near(&white[0], &AdvantageKind::GroupStd.of(&[1.0, 0.0]));
    near(&white[1], &AdvantageKind::GroupStd.of(&[10.0, 30.0]));
    // α 0.95 from 0: the first reward is its own advantage, and moves the baseline by a twentieth.
    let mut baselines = Baselines::default();
    let moving = Estimator::new(AdvantageKind::KeyedMovingAverage);
    near(&moving.batch(&groups, &mut baselines)[1], &[10.0, 29.5]);
    assert!((baselines.of("b") - (0.95 * 0.5 + 1.5)).abs() < 1e-12 && baselines.of("c") == 0.0);
}

/// Sums that are 0 but for rounding: dividing by them would give 1e8.
#[test]
fn rounding_is_not_divided_by() {
    assert_eq!(AdvantageKind::MaxRl.of(&[1.0, -1.0, 3e-8]), [0.0; 3]);
    let exact = AdvantageKind::Gpg.of(&[0.9, 0.0, 0.0]);
    near(&AdvantageKind::Gpg.of(&[0.9, 0.0, 1e-17]), &exact);
    // Equal parts of a reward do not dominate the part that differs.
    let (level, differs) = ([Some(1000.0), Some(1000.0_f32.next_up().into())], [Some(0.0), Some(1.0)]);
    let sums = |first: &[Option<f64>; 2]| {
        let parts =
            [WeightedPart { weight: 1.0, scores: first }, WeightedPart { weight: 1.0, scores: &differs }];
        let group = GroupRewards { rewards: &differs, lengths: &[1, 1], key: "", parts: &parts };
        normalize_then_sum(&[group], STD_EPSILON).remove(0)
    };
    near(&sums(&level), &sums(&[Some(1000.0); 2]));
}
