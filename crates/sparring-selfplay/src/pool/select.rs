use super::{Bucket, Mix, PoolTask};
use rand::seq::SliceRandom;
use sparring_core::Seed;
use std::collections::{BTreeMap, VecDeque};

/// Splits `total` into equal shares, none above its availability (max-min fairness): the rest of a
/// share is divided among the others, and the remainder goes round-robin from the first.
///
/// ```
/// use sparring_selfplay::equal_quotas;
/// assert_eq!(equal_quotas(10, &[1, 9, 9]), [1, 5, 4]);
/// ```
pub fn equal_quotas(total: usize, available: &[usize]) -> Vec<usize> {
    let mut quotas = vec![0; available.len()];
    let mut left = total.min(available.iter().sum());
    while left > 0 {
        let open: Vec<usize> = (0..quotas.len()).filter(|&i| quotas[i] < available[i]).collect();
        let each = left / open.len();
        for &i in &open {
            // Fewer than one each: one by one.
            let want = each.max(1).min(available[i] - quotas[i]).min(left);
            quotas[i] += want;
            left -= want;
        }
    }
    quotas
}

/// Splits `total` in proportion to `weights` by largest remainders, none above its availability; the
/// rest of a share goes to the others, by weight while any has weight, then to any.
///
/// The sum is min(`total`, Σ available). The slices have equal lengths; weights are finite and at least 0.
///
/// ```
/// use sparring_selfplay::apportion;
/// assert_eq!(apportion(10, &[0.2, 0.5, 0.3], &[9, 9, 9]), [2, 5, 3]);
/// assert_eq!(apportion(10, &[0.2, 0.5, 0.3], &[9, 1, 9]), [4, 1, 5]);
/// ```
pub fn apportion(total: usize, weights: &[f32], available: &[usize]) -> Vec<usize> {
    let mut quotas = vec![0_usize; weights.len()];
    let mut left = total.min(available.iter().sum());
    while left > 0 {
        let open: Vec<usize> = (0..quotas.len()).filter(|&i| quotas[i] < available[i]).collect();
        let weighted: Vec<usize> = open.iter().copied().filter(|&i| weights[i] > 0.0).collect();
        let (open, flat) = if weighted.is_empty() { (open, true) } else { (weighted, false) };
        let weight = |i: usize| if flat { 1.0 } else { f64::from(weights[i]) };
        let sum: f64 = open.iter().map(|&i| weight(i)).sum();
        let total = left;
        let ideal = |i: usize| weight(i) / sum * total as f64;
        for &i in &open {
            // The sum of the floors never exceeds what is left, up to rounding.
            let want = (ideal(i).floor() as usize).min(available[i] - quotas[i]).min(left);
            quotas[i] += want;
            left -= want;
        }
        let mut by_fraction = open;
        by_fraction.sort_by(|&a, &b| ideal(b).fract().total_cmp(&ideal(a).fract()).then(a.cmp(&b)));
        for i in by_fraction {
            if left > 0 && quotas[i] < available[i] {
                quotas[i] += 1;
                left -= 1;
            }
        }
    }
    quotas
}

/// Selects up to `size` tasks: equal quotas for every stratum (where `balance`), and over the whole
/// selection the difficulty mix, as far as the tasks allow. Strata come first: a stratum without a task of
/// the wanted bucket contributes one of another.
///
/// The result has min(`size`, tasks) tasks, in the order of the input. Which tasks of a stratum and bucket
/// are taken depends on `seed`.
pub fn select_balanced<T>(
    tasks: Vec<PoolTask<T>>,
    size: usize,
    mix: &Mix,
    balance: bool,
    seed: Seed,
) -> Vec<PoolTask<T>> {
    let mut cells: BTreeMap<String, [VecDeque<usize>; 3]> = BTreeMap::new();
    let mut shuffled: Vec<usize> = (0..tasks.len()).collect();
    shuffled.shuffle(&mut seed.rng());
    let mut in_bucket = [0_usize; 3];
    for i in shuffled {
        let key = if balance { tasks[i].stratum.clone() } else { String::new() };
        cells.entry(key).or_default()[tasks[i].bucket as usize].push_back(i);
        in_bucket[tasks[i].bucket as usize] += 1;
    }
    let available: Vec<usize> = cells.values().map(|c| c.iter().map(VecDeque::len).sum()).collect();
    let quotas = equal_quotas(size, &available);
    let mut wanted = apportion(quotas.iter().sum(), &[mix.easy, mix.medium, mix.hard], &in_bucket);
    let mut chosen = vec![false; tasks.len()];
    // Round by round, one task from every stratum that still has quota: no stratum uses up a bucket alone.
    for round in 0..quotas.iter().copied().max().unwrap_or(0) {
        for (cell, _) in cells.values_mut().zip(&quotas).filter(|(_, quota)| **quota > round) {
            let some = Bucket::ALL.map(|b| b as usize).into_iter().filter(|&b| !cell[b].is_empty());
            let best = some.max_by_key(|&b| (wanted[b], cell[b].len()));
            if let Some(i) = best.and_then(|b| {
                wanted[b] = wanted[b].saturating_sub(1);
                cell[b].pop_front()
            }) {
                chosen[i] = true;
            }
        }
    }
    tasks.into_iter().zip(chosen).filter_map(|(task, keep)| keep.then_some(task)).collect()
}
