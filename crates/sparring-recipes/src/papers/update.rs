use crate::RecipeError;
use serde::{Deserialize, Serialize};
use sparring_core::SamplingParams;
use sparring_grpo::{Adpo, Grpo, GrpoConfig, LrSchedule, ReferenceKind};

/// How a paper samples and updates: what [`Grpo`] and a sampler are asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct UpdateConfig {
    /// Prompts of a step; 0 where the paper does not say.
    pub prompts_per_step: usize,
    /// Completions of a prompt, at least 1.
    pub group_size: usize,
    /// Steps of a phase, or of the run; 0 where the paper does not say.
    pub steps: usize,
    /// Base learning rate.
    pub lr: f64,
    /// Its schedule.
    pub lr_schedule: LrSchedule,
    /// How completions are drawn.
    pub sampling: SamplingParams,
    /// The loss.
    pub grpo: GrpoConfig,
    /// Which model the KL term stays close to.
    pub reference: ReferenceKind,
    /// Scales and clips by the group's self-consistency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adpo: Option<Adpo>,
}

impl Default for UpdateConfig {
    fn default() -> Self {
        Self {
            prompts_per_step: 0,
            group_size: 8,
            steps: 0,
            lr: 1e-6,
            lr_schedule: LrSchedule::constant(),
            sampling: SamplingParams::default(),
            grpo: GrpoConfig::default(),
            reference: ReferenceKind::None,
            adpo: None,
        }
    }
}

impl UpdateConfig {
    /// The update, at the temperature that samples.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] names the field.
    pub fn build(&self) -> Result<Grpo, RecipeError> {
        let setting = |field: &str, why: String| RecipeError::setting(field, why);
        self.sampling.validate().map_err(|error| setting("sampling", error.to_string()))?;
        if self.group_size == 0 {
            return Err(setting("group_size", "must be at least 1".to_owned()));
        }
        if (self.grpo.kl.coef > 0.0) != (self.reference != ReferenceKind::None) {
            return Err(setting(
                "reference",
                "goes with grpo.kl.coef above 0: set both, or neither".to_owned(),
            ));
        }
        let grpo = self.grpo.clone().for_sampling(&self.sampling);
        grpo.build().map_err(|error| setting("grpo", error.to_string()))
    }

    /// The scales and ε_high of a group whose self-consistency is `p`, for
    /// [`RolloutGroup`](sparring_grpo::RolloutGroup)'s `with_scales` and `with_clip_highs`; `None` without ADPO.
    ///
    /// ```
    /// use sparring_recipes::papers::PaperPreset;
    /// let agent0 = PaperPreset::load("agent0/paper")?.solver_update.unwrap();
    /// let (scales, clips) = agent0.adapted(0.3, 2).unwrap();
    /// assert_eq!((scales, clips.len()), (vec![0.6, 0.6], 2));
    /// # Ok::<(), sparring_recipes::RecipeError>(())
    /// ```
    pub fn adapted(&self, p: f64, completions: usize) -> Option<(Vec<f32>, Vec<f32>)> {
        let adpo = self.adpo?;
        let clip = adpo.clip_high(self.grpo.clip_high, p);
        Some((vec![adpo.scale(p) as f32; completions], vec![clip as f32; completions]))
    }
}
