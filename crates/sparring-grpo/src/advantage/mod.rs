//! Advantage estimators.
//!
//! A completion without a reward (`None`) is left out of every statistic and gets advantage 0. A statistic over a
//! single reward, or over equal ones, gives advantages of exactly 0. An update also takes rewards for equal that differ
//! by rounding ([`equal_up_to_rounding`]); [`group_std`] and its neighbours compare `f64` exactly. The statistic of the
//! estimators that whiten over the batch ([`AdvantageKind::ReinforcePlusPlus`], with a baseline or without) is the
//! whole batch, in which a group of equal rewards may have non-zero advantages.

mod batch;
mod group;
mod keyed;

pub use batch::{normalize_then_sum, token_whitened};
pub use group::{
    ROUNDING, equal, equal_up_to_rounding, group_mean, group_std, leave_one_out, leave_one_out_std,
    length_weighted, max_rl, pass_at_k,
};
pub use keyed::Baselines;

use serde::{Deserialize, Serialize};
use sparring_core::Advantage;

/// Added to a standard deviation (TRL's value; it bounds the advantage of a nearly constant group). verl and NeMo-RL
/// use 1e-6.
pub const STD_EPSILON: f64 = 1e-4;

/// How rewards become advantages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AdvantageKind {
    /// (r − mean) / (std + ε) within the group, std with n − 1 in the denominator (arXiv:2402.03300, section 4.1.2).
    #[default]
    GroupStd,
    /// r − mean of the group: no bias towards groups of small spread (Dr. GRPO, arXiv:2503.20783).
    GroupMean,
    /// (r − mean of the group) / (std of the batch + ε) (TRL's `scale_rewards = "batch"`).
    BatchStd,
    /// r − mean of the group's other rewards (RLOO, arXiv:2402.14740, eq. 8).
    LeaveOneOut,
    /// [`AdvantageKind::LeaveOneOut`] divided by the standard deviation of the others, unless they are equal (NeMo-RL).
    LeaveOneOutStd,
    /// r whitened over the batch, each completion weighted by its tokens; ignores groups (REINFORCE++,
    /// arXiv:2501.03262).
    ReinforcePlusPlus,
    /// r − mean of the group, then whitened over the batch by tokens (REINFORCE++ with baseline).
    ReinforcePlusPlusBaseline,
    /// r − the group's length-weighted mean (OPO, arXiv:2505.23585).
    LengthWeighted,
    /// (best − second best) / (std + ε) for the best of the group, 0 for the rest (pass@k, arXiv:2503.19595).
    PassAtK,
    /// α·(r − mean of the group), with α = completions in the batch / those of them with a non-zero reward (GPG,
    /// arXiv:2504.02546).
    Gpg,
    /// (r − mean) / mean of the group, 0 if the mean is not positive (prime-rl's `max_rl`).
    MaxRl,
    /// (r − mean) / (std + ε) over all completions with the same key, such as a task and a player (TRR++,
    /// arXiv:2505.03335, eq. 8).
    KeyedWhitening,
    /// r − a moving average of the rewards with the same key, read before its update (RAE, arXiv:2506.24119, eq. 5).
    KeyedMovingAverage,
    /// [`AdvantageKind::GroupStd`] of each part of the reward; the weighted sum is whitened over the batch (GDPO).
    NormalizeThenSum,
}

/// The rewards of one group, with what some estimators need besides.
#[derive(Debug, Clone, Copy)]
pub struct GroupRewards<'a> {
    /// One entry per completion; finite.
    pub rewards: &'a [Option<f64>],
    /// Unmasked tokens of each completion.
    pub lengths: &'a [usize],
    /// The key, for the keyed estimators; groups without a key share one.
    pub key: &'a str,
    /// The reward's parts, for [`AdvantageKind::NormalizeThenSum`].
    pub parts: &'a [WeightedPart<'a>],
}

/// One part of a reward.
#[derive(Debug, Clone, Copy)]
pub struct WeightedPart<'a> {
    /// Its weight in the sum.
    pub weight: f64,
    /// One entry per completion; finite.
    pub scores: &'a [Option<f64>],
}

/// An estimator with its constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimator {
    /// The estimator.
    pub kind: AdvantageKind,
    /// ε, at least 0.
    pub epsilon: f64,
    /// α of [`AdvantageKind::KeyedMovingAverage`], in [0, 1).
    pub decay: f64,
}

impl Estimator {
    /// Returns the estimator with TRL's ε, and SPIRAL's α of 0.95.
    pub const fn new(kind: AdvantageKind) -> Self {
        Self { kind, epsilon: STD_EPSILON, decay: 0.95 }
    }

