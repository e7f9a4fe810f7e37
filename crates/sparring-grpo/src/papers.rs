//! The methods of papers, with every setting that the paper states.
use crate::{AdvantageKind, DynamicSampling, GrpoConfig, KlConfig, LossKind, OldLogp, SoftOverlong};

/// The methods of papers, complete: the loss and everything that the paper combines it with. What a paper does not
/// state is left at `Default`. The size of the run (group size, mini-batches, epochs, learning rate) is up to the
/// caller: each method takes one optimiser step per update, where every ratio is 1 and clipping has no effect, unless
/// [`with_mini_batches`](Self::with_mini_batches) or [`with_epochs`](Self::with_epochs) change that.
///
/// [`LossKind::Bnpo`] (TRL), [`LossKind::Sapo`] (arXiv:2511.20347) and [`LossKind::Vespo`] (arXiv:2602.10693) need no
/// method here: the loss has all their constants, and the rest is `Default`.
impl GrpoConfig {
    /// GRPO of DeepSeekMath (arXiv:2402.03300): eq. 3, advantages by section 4.1.2, k3 in the loss by eq. 4 with
    /// β = 0.04 (section 4.2), one step per update. The paper does not state ε; 0.2 is PPO's (arXiv:1707.06347).
    pub fn grpo() -> Self {
        Self::default().with_kl(KlConfig::new(0.04))
    }

    /// Dr. GRPO (arXiv:2503.20783, section 3.2): advantages without the deviation, a constant length as the normaliser,
    /// no KL term. `max_tokens` is the sampler's limit.
    pub fn dr_grpo(max_tokens: usize) -> Self {
        Self::default()
            .with_loss(LossKind::DrGrpo)
            .with_advantage(AdvantageKind::GroupMean)
            .with_max_completion_tokens(Some(max_tokens))
    }

    /// DAPO (arXiv:2503.14476, eq. 8 and 9), for completions of at most `max_tokens` tokens, with a length penalty on
    /// the last `cache` (the paper: 20,480 and 4,096, section 4.1).
    ///
    /// | part | setting | source |
    /// |---|---|---|
    /// | clip-higher | ε_low 0.2, ε_high 0.28 | eq. 10, section 4.1 |
    /// | dynamic sampling | at most 10 rounds | eq. 11; the rounds are those of the released script |
    /// | token-level loss | the mean over the batch's tokens | eq. 12 |
    /// | overlong filtering | truncated completions are masked | section 3.4 |
    /// | soft overlong punishment | over the last `cache` tokens | eq. 13 |
    /// | KL | none | section 2.3 |
    ///
    /// The paper's Table 1 uses filtering and penalty together. If most completions are truncated, filtering leaves
    /// little to learn from: `with_mask_truncated(false)` keeps the penalty alone.
    pub fn dapo(max_tokens: usize, cache: usize) -> Self {
        Self::default()
            .with_loss(LossKind::Dapo)
            .with_clip_low(0.2)
            .with_clip_high(0.28)
            .with_dynamic_sampling(Some(DynamicSampling::default()))
            .with_mask_truncated(true)
            .with_soft_overlong(Some(SoftOverlong::new(max_tokens, cache)))
    }

    /// DRO, direct reward optimisation (arXiv:2405.19107) with the group's baseline, as the loss `dro` of verl and
    /// Tinker: ℓ = −A·logp + (β/2)·(logp − logp_old)², a mean over the tokens. The policy in the square is the sampler
    /// ([`OldLogp::Sampler`]). `beta` is at least 0.
    ///
    /// In a file: `loss = "gpg"`, `old_logp = "sampler"`, and `log_ratio_coef` = β/2.
    ///
    /// ```
    /// use sparring_grpo::loss::Sequence;
    /// let dro = sparring_grpo::GrpoConfig::dro(0.5);
    /// let completion = Sequence { logp: &[-1.0], old: Some(&[-1.2]), advantage: 2.0, ..Sequence::default() };
    /// // −A + β·(logp − logp_old)
    /// assert!((dro.objective().sequence(&completion).gradients[0] - (0.5 * 0.2 - 2.0)).abs() < 1e-12);
    /// assert!(dro.build().is_ok());
    /// ```
    pub fn dro(beta: f64) -> Self {
        Self::default()
            .with_loss(LossKind::Gpg)
            .with_log_ratio_coef(0.5 * beta)
            .with_old_logp(OldLogp::Sampler)
    }

    /// GSPO (arXiv:2507.18071, eq. 5 to 7): the ratio of the sequence, clipped at 3e-4 and 4e-4 (section 5.1), no KL
    /// term. The paper takes four mini-batches per update.
    pub fn gspo() -> Self {
        Self::default().with_loss(LossKind::Gspo).with_clip_low(3e-4).with_clip_high(4e-4)
    }

    /// GSPO-token (arXiv:2507.18071, eq. 13): [`GrpoConfig::gspo`] with the gradient of the token's own ratio.
    pub fn gspo_token() -> Self {
        Self::gspo().with_loss(LossKind::GspoToken)
    }

    /// LUSPO (arXiv:2602.05261): GSPO without the division by the length, clipped at 2e-3 and 2.5e-3 (section 5.1).
    pub fn luspo() -> Self {
        Self::default().with_loss(LossKind::Luspo).with_clip_low(2e-3).with_clip_high(2.5e-3)
    }

