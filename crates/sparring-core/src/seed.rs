use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A random seed: every random choice of a run descends from one `Seed`.
///
/// Children are named, so that a new use of randomness never shifts the others:
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
    /// Returns the root seed of a run.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// Returns the seed as a number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Returns the descendant named `tag`.
    #[must_use]
    pub fn child(self, tag: &str) -> Self {
        // FNV-1a over the tag, then mixed with the parent.
        let hash = tag
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Self(mix(self.0 ^ mix(hash)))
    }

    /// Returns the `i`-th descendant.
    #[must_use]
    pub fn index(self, i: u64) -> Self {
        Self(mix(self.0.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_add(mix(i))))
    }

    /// Returns a random number generator that starts from this seed (ChaCha8, identical on every machine).
    pub fn rng(self) -> SeedRng {
        SeedRng(ChaCha8Rng::seed_from_u64(self.0))
    }
}

/// A stream of random numbers that starts from a [`Seed`].
///
/// It also implements `RngCore` of `rand` 0.9, for shuffles and distributions inside this workspace. That
/// implementation follows the `rand` version that this crate is built with and is not covered by semantic versioning;
/// the methods here, and the numbers that they return, are.
///
/// ```
/// use sparring_core::Seed;
/// let mut rng = Seed::new(1).rng();
/// let (coin, die) = (rng.unit() < 0.5, 1 + rng.below(6));
/// assert!((1..=6).contains(&die));
/// let mut again = Seed::new(1).rng();
/// assert_eq!((again.unit() < 0.5, 1 + again.below(6)), (coin, die));
/// ```
#[derive(Debug, Clone)]
pub struct SeedRng(ChaCha8Rng);

impl SeedRng {
    /// Returns the next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Returns a number in [0, 1): a multiple of 2⁻⁵³, all equally probable.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Returns a number below `n`, all equally probable up to a share of n/2⁶⁴; 0 for `n` = 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }
}

impl RngCore for SeedRng {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
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

    #[test]
    fn the_stream_is_that_of_chacha8_and_never_changes() {
        let (mut own, mut chacha) = (Seed::new(7).rng(), ChaCha8Rng::seed_from_u64(7));
        for _ in 0..10 {
            assert_eq!(own.next_u32(), chacha.next_u32());
            assert_eq!(own.bits(), chacha.next_u64());
            assert_eq!(own.unit().to_bits(), chacha.random::<f64>().to_bits());
            assert_eq!(own.random_range(0..1000_u32), chacha.random_range(0..1000_u32));
        }
        let mut seen = [0; 3];
        (0..300).for_each(|_| seen[own.below(3)] += 1);
        assert!(seen.iter().all(|n| (60..140).contains(n)), "{seen:?}");
        assert_eq!(own.below(0), 0);
    }
}
