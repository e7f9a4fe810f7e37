//! Advantages within one group. An empty group gives an empty result; equal rewards give exactly 0.

/// Returns whether the rewards are all equal.
pub fn equal<T: PartialEq>(rewards: &[T]) -> bool {
    rewards.windows(2).all(|w| w[0] == w[1])
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

/// Returns [`leave_one_out`] divided by (std of the others + ε) if that std is above 0.
pub fn leave_one_out_std(rewards: &[f64], epsilon: f64) -> Vec<f64> {
    let scaled = |(i, a): (usize, f64)| {
        let others: Vec<f64> = rewards.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, &r)| r).collect();
        let (_, std) = mean_std(&others);
        if std > 0.0 { a / (std + epsilon) } else { a }
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

/// Returns (r − mean) / mean, or 0 if the mean is not positive.
pub fn max_rl(rewards: &[f64]) -> Vec<f64> {
    let (mean, _) = mean_std(rewards);
    group_mean(rewards).into_iter().map(|a| if mean > 0.0 { a / mean } else { 0.0 }).collect()
}
