use crate::{
    Bucket, Mix, Order, Origin, PoolTask, apportion, equal_quotas, order_tasks, select_balanced,
    training_slots,
};
use proptest::prelude::*;
use sparring_core::Seed;
use std::collections::BTreeMap;

fn tasks() -> impl Strategy<Value = Vec<PoolTask<usize>>> {
    let mix = Mix::default();
    prop::collection::vec((0..=10_u8, 0..5_u8), 0..60).prop_map(move |rows| {
        let make = |(i, (solved, stratum)): (usize, (u8, u8))| PoolTask {
            iteration: 1,
            origin: if i % 4 == 1 { Origin::Derived } else { Origin::Proposed },
            solve_rate: f32::from(solved) / 10.0,
            agreement: 1.0,
            bucket: Bucket::of(f32::from(solved) / 10.0, &mix),
            stratum: stratum.to_string(),
            candidate: i,
            task: i,
        };
        rows.into_iter().enumerate().map(make).collect()
    })
}

proptest! {
    #[test]
    fn equal_quotas_are_max_min_fair(total in 0..200_usize, available in prop::collection::vec(0..30_usize, 0..9)) {
        let quotas = equal_quotas(total, &available);
        prop_assert_eq!(quotas.iter().sum::<usize>(), total.min(available.iter().sum()));
        prop_assert!(quotas.iter().zip(&available).all(|(q, a)| q <= a));
        // Whoever gets less than another by two or more has no more to give.
        let top = quotas.iter().copied().max().unwrap_or(0);
        prop_assert!(quotas.iter().zip(&available).all(|(q, a)| q + 1 >= top || q == a), "{:?}", quotas);
    }

    #[test]
    fn apportionment_keeps_proportion_and_availability(
        total in 0..200_usize,
        rows in prop::collection::vec((0..5_u8, 0..60_usize), 1..6),
    ) {
        let weights: Vec<f32> = rows.iter().map(|r| f32::from(r.0)).collect();
        let available: Vec<usize> = rows.iter().map(|r| r.1).collect();
        let quotas = apportion(total, &weights, &available);
        prop_assert_eq!(quotas.iter().sum::<usize>(), total.min(available.iter().sum()));
        prop_assert!(quotas.iter().zip(&available).all(|(q, a)| q <= a));
        let sum: f32 = weights.iter().sum();
        let ideal = |i: usize| weights[i] / sum * total as f32;
        if sum > 0.0 && (0..rows.len()).all(|i| ideal(i).ceil() as usize <= available[i]) {
            // Largest remainders: within one of the ideal.
            prop_assert!((0..rows.len()).all(|i| (quotas[i] as f32 - ideal(i)).abs() < 1.001), "{:?}", quotas);
        }
    }

    #[test]
    fn selection_fills_quotas(all in tasks(), size in 1..50_usize, seed in any::<u64>(), balance in any::<bool>()) {
        let mix = Mix::default();
        let chosen = select_balanced(all.clone(), size, &mix, balance, Seed::new(seed));
        prop_assert_eq!(chosen.len(), size.min(all.len()));
        prop_assert!(chosen.windows(2).all(|w| w[0].candidate < w[1].candidate), "distinct, in input order");
        prop_assert!(chosen.iter().all(|t| all[t.task] == *t));
        let count = |tasks: &[PoolTask<usize>]| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for t in tasks {
                *counts.entry(t.stratum.clone()).or_default() += 1;
            }
            counts
        };
        let buckets = |tasks: &[PoolTask<usize>]| {
            Bucket::ALL.map(|b| tasks.iter().filter(|t| t.bucket == b).count())
        };
        if balance {
            let available = count(&all);
            let wanted = equal_quotas(size, &available.values().copied().collect::<Vec<_>>());
            let got = count(&chosen);
            let got: Vec<usize> = available.keys().map(|k| got.get(k).copied().unwrap_or(0)).collect();
            prop_assert_eq!(got, wanted);
        } else {
            // One stratum: the mix is met as exactly as the tasks allow.
            let wanted = apportion(size, &[mix.easy, mix.medium, mix.hard], &buckets(&all));
            prop_assert_eq!(buckets(&chosen).to_vec(), wanted);
        }
    }

    #[test]
    fn order_is_a_permutation_and_easy_comes_first(mut all in tasks(), seed in any::<u64>()) {
        let before = all.clone();
        for order in [Order::Shuffled, Order::EasyToHard, Order::AsIs] {
            order_tasks(&mut all, order, Seed::new(seed));
            let mut back = all.clone();
            back.sort_by_key(|t| t.candidate);
            prop_assert_eq!(&back, &before);
            if order == Order::EasyToHard {
                let derived = |t: &&PoolTask<usize>| t.origin == Origin::Derived;
                let rates: Vec<f32> = all.iter().filter(|t| !derived(t)).map(|t| t.solve_rate).collect();
                prop_assert!(rates.windows(2).all(|w| w[0] >= w[1]));
                let rates: Vec<f32> = all.iter().filter(derived).map(|t| t.solve_rate).collect();
                prop_assert!(rates.windows(2).all(|w| w[0] >= w[1]));
                let evenly = |i: usize| i * rates.len() / all.len();
                prop_assert!((0..all.len()).all(|i| all[..i].iter().filter(derived).count() == evenly(i)));
            }
        }
        prop_assert_eq!(all, before);
    }

    #[test]
    fn slots_go_through_the_whole_pool_in_order(len in 1..40_usize, slots in 0..200_usize) {
        let places = training_slots(len, slots);
        prop_assert_eq!(places.len(), slots);
        prop_assert!(places.iter().all(|p| *p < len));
        for pass in places.chunks(len) {
            prop_assert!(pass.windows(2).all(|w| w[0] < w[1]), "rising, no task twice in a pass");
        }
        let mut counts = vec![0; len];
        for p in places {
            counts[p] += 1;
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        prop_assert!(most - least <= 1, "every task as often as every other");
    }
}

#[test]
fn buckets_at_their_edges() {
    let mix = Mix::default();
    let bucket = |rate| Bucket::of(rate, &mix);
    assert_eq!(bucket(mix.easy_from), Bucket::Easy);
    assert_eq!(bucket(mix.hard_below), Bucket::Medium);
    assert_eq!(bucket(0.0), Bucket::Hard);
}
