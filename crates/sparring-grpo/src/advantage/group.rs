//! Advantages within one group. An empty group gives an empty result; equal rewards give exactly 0.

/// Returns whether the rewards are all equal.
pub fn equal<T: PartialEq>(rewards: &[T]) -> bool {
    rewards.windows(2).all(|w| w[0] == w[1])
}

/// The largest relative difference that is taken for rounding: eight units in the last place of an `f32`, the type of a
/// reward. Rewards are often sums of a few components, each of which is rounded.
pub const ROUNDING: f64 = 8.0 * f32::EPSILON as f64;

/// Returns whether the rewards are equal up to rounding: max r − min r ≤ [`ROUNDING`]·max |r|.
///
/// Rewards that should be equal, such as 1.3 − 1.0 and 0.3, may differ in their last digits. These differences are no
/// signal, but become one where they are divided by their own standard deviation.
///
/// ```
/// use sparring_grpo::advantage::equal_up_to_rounding;
/// assert!(equal_up_to_rounding(&[0.3_f32, 0.1 + 0.2, 1.3 - 1.0]));
/// assert!(!equal_up_to_rounding(&[0.3_f32, 0.300_01]));
/// ```
pub fn equal_up_to_rounding<T: Copy + Into<f64>>(rewards: &[T]) -> bool {
    let values = || rewards.iter().map(|&r| r.into());
    let highest = values().fold(f64::NEG_INFINITY, f64::max);
    let rounding = ROUNDING * largest(values());
    // A NaN equals nothing.
    values().all(|r| highest - r <= rounding)
}

/// max |r|; 0 without rewards.
pub(super) fn largest(rewards: impl Iterator<Item = f64>) -> f64 {
    rewards.map(f64::abs).fold(0.0, f64::max)
}

/// Mean and standard deviation (n − 1 in the denominator); the deviation of fewer than two values is 0.
pub(super) fn mean_std(values: &[f64]) -> (f64, f64) {
    let Some(&first) = values.first() else { return (0.0, 0.0) };
    let n = values.len() as f64;
    // Measured from the first value, so that a small spread around a large value keeps its digits.
    let mean = values.iter().map(|v| v - first).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - first - mean).powi(2)).sum();
    (first + mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

/// Returns r − mean.
pub fn group_mean(rewards: &[f64]) -> Vec<f64> {
    if equal(rewards) {
        return vec![0.0; rewards.len()];
    }
    let first = rewards[0];
    let mean = rewards.iter().map(|r| r - first).sum::<f64>() / rewards.len() as f64;
    rewards.iter().map(|r| r - first - mean).collect()
}

/// Returns (r − mean) / (std + ε).
pub fn group_std(rewards: &[f64], epsilon: f64) -> Vec<f64> {
    let scale = 1.0 / (mean_std(rewards).1 + epsilon);
    group_mean(rewards).into_iter().map(|a| if a == 0.0 { 0.0 } else { a * scale }).collect()
}

/// Returns r − mean of the others = (r − mean)·n/(n − 1).
pub fn leave_one_out(rewards: &[f64]) -> Vec<f64> {
    let n = rewards.len() as f64;
    group_mean(rewards).into_iter().map(|a| if a == 0.0 { 0.0 } else { a * n / (n - 1.0) }).collect()
}

/// Returns [`leave_one_out`] divided by (std of the others + ε), unless the others are equal
/// ([`equal_up_to_rounding`]).
///
/// In exact arithmetic, one reward that differs from equal others keeps its deviation. A test for a standard deviation
/// above 0 would divide it by ε as soon as one of the others is a unit in the last place off.
///
/// ```
/// use sparring_grpo::advantage::leave_one_out_std;
/// let noisy = f64::from(0.8_f32.next_up());
/// let advantages = leave_one_out_std(&[0.8_f32.into(), noisy, 0.8_f32.into(), 0.45_f32.into()], 1e-4);
/// assert!((advantages[3] + 0.35).abs() < 1e-6);
/// ```
pub fn leave_one_out_std(rewards: &[f64], epsilon: f64) -> Vec<f64> {
    let scaled = |(i, a): (usize, f64)| {
        let others: Vec<f64> = rewards.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, &r)| r).collect();
        if equal_up_to_rounding(&others) { a } else { a / (mean_std(&others).1 + epsilon) }
    };
    leave_one_out(rewards).into_iter().enumerate().map(scaled).collect()
}

/// Returns r − Σ len·r / Σ len, with `lengths` in tokens.
pub fn length_weighted(rewards: &[f64], lengths: &[usize]) -> Vec<f64> {
    if equal(rewards) {
        return vec![0.0; rewards.len()];
    }
    let tokens = lengths.iter().sum::<usize>();
    if tokens == 0 {
        return group_mean(rewards);
    }
    let first = rewards[0];
    let weighted: f64 = rewards.iter().zip(lengths).map(|(r, &len)| (r - first) * len as f64).sum();
    rewards.iter().map(|r| r - first - weighted / tokens as f64).collect()
}

/// Returns (best − second best) / (std + ε) for the first best, 0 for the others.
pub fn pass_at_k(rewards: &[f64], epsilon: f64) -> Vec<f64> {
    let mut out = vec![0.0; rewards.len()];
    if equal(rewards) {
        return out;
    }
    let mut best = 0;
    let mut second = f64::NEG_INFINITY;
    for (i, &r) in rewards.iter().enumerate().skip(1) {
        if r > rewards[best] {
            second = rewards[best];
            best = i;
        } else {
            second = second.max(r);
        }
    }
    out[best] = (rewards[best] - second) / (mean_std(rewards).1 + epsilon);
    out
}

/// Returns (r − mean) / mean, or 0 if the mean is not positive. A mean within rounding of 0 is 0
/// ([`ROUNDING`] of the largest |r|).
pub fn max_rl(rewards: &[f64]) -> Vec<f64> {
    let (mean, _) = mean_std(rewards);
    let positive = mean > ROUNDING * largest(rewards.iter().copied());
    group_mean(rewards).into_iter().map(|a| if positive { a / mean } else { 0.0 }).collect()
}
