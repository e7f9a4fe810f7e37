use crate::advantage::WeightedPart;
use sparring_core::{Hook, Rollout};

/// The completions of one prompt and their rewards. Slices have one entry per completion.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RolloutGroup<'a> {
    /// The completions, all of the same prompt.
    pub rollouts: &'a [Rollout],
    /// The rewards. `None` if no reward applies: the completion is left out of the group's statistics and has advantage
    /// 0, but its tokens still count in the normalisers and the KL term.
    pub rewards: &'a [Option<f32>],
    /// The key of the keyed advantages, such as a task and a player.
    pub key: &'a str,
    /// The reward's parts, for [`AdvantageKind::NormalizeThenSum`](crate::AdvantageKind::NormalizeThenSum).
    pub parts: &'a [WeightedPart<'a>],
    /// Factors that multiply the advantages ([`Adpo`](crate::Adpo)).
    pub scales: Option<&'a [f32]>,
    /// ε_high of each completion; overrides the setting.
    pub clip_highs: Option<&'a [f32]>,
    /// Number of tokens at the start of each completion that an expert wrote (LUFFY).
    pub expert_prefixes: Option<&'a [usize]>,
    /// The hook that the completions were drawn under; see
    /// [`GrpoConfig::hooked_logp`](crate::GrpoConfig::hooked_logp).
    pub hook: Option<&'a Hook>,
}

impl<'a> RolloutGroup<'a> {
    /// Returns a group of completions with their rewards.
    pub fn new(rollouts: &'a [Rollout], rewards: &'a [Option<f32>]) -> Self {
        Self {
            rollouts,
            rewards,
            key: "",
            parts: &[],
            scales: None,
            clip_highs: None,
            expert_prefixes: None,
            hook: None,
        }
    }

    /// Sets the key.
    #[must_use]
    pub fn with_key(mut self, key: &'a str) -> Self {
        self.key = key;
        self
    }

    /// Sets the parts of the reward.
    #[must_use]
    pub fn with_parts(mut self, parts: &'a [WeightedPart<'a>]) -> Self {
        self.parts = parts;
        self
    }

    /// Sets the factors that multiply the advantages.
    #[must_use]
    pub fn with_scales(mut self, scales: &'a [f32]) -> Self {
        self.scales = Some(scales);
        self
    }

    /// Sets ε_high of each completion.
    #[must_use]
    pub fn with_clip_highs(mut self, clip_highs: &'a [f32]) -> Self {
        self.clip_highs = Some(clip_highs);
        self
    }

    /// Sets the number of tokens that an expert wrote.
    #[must_use]
    pub fn with_expert_prefixes(mut self, prefixes: &'a [usize]) -> Self {
        self.expert_prefixes = Some(prefixes);
        self
    }

    /// Sets the hook, or none.
    #[must_use]
    pub fn with_hook(mut self, hook: Option<&'a Hook>) -> Self {
        self.hook = hook;
        self
    }

    /// Returns the name and length of the first slice without one entry per completion.
    pub(crate) fn misfit(&self) -> Option<(&'static str, usize)> {
        let lengths = [
            ("rewards", Some(self.rewards.len())),
            ("scales", self.scales.map(<[f32]>::len)),
            ("clip_highs", self.clip_highs.map(<[f32]>::len)),
            ("expert_prefixes", self.expert_prefixes.map(<[usize]>::len)),
        ];
        let parts = self.parts.iter().map(|part| ("parts", Some(part.scores.len())));
        let named = lengths.into_iter().chain(parts).filter_map(|(name, len)| Some((name, len?)));
        named.into_iter().find(|(_, len)| *len != self.rollouts.len())
    }
}