    /// Sets ε.
    #[must_use]
    pub const fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Returns the advantages of every group of a batch, in order. Only the keyed moving average updates `baselines`.
    ///
    /// ```
    /// use sparring_grpo::advantage::{Estimator, GroupRewards, Baselines};
    /// use sparring_grpo::AdvantageKind;
    /// let rewards = [Some(1.0), None, Some(0.0)];
    /// let group = GroupRewards { rewards: &rewards, lengths: &[5, 5, 5], key: "", parts: &[] };
    /// let out = Estimator::new(AdvantageKind::GroupMean).batch(&[group], &mut Baselines::default());
    /// assert_eq!(out, [[0.5, 0.0, -0.5]]);
    /// ```
    pub fn batch(&self, groups: &[GroupRewards<'_>], baselines: &mut Baselines) -> Vec<Vec<f64>> {
        let each = |f: &dyn Fn(&[f64]) -> Vec<f64>| {
            groups.iter().map(|group| with_missing(group.rewards, f)).collect::<Vec<_>>()
        };
        match self.kind {
            AdvantageKind::GroupStd => each(&|r| group_std(r, self.epsilon)),
            AdvantageKind::GroupMean => each(&group_mean),
            AdvantageKind::LeaveOneOut => each(&leave_one_out),
            AdvantageKind::LeaveOneOutStd => each(&|r| leave_one_out_std(r, self.epsilon)),
            AdvantageKind::PassAtK => each(&|r| pass_at_k(r, self.epsilon)),
            AdvantageKind::MaxRl => each(&max_rl),
            AdvantageKind::BatchStd => batch::scaled_by_batch(groups, each(&group_mean), self.epsilon),
            AdvantageKind::LengthWeighted => groups.iter().map(batch::length_weighted_group).collect(),
            AdvantageKind::Gpg => batch::gpg(groups, each(&group_mean)),
            AdvantageKind::ReinforcePlusPlus => batch::whitened(groups, each(&<[f64]>::to_vec)),
            AdvantageKind::ReinforcePlusPlusBaseline => batch::whitened(groups, each(&group_mean)),
            AdvantageKind::KeyedWhitening => keyed::whitened(groups, self.epsilon),
            AdvantageKind::KeyedMovingAverage => baselines.subtract(groups, self.decay),
            AdvantageKind::NormalizeThenSum => normalize_then_sum(groups, self.epsilon),
        }
    }
}

/// Returns the rewards of a group, with one value for all if they are equal up to rounding.
pub(crate) fn without_rounding(rewards: &[Option<f64>]) -> Vec<Option<f64>> {
    let present: Vec<f64> = rewards.iter().flatten().copied().collect();
    match present.first() {
        Some(&first) if equal_up_to_rounding(&present) => {
            rewards.iter().map(|reward| reward.map(|_| first)).collect()
        }
        _ => rewards.to_vec(),
    }
}

/// Applies `f` to the rewards that are present; the others get 0.
fn with_missing(rewards: &[Option<f64>], f: &dyn Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let present: Vec<f64> = rewards.iter().flatten().copied().collect();
    let mut computed = f(&present).into_iter();
    rewards.iter().map(|r| if r.is_some() { computed.next().unwrap_or(0.0) } else { 0.0 }).collect()
}

impl AdvantageKind {
    /// All estimators.
    pub const ALL: [Self; 14] = [
        Self::GroupStd,
        Self::GroupMean,
        Self::BatchStd,
        Self::LeaveOneOut,
        Self::LeaveOneOutStd,
        Self::ReinforcePlusPlus,
        Self::ReinforcePlusPlusBaseline,
        Self::LengthWeighted,
        Self::PassAtK,
        Self::Gpg,
        Self::MaxRl,
        Self::KeyedWhitening,
        Self::KeyedMovingAverage,
        Self::NormalizeThenSum,
    ];

    /// Returns whether the estimator adds ε to a standard deviation.
    pub const fn uses_epsilon(self) -> bool {
        matches!(
            self,
            Self::GroupStd
                | Self::BatchStd
                | Self::LeaveOneOutStd
                | Self::PassAtK
                | Self::KeyedWhitening
                | Self::NormalizeThenSum
        )
    }

    /// Returns whether the estimator needs keys or parts of a [`RolloutGroup`](crate::RolloutGroup), or averages over
    /// updates. A loop that provides none of these should refuse it.
    pub const fn needs_more_than_rewards(self) -> bool {
        matches!(self, Self::KeyedWhitening | Self::KeyedMovingAverage | Self::NormalizeThenSum)
    }

    /// Returns whether no advantage is below 0.
    pub(crate) const fn is_never_negative(self) -> bool {
        matches!(self, Self::PassAtK)
    }

    /// Returns whether a reward is compared with those of its group: not with the estimators that compare over the
    /// batch or a key alone.
    pub const fn is_within_group(self) -> bool {
        !matches!(self, Self::ReinforcePlusPlus | Self::KeyedWhitening | Self::KeyedMovingAverage)
    }

    /// Returns the advantages of one group that is the whole batch, in `f64`, for completions of equal length.
    pub fn of(self, rewards: &[f64]) -> Vec<f64> {
        let present: Vec<Option<f64>> = rewards.iter().copied().map(Some).collect();
        let group = GroupRewards {
            rewards: &present,
            lengths: &vec![1; rewards.len()],
            key: "",
            parts: &[WeightedPart { weight: 1.0, scores: &present }],
        };
        Estimator::new(self).batch(&[group], &mut Baselines::default()).remove(0)
    }
}

impl Advantage for AdvantageKind {
    fn compute(&self, rewards: &[f32], out: &mut [f32]) {
        let wide: Vec<f64> = rewards.iter().map(|&r| f64::from(r)).collect();
        let zero = equal_up_to_rounding(&wide);
        for (out, a) in out.iter_mut().zip(self.of(&wide)) {
            *out = if zero { 0.0 } else { a as f32 };
        }
    }
}

/// Returns the advantages of one group by a custom estimator; some completions may have no reward.
///
/// A `None` is left out of the group's statistics and gets advantage 0. Rewards that are equal up to rounding give
/// exactly 0 for any `kind`, as the contract of [`Advantage`] requires of equal ones.
pub fn advantages(kind: &dyn Advantage, rewards: &[Option<f32>]) -> Vec<f32> {
    let present: Vec<f32> = rewards.iter().flatten().copied().collect();
    let mut computed = vec![0.0; present.len()];
    if !equal_up_to_rounding(&present) {
        kind.compute(&present, &mut computed);
    }
    let mut next = computed.into_iter();
    rewards.iter().map(|r| if r.is_some() { next.next().unwrap_or(0.0) } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests;
