use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A random seed as a value: every random choice of a run descends from one `Seed`.
///
/// Children are named, so that adding a new use of randomness never shifts the others:
///
/// ```
/// use sparring_core::Seed;
/// let run = Seed::new(1);
/// assert_eq!(run.child("probe").index(3), Seed::new(1).child("probe").index(3));
/// assert_ne!(run.child("probe"), run.child("pool"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(u64);

impl Seed {
    /// The root seed of a run.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The seed as a number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The descendant named `tag`.
    #[must_use]
    pub fn child(self, tag: &str) -> Self {
        // FNV-1a over the tag, then mixed with the parent.
        let hash = tag
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Self(mix(self.0 ^ mix(hash)))
    }

    /// The `i`-th descendant.
    #[must_use]
    pub fn index(self, i: u64) -> Self {
        Self(mix(self.0.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_add(mix(i))))
    }

    /// A generator of random numbers that starts from this seed (ChaCha8: the same on every machine).
    pub fn rng(self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.0)
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection of 64-bit integers.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn children_differ_and_repeat() {
        let root = Seed::new(7);
        let seeds: Vec<Seed> =
            (0..100).map(|i| root.index(i)).chain(["a", "b", ""].map(|t| root.child(t))).collect();
        let distinct: std::collections::HashSet<_> = seeds.iter().collect();
        assert_eq!(distinct.len(), seeds.len());
        assert_eq!(root.child("a").rng().random::<u64>(), root.child("a").rng().random::<u64>());
    }
}
