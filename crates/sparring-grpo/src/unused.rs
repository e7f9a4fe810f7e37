//! Settings without effect: they are refused, so that nobody believes that they act.
use crate::check::Check;
use crate::surrogate::Surrogate;
use crate::{AdvantageKind, Aggregation, GrpoConfig, OldLogp};

impl GrpoConfig {
    /// Checks that every setting that differs from its default is used by the chosen loss, advantage or driver.
    pub(crate) fn unused(&self) -> impl Iterator<Item = Check> + use<> {
        self.unused_by_loss().into_iter().chain(self.unused_kl()).chain(self.unused_by_others())
    }

    fn unused_by_loss(&self) -> [Check; 7] {
        let default = Self::default();
        let surrogate = self.objective().surrogate;
        let clips =
            "does nothing with a surrogate that does not clip the ratio at 1 - clip_low and 1 + clip_high";
        let caps = "does nothing with another surrogate than \"clipped\": leave it out";
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
                "bounds the same losses as ratio_cap, and the larger of the two does nothing: leave one out",
            ),
            (
                "ratio_level",
                has_level || self.ratio_level.is_none_or(|level| level == self.loss.level()),
                "does nothing with a surrogate that has no ratio, or makes its own: leave it out",
            ),
            (
                "max_completion_tokens",
                self.normaliser() == Aggregation::ConstantLength || self.max_completion_tokens.is_none(),
                "does nothing with a normaliser that has no constant length: leave it out, or let for_sampling set it",
            ),
        ]
    }

    fn unused_kl(&self) -> [Check; 5] {
        let (kl, default) = (self.kl, Self::default().kl);
        let on = kl.coef > 0.0;
        let off = "does nothing while kl.coef is 0: leave it out, or set kl.coef";
        [
            ("kl.estimator", on || kl.estimator == default.estimator, off),
            ("kl.placement", on || kl.placement == default.placement, off),
            ("kl.ratio_weighted", on || !kl.ratio_weighted, off),
            ("kl.bounded", on || !kl.bounded, off),
            (
                "kl.ratio_weighted",
                !(kl.ratio_weighted && kl.in_reward()),
                "does nothing with kl.placement = \"reward\": switch one off",
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
                "does nothing with an advantage that divides by no deviation, or by one with a constant of its own",
            ),
            (
                "advantage_decay",
                keeps_average || same(self.advantage_decay, default.advantage_decay),
                "does nothing without advantage = \"keyed_moving_average\"",
            ),
            (
                "importance",
                self.importance.is_none() || self.old_logp == OldLogp::Recompute,
                "does nothing with old_logp = \"sampler\": every weight is 1",
            ),
            (
                "log_ratio_coef",
                moves || self.log_ratio_coef == 0.0,
                "does nothing with one step on recomputed log-probabilities, where every ratio is 1: \
                 set old_logp = \"sampler\", or more epochs or mini_batches",
            ),
        ]
    }
}

/// Returns whether a setting equals its default exactly.
fn same(value: f64, default: f64) -> bool {
    value.to_bits() == default.to_bits()
}
