//! Groups without a signal, drawn again.

/// What [`resample`] kept, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resampled<G> {
    /// The live groups, in the order in which they were drawn; as many as were wanted unless the rounds ran out.
    pub groups: Vec<G>,
    /// Groups drawn in all.
    pub drawn: usize,
    /// Those without a signal.
    pub dead: usize,
    /// Rounds used.
    pub rounds: usize,
}

/// Dynamic sampling (DAPO, arXiv:2503.14476, section 3.2): draws until `wanted` groups carry a signal, in at most
/// `max_rounds` rounds. `draw(round, missing)` gives groups (more than `missing` is fine: the rest is dropped),
/// `alive` says whether a group carries a signal ([`has_signal`]).
///
/// The `wanted` first live groups in drawing order are kept, so that the outcome does not depend on how many a round
/// gave at once.
///
/// ```
/// use sparring_grpo::{has_signal, resample};
/// let rewards = [[1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 0.0]];
/// let mut next = rewards.iter();
/// let draw = |_round, missing| Ok::<_, ()>(next.by_ref().take(missing).collect::<Vec<_>>());
/// let kept = resample(2, 10, draw, |group| has_signal(&group.map(Some)))?;
/// assert_eq!((kept.groups.len(), kept.drawn, kept.dead, kept.rounds), (2, 4, 2, 3));
/// # Ok::<(), ()>(())
/// ```
///
/// # Errors
/// That of `draw`.
pub fn resample<G, E>(
    wanted: usize,
    max_rounds: usize,
    mut draw: impl FnMut(usize, usize) -> Result<Vec<G>, E>,
    alive: impl Fn(&G) -> bool,
) -> Result<Resampled<G>, E> {
    let mut kept = Resampled { groups: Vec::new(), drawn: 0, dead: 0, rounds: 0 };
    while kept.groups.len() < wanted && kept.rounds < max_rounds {
        let drawn = draw(kept.rounds, wanted - kept.groups.len())?;
        kept.rounds += 1;
        if drawn.is_empty() {
            break;
        }
        for group in drawn {
            kept.drawn += 1;
            if !alive(&group) {
                kept.dead += 1;
            } else if kept.groups.len() < wanted {
                kept.groups.push(group);
            }
        }
    }
    Ok(kept)
}

/// Whether rewards differ: without that, a group has no advantage.
pub fn has_signal(rewards: &[Option<f32>]) -> bool {
    let present: Vec<f32> = rewards.iter().flatten().copied().collect();
    !crate::advantage::equal(&present)
}