    /// CISPO (MiniMax-M1, arXiv:2506.13585, eq. 4 and 5): weights without a lower bound, DAPO's dynamic sampling, no KL
    /// term. The paper does not state the upper bound; 5 is ScaleRL's (arXiv:2510.13786). Nor does it state the lengths
    /// of its length penalty, which is DAPO's: add `with_soft_overlong`.
    pub fn cispo() -> Self {
        Self::default().with_loss(LossKind::Cispo).with_dynamic_sampling(Some(DynamicSampling::default()))
    }

    /// GMPO (arXiv:2507.20673, eq. 4): the geometric mean of a sequence's ratios, each clipped to
    /// \[e^−0.4, e^0.4\] (section 4), no KL term.
    pub fn gmpo() -> Self {
        Self::default().with_loss(LossKind::Gmpo).with_clip_low(0.4).with_clip_high(0.4)
    }

    /// GPG (arXiv:2504.02546): the policy gradient without a ratio, with an advantage that corrects for zero-advantage
    /// groups ([`AdvantageKind::Gpg`]), no KL term.
    pub fn gpg() -> Self {
        Self::default().with_loss(LossKind::Gpg).with_advantage(AdvantageKind::Gpg)
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;
    use crate::{Aggregation, KlEstimator, KlPlacement, RatioLevel, Surrogate};

    /// The fields that every paper without a KL term and with one step leaves at their defaults.
    fn rest(config: &GrpoConfig) -> GrpoConfig {
        let built = config.clone().build().unwrap().config().clone();
        assert_eq!(&built, config);
        assert_eq!((config.epochs, config.mini_batches, config.entropy_coef), (1, 1, 0.0));
        built
    }

    #[test]
    fn grpo_is_deepseekmath() {
        let grpo = rest(&GrpoConfig::grpo());
        let kl = grpo.kl;
        assert_eq!((kl.coef, kl.estimator, kl.placement), (0.04, KlEstimator::K3, KlPlacement::Loss));
        assert!(!kl.ratio_weighted && !kl.bounded);
        assert_eq!((grpo.loss, grpo.advantage), (LossKind::Grpo, AdvantageKind::GroupStd));
        assert_eq!(grpo.normaliser(), Aggregation::CompletionMean);
        assert_eq!((grpo.clip_low, grpo.clip_high), (0.2, 0.2));
    }

    #[test]
    fn dr_grpo_divides_by_no_deviation_and_no_length() {
        let dr = rest(&GrpoConfig::dr_grpo(3000));
        assert_eq!((dr.advantage, dr.normaliser()), (AdvantageKind::GroupMean, Aggregation::ConstantLength));
        assert_eq!((dr.max_completion_tokens, dr.kl.coef), (Some(3000), 0.0));
        assert_eq!((dr.clip_low, dr.clip_high), (0.2, 0.2));
    }

    #[test]
    fn dapo_has_its_five_parts_and_no_kl() {
        let dapo = rest(&GrpoConfig::dapo(20480, 4096));
        assert_eq!((dapo.clip_low, dapo.clip_high), (0.2, 0.28));
        assert_eq!(dapo.dynamic_sampling, Some(DynamicSampling::new(10)));
        assert_eq!((dapo.loss, dapo.normaliser()), (LossKind::Dapo, Aggregation::BatchTokenMean));
        assert!(dapo.mask_truncated);
        assert_eq!(dapo.soft_overlong, Some(SoftOverlong::new(20480, 4096)));
        assert_eq!((dapo.kl.coef, dapo.advantage), (0.0, AdvantageKind::GroupStd));
        assert!(GrpoConfig::dapo(100, 200).build().is_err(), "a cache beyond the limit");
    }

    #[test]
    fn sequence_losses_have_the_clips_of_their_papers() {
        let of = |config: GrpoConfig| {
            let c = rest(&config);
            let level = c.ratio_level.unwrap_or(c.loss.level());
            assert_eq!((c.kl.coef, c.advantage), (0.0, AdvantageKind::GroupStd));
            (c.clip_low, c.clip_high, level, c.normaliser())
        };
        let sequence = RatioLevel::Sequence;
        assert_eq!(of(GrpoConfig::gspo()), (3e-4, 4e-4, sequence, Aggregation::CompletionMean));
        let token = (3e-4, 4e-4, RatioLevel::SequenceToken, Aggregation::CompletionMean);
        assert_eq!(of(GrpoConfig::gspo_token()), token);
        assert_eq!(of(GrpoConfig::luspo()), (2e-3, 2.5e-3, sequence, Aggregation::CompletionSum));
        let gmpo = of(GrpoConfig::gmpo());
        assert_eq!((gmpo.0, gmpo.1, gmpo.3), (0.4, 0.4, Aggregation::CompletionMean));
    }

    #[test]
    fn cispo_and_gpg_do_not_clip_the_update() {
        let cispo = rest(&GrpoConfig::cispo());
        assert_eq!(cispo.objective().surrogate, Surrogate::Cispo { min: 0.0, max: 5.0 });
        assert_eq!(cispo.dynamic_sampling, Some(DynamicSampling::default()));
        assert_eq!((cispo.normaliser(), cispo.kl.coef), (Aggregation::BatchTokenMean, 0.0));
        let gpg = rest(&GrpoConfig::gpg());
        assert_eq!((gpg.objective().surrogate, gpg.advantage), (Surrogate::Reinforce, AdvantageKind::Gpg));
        assert_eq!((gpg.normaliser(), gpg.kl.coef), (Aggregation::BatchTokenMean, 0.0));
    }
}
