//! Which tokens and sequences carry the policy term.

/// Selects the tokens whose entropy is at least the (1 − share)-quantile of those that count, by linear interpolation
/// between order statistics (arXiv:2506.01939: the "forking" tokens). `share` is in \[0, 1\]; 1 keeps all.
pub fn high_entropy(entropy: &[f64], counts: &[bool], share: f64) -> Vec<bool> {
    let mut sorted: Vec<f64> =
        entropy.iter().zip(counts).filter(|(_, counts)| **counts).map(|(&h, _)| h).collect();
    if share >= 1.0 || sorted.is_empty() {
        return counts.to_vec();
    }
    sorted.sort_by(f64::total_cmp);
    let place = (1.0 - share) * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    let threshold = low + (high - low) * place.fract();
    entropy.iter().zip(counts).map(|(&h, &counts)| counts && h >= threshold).collect()
}

/// Selects the `share` of the counting tokens (at least one) with the largest (A − mean A)·(logp − mean logp): where
/// likelihood and advantage vary together, entropy falls (arXiv:2505.22617).
pub fn high_covariance(advantages: &[f64], logp: &[f64], counts: &[bool], share: f64) -> Vec<bool> {
    let live: Vec<usize> = (0..logp.len()).filter(|&t| counts[t]).collect();
    let n = live.len().max(1) as f64;
    let mean = |values: &[f64]| live.iter().map(|&t| values[t]).sum::<f64>() / n;
    let (mean_a, mean_l) = (mean(advantages), mean(logp));
    let mut ranked = live;
    ranked.sort_by(|&a, &b| {
        let covariance = |t: usize| (advantages[t] - mean_a) * (logp[t] - mean_l);
        covariance(b).total_cmp(&covariance(a))
    });
    let mut chosen = vec![false; logp.len()];
    let count = ((ranked.len() as f64 * share) as usize).max(1);
    ranked.iter().take(count).for_each(|&t| chosen[t] = true);
    chosen
}

/// Returns whether a sequence keeps its policy term: A ≥ 0, or mean(logp_sampler − logp) ≤ threshold. Sequences with a
/// negative advantage from which the policy has moved far are masked (arXiv:2512.02556).
pub fn keeps_sequence(
    advantage: f64,
    sampler: &[f64],
    logp: &[f64],
    counts: &[bool],
    threshold: f64,
) -> bool {
    let live = || (0..logp.len()).filter(|&t| counts[t]);
    let drift = live().map(|t| sampler[t] - logp[t]).sum::<f64>() / live().count().max(1) as f64;
    advantage >= 0.0 || drift <= threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed() {
        let all = [true; 4];
        assert_eq!(high_entropy(&[1.0, 4.0, 3.0, 2.0], &all, 0.5), [false, true, true, false]);
        assert_eq!(high_entropy(&[1.0, 4.0, 3.0, 2.0], &all, 1.0), all);
        assert_eq!(high_entropy(&[1.0, 4.0], &[true, false], 0.1), [true, false]);
        assert_eq!(
            high_covariance(&[1.0, -1.0, 1.0, -1.0], &[-0.1, -0.1, -3.0, -3.0], &all, 0.5),
            [true, false, false, true]
        );
        assert!(high_covariance(&[], &[], &[], 0.5).is_empty());
        assert!(keeps_sequence(-1.0, &[-1.0, -9.0], &[-1.5, 0.0], &[true, false], 0.5));
        assert!(!keeps_sequence(-1.0, &[-1.0], &[-1.6], &[true], 0.5));
        assert!(keeps_sequence(0.0, &[-1.0], &[-9.0], &[true], 0.5));
    }
}
