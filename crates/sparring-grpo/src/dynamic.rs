//! Dynamic sampling: zero-advantage groups are sampled again.
use serde::{Deserialize, Serialize};

/// Dynamic sampling (DAPO, arXiv:2503.14476, section 3.2 and eq. 11): zero-advantage groups are sampled again until the
/// update is full. The training loop does this, with [`resample`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct DynamicSampling {
    /// Largest number of sampling rounds for one update, at least 1; after them the update uses fewer groups.
    pub max_rounds: usize,
}

impl Default for DynamicSampling {
    /// Ten rounds, as in DAPO's released script.
    fn default() -> Self {
        Self::new(10)
    }
}

impl DynamicSampling {
    /// Returns at most this many rounds.
    pub const fn new(max_rounds: usize) -> Self {
        Self { max_rounds }
    }
}

/// The result of [`resample`], and its cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resampled<G> {
    /// The groups to train on, in sampling order; as many as were requested unless the rounds ran out.
    pub groups: Vec<G>,
    /// Total number of groups sampled.
    pub drawn: usize,
    /// How many of them were zero-advantage groups.
    pub zero_advantage: usize,
    /// Number of rounds.
    pub rounds: usize,
}

/// Samples until there are `wanted` groups that are not zero-advantage, in at most `max_rounds` rounds
/// ([`DynamicSampling`]).
///
/// `draw(round, missing)` returns groups (those beyond `missing` are dropped), and `zero_advantage` says which to leave
/// out ([`is_zero_advantage`]). The first `wanted` remaining groups in sampling order are kept, so the result does not
/// depend on how many a round returned at once.
///
/// ```
/// use sparring_grpo::{is_zero_advantage, resample};
/// let rewards = [[1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]];
/// let mut next = rewards.iter();
/// let draw = |_round, missing| Ok::<_, ()>(next.by_ref().take(missing).collect::<Vec<_>>());
/// let kept = resample(2, 10, draw, |group| is_zero_advantage(&group.map(Some)))?;
/// assert_eq!((kept.groups.len(), kept.drawn, kept.zero_advantage, kept.rounds), (2, 4, 2, 3));
/// # Ok::<(), ()>(())
/// ```
///
/// # Errors
/// The error of `draw`.
pub fn resample<G, E>(
    wanted: usize,
    max_rounds: usize,
    mut draw: impl FnMut(usize, usize) -> Result<Vec<G>, E>,
    zero_advantage: impl Fn(&G) -> bool,
) -> Result<Resampled<G>, E> {
    let mut kept = Resampled { groups: Vec::new(), drawn: 0, zero_advantage: 0, rounds: 0 };
    while kept.groups.len() < wanted && kept.rounds < max_rounds {
        let drawn = draw(kept.rounds, wanted - kept.groups.len())?;
        kept.rounds += 1;
        if drawn.is_empty() {
            break;
        }
        for group in drawn {
            kept.drawn += 1;
            if zero_advantage(&group) {
                kept.zero_advantage += 1;
            } else if kept.groups.len() < wanted {
                kept.groups.push(group);
            }
        }
    }
    Ok(kept)
}

/// Returns whether the rewards of a group are all equal or missing, so that every advantage within the group is 0.
/// Rewards that differ by rounding are equal ([`equal_up_to_rounding`](crate::advantage::equal_up_to_rounding)).
pub fn is_zero_advantage(rewards: &[Option<f32>]) -> bool {
    let present: Vec<f32> = rewards.iter().flatten().copied().collect();
    crate::advantage::equal_up_to_rounding(&present)
}
