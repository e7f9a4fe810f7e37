use crate::{ReferenceKind, TrainError, Updater, check};
use sparring_core::SamplingParams;
use sparring_core::files::without_mark;
use sparring_grpo::{Adpo, AdvantageKind, GrpoConfig, LrSchedule};
use std::collections::BTreeMap;

sparring_grpo::settings! {
    /// Settings of a training run: how completions are sampled, how the policy is updated, and how often it is
    /// evaluated and saved. [`TrainConfig::build`] checks them; only the checked type runs.
    ///
    /// ```
    /// use sparring_train::TrainConfig;
    /// let config = TrainConfig::from_toml("steps = 20\n[sampling]\nmax_tokens = 64\n", "my.toml")?;
    /// assert_eq!((config.steps, config.sampling.max_tokens), (20, 64));
    /// let error = config.with_lr(-1.0).build().unwrap_err();
    /// assert!(error.to_string().contains("lr = -1"));
    /// # Ok::<(), sparring_train::TrainError>(())
    /// ```
    pub struct TrainConfig {
        /// Prompts per update.
        prompts_per_step: usize = 8, with_prompts_per_step;
        /// Completions per prompt, at least 1.
        group_size: usize = 8, with_group_size;
        /// Updates of the run.
        steps: usize = 100, with_steps;
        /// Base learning rate.
        lr: f64 = 1e-6, with_lr;
        /// Schedule of the learning rate over the run.
        lr_schedule: LrSchedule = LrSchedule::constant(), with_lr_schedule;
        /// A checkpoint is written every so many updates, before the first and after the last.
        checkpoint_every: usize = 10, with_checkpoint_every;
        /// How many of the newest checkpoints are kept, at least 1; those that hold the reference model of one stay
        /// too.
        checkpoints_kept: usize = 2, with_checkpoints_kept;
        /// Evaluations are run every so many updates, before the first and after the last; 0 leaves only these two.
        evaluate_every: usize = 0, with_evaluate_every;
        /// How completions are sampled.
        sampling: SamplingParams = SamplingParams::default(), with_sampling;
        /// The update. Its temperature is that of `sampling`, its longest completion by default `sampling.max_tokens`.
        /// With `dynamic_sampling`, zero-advantage groups are replaced by groups of further tasks.
        grpo: GrpoConfig = GrpoConfig::default(), with_grpo;
        /// The reference model of the KL term.
        reference: ReferenceKind = ReferenceKind::None, with_reference;
        /// Scales and clips by a group's self-consistency.
        #[serde(skip_serializing_if = "Option::is_none")]
        adpo: Option<Adpo> = None, with_adpo;
        /// Weights of the reward's components, by name, where the advantage is `normalize_then_sum`; 1 for those
        /// without.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        part_weights: BTreeMap<String, f64> = BTreeMap::new(), with_part_weights;
    }
}

impl TrainConfig {
    /// Reads settings from TOML; `file` is named in errors.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] names the file, the line and the field.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, TrainError> {
        from_toml(text, file)
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the field, its value and the remedy.
    pub fn build(self) -> Result<TrainPlan, TrainError> {
        let (prompts, completions) =
            (("prompts_per_step", self.prompts_per_step), ("group_size", self.group_size));
        let counts = [
            (prompts, check::MOST_PROMPTS),
            (completions, check::MOST_COMPLETIONS),
            (("steps", self.steps), check::MOST_STEPS),
            (("checkpoint_every", self.checkpoint_every), check::MOST),
            (("checkpoints_kept", self.checkpoints_kept), check::MOST),
        ];
        counts.into_iter().try_for_each(|((field, count), most)| check::count(field, count, 1, most))?;
        check::product(&[prompts, completions], check::MOST_PER_UPDATE)?;
        check::learning_rate("lr", self.lr)?;
        check::schedule("lr_schedule", self.lr_schedule)?;
        check::sampling("sampling", &self.sampling)?;
        if let ReferenceKind::Refreshed { every } = self.reference {
            check::count("reference.every", every, 1, check::MOST)?;
        }
        if (self.grpo.kl.coef > 0.0) != (self.reference != ReferenceKind::None) {
            let remedy = "goes with grpo.kl.coef above 0: set both, or neither";
            return Err(TrainError::setting("reference", format!("{:?}", self.reference), remedy));
        }
        let grpo = check::grpo("grpo", &self.grpo, &self.sampling)?;
        self.check_part_weights()?;
        self.check_adpo()?;
        check::numbers("", &self)?;
        let updater = Updater::new(grpo).with_adpo(self.adpo).with_part_weights(self.part_weights.clone());
        Ok(TrainPlan { updater, config: self })
    }

    fn check_part_weights(&self) -> Result<(), TrainError> {
        let Some((name, weight)) = self.part_weights.iter().next() else { return Ok(()) };
        if self.grpo.advantage != AdvantageKind::NormalizeThenSum {
            let remedy = "has no effect without grpo.advantage = \"normalize_then_sum\"; leave it out";
            return Err(TrainError::setting(format!("part_weights.{name}"), weight, remedy));
        }
        match self.part_weights.iter().find(|(_, weight)| !weight.is_finite()) {
            Some((name, weight)) => {
                Err(TrainError::setting(format!("part_weights.{name}"), weight, "must be a number"))
            }
            None => Ok(()),
        }
    }

    fn check_adpo(&self) -> Result<(), TrainError> {
        let Some(Adpo { min_scale, extra_clip, .. }) = self.adpo else { return Ok(()) };
        let surrogate = self.grpo.objective().surrogate;
        if !surrogate.clips() {
            let remedy = "needs a loss that clips: choose another, or leave adpo out";
            return Err(TrainError::setting("adpo, grpo.surrogate", format!("{surrogate:?}"), remedy));
        }
        if !(0.0..=1.0).contains(&min_scale) {
            return Err(TrainError::setting("adpo.min_scale", min_scale, "must be in [0, 1]"));
        }
        if !(extra_clip.is_finite() && extra_clip >= 0.0) {
            return Err(TrainError::setting("adpo.extra_clip", extra_clip, "must be a number of at least 0"));
        }
        Ok(())
    }
}

/// Checked settings: what [`Trainer`](crate::Trainer) runs. Made by [`TrainConfig::build`].
#[derive(Debug, Clone)]
pub struct TrainPlan {
    pub(crate) config: TrainConfig,
    pub(crate) updater: Updater,
}

impl TrainPlan {
    /// The settings.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// The learning half of its updates.
    pub fn updater(&self) -> &Updater {
        &self.updater
    }
}

/// Reads settings of any kind from TOML; `file` is named in errors.
///
/// # Errors
/// [`TrainError::Invalid`] names the file, the line and the field.
pub fn from_toml<C: serde::de::DeserializeOwned>(text: &str, file: &str) -> Result<C, TrainError> {
    let text = without_mark(text);
    toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start].matches('\n').count() + 1);
        TrainError::invalid(format!("{file}, line {line}: {}", e.message()))
    })
}
