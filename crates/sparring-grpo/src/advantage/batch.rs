//! Advantages over a whole batch.
use super::GroupRewards;
use super::group::{ROUNDING, equal_up_to_rounding, group_std, largest, length_weighted, mean_std};

/// Added to the variance when whitening (verl's value).
const VARIANCE_EPSILON: f64 = 1e-8;
/// Added to the standard deviation of the summed parts (TRL's value).
const SUM_EPSILON: f64 = 1e-4;

/// Every reward of the batch.
fn rewards<'a>(groups: &'a [GroupRewards<'_>]) -> impl Iterator<Item = f64> + 'a {
    groups.iter().flat_map(|group| group.rewards.iter().flatten().copied())
}

/// Deviations from the group's mean, divided by the standard deviation of the batch.
pub(super) fn scaled_by_batch(
    groups: &[GroupRewards<'_>],
    deviations: Vec<Vec<f64>>,
    epsilon: f64,
) -> Vec<Vec<f64>> {
    let (_, std) = mean_std(&rewards(groups).collect::<Vec<_>>());
    let scale = |a: f64| if a == 0.0 { 0.0 } else { a / (std + epsilon) };
    deviations.into_iter().map(|group| group.into_iter().map(scale).collect()).collect()
}

/// [`length_weighted`], with missing rewards allowed.
pub(super) fn length_weighted_group(group: &GroupRewards<'_>) -> Vec<f64> {
    let rewarded = || group.rewards.iter().zip(group.lengths).filter_map(|(r, &len)| r.map(|r| (r, len)));
    let (present, lengths): (Vec<f64>, Vec<usize>) = rewarded().unzip();
    super::with_missing(group.rewards, &|_| length_weighted(&present, &lengths))
}

/// α·deviation. A reward within rounding of 0 is 0.
pub(super) fn gpg(groups: &[GroupRewards<'_>], deviations: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let zero = ROUNDING * largest(rewards(groups));
    let nonzero = rewards(groups).filter(|r| r.abs() > zero).count().max(1);
    let alpha = rewards(groups).count() as f64 / nonzero as f64;
    deviations.into_iter().map(|group| group.into_iter().map(|a| alpha * a).collect()).collect()
}

/// Returns (v − mean) / √(var + 1e-8). Each value is counted once per token of its completion, and the variance is
/// divided by the number of tokens − 1 (verl's `masked_whiten`). Values that are equal up to rounding give exactly 0.
pub fn token_whitened(values: &[f64], tokens: &[usize]) -> Vec<f64> {
    if equal_up_to_rounding(values) {
        return vec![0.0; values.len()];
    }
    let total: usize = tokens.iter().sum();
    let n = total.max(1) as f64;
    let weighted = |f: &dyn Fn(f64) -> f64| {
        values.iter().zip(tokens).map(|(&v, &count)| f(v) * count as f64).sum::<f64>() / n
    };
    let mean = weighted(&|v| v);
    let variance = weighted(&|v| (v - mean).powi(2)) * n / (n - 1.0).max(1.0);
    values.iter().map(|v| (v - mean) / (variance + VARIANCE_EPSILON).sqrt()).collect()
}

/// [`token_whitened`] over all completions that have a reward.
pub(super) fn whitened(groups: &[GroupRewards<'_>], values: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let places = || {
        groups.iter().enumerate().flat_map(|(g, group)| {
            group.rewards.iter().enumerate().filter(|(_, r)| r.is_some()).map(move |(i, _)| (g, i))
        })
    };
    let present: Vec<f64> = places().map(|(g, i)| values[g][i]).collect();
    let tokens: Vec<usize> = places().map(|(g, i)| groups[g].lengths[i]).collect();
    let mut out = values;
    for ((g, i), white) in places().zip(token_whitened(&present, &tokens)) {
        out[g][i] = white;
    }
    out
}

/// Returns Σ_k w_k·(r_k − mean) / (std + ε) over the group, whitened over the batch with 1e-4 (GDPO, as in TRL's
/// `normalize_then_sum`). A part that does not apply to a completion adds nothing.
pub fn normalize_then_sum(groups: &[GroupRewards<'_>], epsilon: f64) -> Vec<Vec<f64>> {
    let summed = |group: &GroupRewards<'_>| {
        let mut sum = vec![0.0; group.rewards.len()];
        for part in group.parts {
            let normal = super::with_missing(part.scores, &|r| {
                if equal_up_to_rounding(r) { vec![0.0; r.len()] } else { group_std(r, epsilon) }
            });
            sum.iter_mut().zip(normal).for_each(|(sum, a)| *sum += part.weight * a);
        }
        sum
    };
    let mut sums: Vec<Vec<f64>> = groups.iter().map(summed).collect();
    let rewarded = |group: &GroupRewards<'_>, i: usize| group.rewards[i].is_some();
    let present: Vec<f64> = groups
        .iter()
        .zip(&sums)
        .flat_map(|(group, sums)| {
            sums.iter().enumerate().filter(|(i, _)| rewarded(group, *i)).map(|(_, &s)| s)
        })
        .collect();
    let (mean, std) = mean_std(&present);
    // The mean of summed deviations is 0 up to rounding; a zero-advantage group must stay exactly 0.
    let mean = if mean.abs() <= 1e-12 * std { 0.0 } else { mean };
    let constant = super::equal(&present);
    for (group, sums) in groups.iter().zip(&mut sums) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = if constant || !rewarded(group, i) { 0.0 } else { (*sum - mean) / (std + SUM_EPSILON) };
        }
    }
    sums
}
