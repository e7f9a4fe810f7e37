/// Single linkage of `n` items. Each item's cluster is named by its least index. `distance(i, j)` is called with
/// `i < j`; only distances below `threshold` join items.
pub(super) fn single(n: usize, threshold: f64, distance: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..n).collect();
    for j in 0..n {
        for i in 0..j {
            if distance(i, j) < threshold {
                let (a, b) = (root(&mut parent, i), root(&mut parent, j));
                parent[a.max(b)] = a.min(b);
            }
        }
    }
    (0..n).map(|i| root(&mut parent, i)).collect()
}

/// Returns the representative of `i`'s cluster, and halves the path to it.
fn root(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}

/// Average linkage (UPGMA), otherwise as [`single`]: the two clusters with the smallest mean distance are joined first,
/// until none is below `threshold`. Of equal distances, the first pair is joined.
pub(super) fn average(n: usize, threshold: f64, distance: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    // Sums of the distances between the members of two clusters, which add up when clusters are joined.
    let mut sums = vec![vec![0.0; n]; n];
    for (i, j) in (0..n).flat_map(|j| (0..j).map(move |i| (i, j))) {
        let d = distance(i, j);
        (sums[i][j], sums[j][i]) = (d, d);
    }
    let mut size = vec![1_usize; n];
    let mut cluster: Vec<usize> = (0..n).collect();
    let mut alive: Vec<usize> = (0..n).collect();
    while let Some((i, j)) = nearest(&alive, &sums, &size, threshold) {
        for &k in &alive {
            let joined = sums[i][k] + sums[j][k];
            (sums[i][k], sums[k][i]) = (joined, joined);
        }
        size[i] += size[j];
        cluster.iter_mut().filter(|c| **c == j).for_each(|c| *c = i);
        alive.retain(|&k| k != j);
    }
    cluster
}

/// Returns the two nearest clusters, if their distance is below `threshold`.
fn nearest(alive: &[usize], sums: &[Vec<f64>], size: &[usize], threshold: f64) -> Option<(usize, usize)> {
    let mut best = None;
    let mut least = threshold;
    for (at, &i) in alive.iter().enumerate() {
        for &j in &alive[at + 1..] {
            let mean = sums[i][j] / (size[i] * size[j]) as f64;
            if mean < least {
                (best, least) = (Some((i, j)), mean);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on a line at 0, 1, 2.5 and 9: single linkage under 2 chains the first three; average linkage joins 0
    /// and 1 at 1, and the third at (2.5 + 1.5)/2 = 2.
    #[test]
    fn linkage_by_hand() {
        let points = [0.0_f64, 1.0, 2.5, 9.0];
        let distance = |i: usize, j: usize| (points[i] - points[j]).abs();
        assert_eq!(single(4, 2.0, distance), [0, 0, 0, 3]);
        assert_eq!(average(4, 2.0, distance), [0, 0, 2, 3]);
        assert_eq!(average(4, 2.1, distance), [0, 0, 0, 3]);
        assert!(average(0, 1.0, distance).is_empty());
    }
}
