//! Rewards of a group to advantages.
use serde::{Deserialize, Serialize};
use sparring_core::Advantage;

/// Added to the standard deviation (TRL's value; it bounds the advantage of a nearly constant group).
pub const STD_EPSILON: f64 = 1e-4;

/// How the rewards of a group become advantages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AdvantageKind {
    /// A_i = (r_i − mean) / (std + 1e-4), std with n − 1 in the denominator (arXiv:2402.03300, section 4.1.2).
    #[default]
    GroupStd,
    /// A_i = r_i − mean: no bias towards groups of small spread (Dr. GRPO, arXiv:2503.20783).
    GroupMean,
}

impl AdvantageKind {
    /// Advantages of one group, in `f64`. Empty in, empty out.
    ///
    /// Equal rewards, and a group of one, give exactly 0.
    pub fn of(self, rewards: &[f64]) -> Vec<f64> {
        if equal(rewards) {
            return vec![0.0; rewards.len()];
        }
        // Measured from the first reward: a small spread on a large level keeps its digits.
        let rewards: Vec<f64> = rewards.iter().map(|r| r - rewards[0]).collect();
        let n = rewards.len() as f64;
        let mean = rewards.iter().sum::<f64>() / n;
        let scale = match self {
            Self::GroupStd => {
                let variance = rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0);
                1.0 / (variance.sqrt() + STD_EPSILON)
            }
            Self::GroupMean => 1.0,
        };
        rewards.iter().map(|r| (r - mean) * scale).collect()
    }
}

impl Advantage for AdvantageKind {
    fn compute(&self, rewards: &[f32], out: &mut [f32]) {
        let wide: Vec<f64> = rewards.iter().map(|&r| f64::from(r)).collect();
        for (out, a) in out.iter_mut().zip(self.of(&wide)) {
            *out = a as f32;
        }
    }
}

/// Advantages of one group in which some completions may have no reward.
///
/// A `None` is left out of the group's statistics and gets advantage 0. Equal rewards give exactly 0 from
/// any `kind`, as the contract of [`Advantage`] asks.
pub fn advantages(kind: &dyn Advantage, rewards: &[Option<f32>]) -> Vec<f32> {
    let present: Vec<f32> = rewards.iter().flatten().copied().collect();
    let mut computed = vec![0.0; present.len()];
    if !equal(&present) {
        kind.compute(&present, &mut computed);
    }
    let mut next = computed.into_iter();
    rewards.iter().map(|r| if r.is_some() { next.next().unwrap_or(0.0) } else { 0.0 }).collect()
}

/// Whether there is no signal: the rewards are the same numbers.
fn equal<T: PartialEq>(rewards: &[T]) -> bool {
    rewards.windows(2).all(|w| w[0] == w[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed() {
        // mean 0.75, deviations (0.25, 0.25, −0.75, 0.25), variance 0.75 / 3, std 0.5.
        let a = AdvantageKind::GroupStd.of(&[1.0, 1.0, 0.0, 1.0]);
        assert!((a[0] - 0.25 / 0.5001).abs() < 1e-15 && (a[2] + 0.75 / 0.5001).abs() < 1e-15);
        assert_eq!(AdvantageKind::GroupMean.of(&[1.0, 1.0, 0.0, 1.0]), [0.25, 0.25, -0.75, 0.25]);
    }

    #[test]
    fn missing_rewards_do_not_count() {
        let with = advantages(&AdvantageKind::GroupStd, &[Some(1.0), None, Some(0.0)]);
        let without = advantages(&AdvantageKind::GroupStd, &[Some(1.0), Some(0.0)]);
        assert_eq!(with, [without[0], 0.0, without[1]]);
        assert_eq!(advantages(&AdvantageKind::GroupStd, &[None, Some(3.0), None]), [0.0; 3]);
        assert_eq!(advantages(&AdvantageKind::GroupStd, &[None, None]), [0.0; 2]);
        assert!(advantages(&AdvantageKind::GroupStd, &[]).is_empty());
    }
}
