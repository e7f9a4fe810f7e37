//! Advantages over the rewards of one key: a task, a player, a game.
use super::GroupRewards;
use super::group::{equal_up_to_rounding, group_std};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// (r − mean) / (std + ε) over all rewards of a key.
pub(super) fn whitened(groups: &[GroupRewards<'_>], epsilon: f64) -> Vec<Vec<f64>> {
    let mut out: Vec<Vec<f64>> = groups.iter().map(|group| vec![0.0; group.rewards.len()]).collect();
    let mut keys: BTreeMap<&str, Vec<(usize, usize, f64)>> = BTreeMap::new();
    for (g, group) in groups.iter().enumerate() {
        let rewarded = group.rewards.iter().enumerate().filter_map(|(i, r)| r.map(|r| (g, i, r)));
        keys.entry(group.key).or_default().extend(rewarded);
    }
    for places in keys.values() {
        let rewards: Vec<f64> = places.iter().map(|(_, _, r)| *r).collect();
        if equal_up_to_rounding(&rewards) {
            continue;
        }
        for ((g, i, _), a) in places.iter().zip(group_std(&rewards, epsilon)) {
            out[*g][*i] = a;
        }
    }
    out
}

/// The moving average of each key's rewards: part of a run's state, to be saved with it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Baselines(BTreeMap<String, f64>);

impl Baselines {
    /// Returns the average of a key; 0 before its first reward.
    pub fn of(&self, key: &str) -> f64 {
        self.0.get(key).copied().unwrap_or(0.0)
    }

    /// A = r − b, then b ← α·b + (1 − α)·r, reward by reward in order.
    pub(super) fn subtract(&mut self, groups: &[GroupRewards<'_>], decay: f64) -> Vec<Vec<f64>> {
        let mut one = |group: &GroupRewards<'_>| {
            let baseline = self.0.entry(group.key.to_owned()).or_insert(0.0);
            let mut advantage = |reward: &Option<f64>| {
                let Some(reward) = *reward else { return 0.0 };
                let advantage = reward - *baseline;
                *baseline = decay * *baseline + (1.0 - decay) * reward;
                advantage
            };
            group.rewards.iter().map(&mut advantage).collect()
        };
        groups.iter().map(&mut one).collect()
    }
}
