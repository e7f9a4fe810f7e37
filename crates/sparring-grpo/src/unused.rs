//! Settings without effect: they are refused, so that nobody believes that they act.
use crate::check::Check;
use crate::surrogate::Surrogate;
use crate::{AdvantageKind, Aggregation, GrpoConfig, OldLogp};

impl GrpoConfig {
    /// Checks that every setting that differs from its default is used by the chosen loss, advantage or driver.
    pub(crate) fn unused(&self) -> impl Iterator<Item = Check> + use<> {
        let of_loss = self.unused_by_loss().into_iter().chain(self.unused_kl());
        of_loss.chain(self.unused_by_sign()).chain(self.unused_shaping()).chain(self.unused_by_others())
    }

    /// Returns the settings of the advantage that differ from their defaults.
    pub(crate) fn advantage_settings(&self) -> impl Iterator<Item = &'static str> + use<> {
        let default = Self::default();
        let set = [
            ("advantage", self.advantage != default.advantage),
            ("advantage_epsilon", !same(self.advantage_epsilon, default.advantage_epsilon)),
            ("advantage_decay", !same(self.advantage_decay, default.advantage_decay)),
        ];
        set.into_iter().filter_map(|(name, set)| set.then_some(name))
    }

    fn unused_by_loss(&self) -> [Check; 7] {
        let default = Self::default();
        let surrogate = self.objective().surrogate;
        let clips =
            "has no effect with a surrogate that does not clip the ratio at 1 - clip_low and 1 + clip_high";
        let caps = "has no effect with a surrogate other than \"clipped\": leave it out";
        let clipped = surrogate == Surrogate::Clipped;
        let geometric = matches!(surrogate, Surrogate::GeometricMean { .. });
        let has_level = surrogate.has_ratio() || (self.kl.ratio_weighted && !geometric);
        [
            ("clip_low", surrogate.clips() || same(self.clip_low, default.clip_low), clips),
            ("clip_high", surrogate.clips() || same(self.clip_high, default.clip_high), clips),
            ("ratio_cap", clipped || self.ratio_cap.is_none(), caps),
            ("dual_clip", clipped || self.dual_clip.is_none(), caps),
            (
                "dual_clip",
                self.dual_clip.is_none() || self.ratio_cap.is_none(),
                "bounds the same losses as ratio_cap, and the larger of the two has no effect: leave one out",
            ),
            (
                "ratio_level",
                has_level || self.ratio_level.is_none_or(|level| level == self.loss.level()),
                "has no effect with a surrogate that has no ratio, or its own: leave it out",
            ),
            (
                "max_completion_tokens",
                self.normaliser() == Aggregation::ConstantLength || self.max_completion_tokens.is_none(),
                "has no effect with a normaliser without a constant length: leave it out, or let for_sampling set it",
            ),
        ]
    }

    fn unused_kl(&self) -> [Check; 5] {
        let (kl, default) = (self.kl, Self::default().kl);
        let on = kl.coef > 0.0;
        let off = "has no effect while kl.coef is 0: leave it out, or set kl.coef";
        [
            ("kl.estimator", on || kl.estimator == default.estimator, off),
            ("kl.placement", on || kl.placement == default.placement, off),
            ("kl.ratio_weighted", on || !kl.ratio_weighted, off),
            ("kl.bounded", on || !kl.bounded, off),
            (
                "kl.ratio_weighted",
                !(kl.ratio_weighted && kl.in_reward()),
                "has no effect with kl.placement = \"reward\": switch one off",
            ),
        ]
    }

    /// Settings that only act on negative advantages.
    fn unused_by_sign(&self) -> [Check; 4] {
        let default = Self::default();
        let negative = !self.advantage.is_never_negative();
        let why = "has no effect with an advantage that is never negative: leave it out";
        let caps_positive = self.ratio_cap.is_some_and(|cap| cap <= 1.0 + self.clip_high);
        [
            ("clip_low", negative || same(self.clip_low, default.clip_low), why),
            ("ratio_cap", negative || caps_positive || self.ratio_cap.is_none(), why),
            ("dual_clip", negative || self.dual_clip.is_none(), why),
            ("off_policy_threshold", negative || self.off_policy_threshold.is_none(), why),
        ]
    }

    /// Settings that change the rewards before the advantages are computed.
    fn unused_shaping(&self) -> [Check; 3] {
        let by_parts = self.advantage == AdvantageKind::NormalizeThenSum;
        let shaped = self.soft_overlong.is_some() || self.kl.in_reward();
        let parts =
            "has no effect with advantage = \"normalize_then_sum\", which uses the parts of the reward only";
        [
            ("soft_overlong", !by_parts || self.soft_overlong.is_none(), parts),
            ("kl.placement", !by_parts || !self.kl.in_reward(), parts),
            (
                "learn_from_shaping",
                !self.learn_from_shaping || (shaped && self.advantage.is_within_group()),
                "has no effect without soft_overlong or kl.placement = \"reward\", or with an advantage whose \
                 statistic is not of the group: leave it out",
            ),
        ]
    }

    fn unused_by_others(&self) -> [Check; 4] {
        let default = Self::default();
        let keeps_average = self.advantage == AdvantageKind::KeyedMovingAverage;
        let moves = self.old_logp == OldLogp::Sampler || self.steps() > 1;
        [
            (
                "advantage_epsilon",
                self.advantage.uses_epsilon() || same(self.advantage_epsilon, default.advantage_epsilon),
                "has no effect with an advantage that does not divide by a deviation, or has its own constant",
            ),
            (
                "advantage_decay",
                keeps_average || same(self.advantage_decay, default.advantage_decay),
                "has no effect without advantage = \"keyed_moving_average\"",
            ),
            (
                "importance",
                self.importance.is_none() || self.old_logp == OldLogp::Recompute,
                "has no effect with old_logp = \"sampler\": every weight is 1",
            ),
            (
                "log_ratio_coef",
                moves || self.log_ratio_coef == 0.0,
                "has no effect with one step on recomputed log-probabilities, where every ratio is 1: \
                 set old_logp = \"sampler\", or more epochs or mini_batches",
            ),
        ]
    }
}

/// Returns whether a setting equals its default exactly.
fn same(value: f64, default: f64) -> bool {
    value.to_bits() == default.to_bits()
}
