use super::SamplingParams;

/// A sort key: tokens of larger weight have larger keys, and of equal weights the one of lower id.
///
/// The bits of non-negative floats are ordered like the floats.
fn key(weight: f32, id: usize) -> u64 {
    u64::from(weight.to_bits()) << 32 | u64::from(u32::MAX - id as u32)
}

fn weight(key: u64) -> f64 {
    f64::from(f32::from_bits((key >> 32) as u32))
}

impl SamplingParams {
    /// Applies top-k, top-p and min-p, in this order: the weights of removed tokens become 0.
    ///
    /// For implementors of [`Sampler`](crate::Sampler). `weights` are unnormalised probabilities, one per token, finite
    /// and not negative; `keys` is scratch space. Each filter keeps the head of the same order of tokens, so together
    /// they are one cut; only the head that top-p needs is sorted.
    ///
    /// ```
    /// use sparring_core::SamplingParams;
    /// let mut weights = [0.1, 0.5, 0.3, 0.1];
    /// SamplingParams::default().with_top_k(3).with_top_p(0.85).filter(&mut weights, &mut Vec::new());
    /// assert_eq!(weights, [0.0, 0.5, 0.3, 0.0]);
    /// ```
    pub fn filter(&self, weights: &mut [f32], keys: &mut Vec<u64>) {
        if !self.filters() {
            return;
        }
        keys.clear();
        keys.extend(weights.iter().enumerate().filter(|(_, w)| **w > 0.0).map(|(i, &w)| key(w, i)));
        if self.top_k > 0 && self.top_k < keys.len() {
            keys.select_nth_unstable_by(self.top_k - 1, |a, b| b.cmp(a));
            keys.truncate(self.top_k);
        }
        let mut cut = if self.top_p < 1.0 {
            nucleus(keys, f64::from(self.top_p))
        } else {
            keys.iter().copied().min().unwrap_or(0)
        };
        if self.min_p > 0.0 {
            let largest = weights.iter().copied().fold(0.0, f32::max);
            cut = cut.max(key(self.min_p * largest, u32::MAX as usize));
        }
        for (i, w) in weights.iter_mut().enumerate() {
            if key(*w, i) < cut {
                *w = 0.0;
            }
        }
    }
}

/// Returns the last key of the smallest head that holds `top_p` of the weight.
fn nucleus(keys: &mut [u64], top_p: f64) -> u64 {
    /// Nuclei are small: sort this many first, and more only if they do not suffice.
    const HEAD: usize = 64;
    let total: f64 = keys.iter().map(|&k| weight(k)).sum();
    let mut head = HEAD.min(keys.len());
    loop {
        if head < keys.len() {
            keys.select_nth_unstable_by(head, |a, b| b.cmp(a));
        }
        keys[..head].sort_unstable_by(|a, b| b.cmp(a));
        let mut kept = 0.0;
        let last = keys[..head].iter().copied().find(|&k| {
            kept += weight(k);
            kept >= top_p * total
        });
        match last {
            Some(last) => return last,
            // With rounding the total may fall short of top-p.
            None if head == keys.len() => return keys.last().copied().unwrap_or(0),
            None => head = (head * 8).min(keys.len()),
        }
    }
}
