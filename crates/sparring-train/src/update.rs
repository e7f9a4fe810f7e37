use crate::Scored;
use sparring_core::{Learner, Rollout, Scorer};
use sparring_grpo::advantage::{Baselines, WeightedPart};
use sparring_grpo::{Adpo, AdvantageKind, Grpo, GrpoError, RolloutGroup, UpdateReport};
use std::collections::{BTreeMap, BTreeSet};

/// The learning half of an update: from sampled groups and their scores to optimiser steps.
///
/// It passes [`Grpo`] the rewards of the [`Scored`] groups, and what some advantages need beside them: keys,
/// components, and the scales and clips of ADPO.
///
/// ```
/// use sparring_core::{Prompt, RewardContext, Rollout, SamplingParams, Seed, reward_fn};
/// use sparring_grpo::GrpoConfig;
/// use sparring_grpo::advantage::Baselines;
/// use sparring_testkit::ToyPolicy;
/// use sparring_train::{Scored, Updater, requests, sample};
///
/// let mut policy = ToyPolicy::new("abc", Seed::new(1));
/// let updater = Updater::new(GrpoConfig::default().build()?);
/// let letter_b = reward_fn("b", |(): &(), out: &Rollout| Some(f32::from(u8::from(out.text == "b"))));
/// let params = SamplingParams::default().with_max_tokens(1);
/// for step in 0..30 {
///     let requests = requests([Prompt::Tokens([1].into())], 8, &params, Seed::new(2).index(step));
///     let groups = sample(&policy, "policy", &requests, |_| {})?;
///     // Between the two halves, a loop of your own can read and count the rollouts.
///     let mut scored = Scored::default();
///     scored.add(&letter_b, &(), &groups[0], &RewardContext::default())?;
///     updater.update(&mut policy, None, &groups, &scored, &mut Baselines::default(), 0.2)?;
/// }
/// let last = sample(&policy, "policy", &requests([vec![1]], 8, &params, Seed::new(3)), |_| {})?;
/// assert!(last[0].iter().filter(|out| out.text == "b").count() > 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Updater {
    grpo: Grpo,
    adpo: Option<Adpo>,
    part_weights: BTreeMap<String, f64>,
}

impl Updater {
    /// Updates with `grpo`.
    pub fn new(grpo: Grpo) -> Self {
        Self { grpo, adpo: None, part_weights: BTreeMap::new() }
    }

    /// Scales and clips by [`Score::consistency`](crate::Score::consistency), in the groups that have one.
    #[must_use]
    pub fn with_adpo(mut self, adpo: Option<Adpo>) -> Self {
        self.adpo = adpo;
        self
    }

    /// Weights of the reward's components in [`AdvantageKind::NormalizeThenSum`]; others have 1.
    #[must_use]
    pub fn with_part_weights(mut self, weights: BTreeMap<String, f64>) -> Self {
        self.part_weights = weights;
        self
    }

    /// Advantages, loss and driver.
    pub fn grpo(&self) -> &Grpo {
        &self.grpo
    }

    /// ADPO's settings.
    pub fn adpo(&self) -> Option<Adpo> {
        self.adpo
    }

    /// Whether its advantages need [`Score::key`](crate::Score::key).
    pub fn needs_keys(&self) -> bool {
        let kind = self.grpo.config().advantage;
        matches!(kind, AdvantageKind::KeyedWhitening | AdvantageKind::KeyedMovingAverage)
    }

    /// One update of `learner` at rate `lr`: see [`Grpo::update_with`]. `scored` has one score a group; `baselines`
    /// are the moving averages of [`AdvantageKind::KeyedMovingAverage`], part of a run's state.
    ///
    /// # Errors
    /// As [`Grpo::update_with`]; [`GrpoError::Group`] also for another number of scores than groups, and for part
    /// weights of components that the rewards do not have.
    pub fn update(
        &self,
        learner: &mut dyn Learner,
        reference: Option<&dyn Scorer>,
        groups: &[Vec<Rollout>],
        scored: &Scored,
        baselines: &mut Baselines,
        lr: f64,
    ) -> Result<UpdateReport, GrpoError> {
        if groups.len() != scored.groups.len() {
            let what =
                format!("{} groups but {} scores; pass one for each", groups.len(), scored.groups.len());
            return Err(GrpoError::Group { group: groups.len().min(scored.groups.len()), what });
        }
        self.check_part_weights(scored)?;
        let parts = self.parts(scored);
        let weighted: Vec<Vec<WeightedPart<'_>>> = parts
            .iter()
            .map(|group| {
                group.iter().map(|(weight, scores)| WeightedPart { weight: *weight, scores }).collect()
            })
            .collect();
        let adapted: Vec<_> = scored
            .groups
            .iter()
            .map(|score| score.consistency.and_then(|p| self.adapted(p, score.rewards.len())))
            .collect();
        let mut batch = Vec::with_capacity(groups.len());
        for (((rollouts, score), parts), adapted) in
            groups.iter().zip(&scored.groups).zip(&weighted).zip(&adapted)
        {
            let group = RolloutGroup::new(rollouts, &score.rewards)
                .with_key(&score.key)
                .with_parts(parts)
                .with_hook(score.hook.as_ref());
            batch.push(match adapted {
                Some((scales, clips)) => group.with_scales(scales).with_clip_highs(clips),
                None => group,
            });
        }
        self.grpo.update_with(baselines, learner, reference, &batch, lr)
    }

    /// The scales and ε_high of a group whose self-consistency is `p`, one a completion; `None` without ADPO.
    ///
    /// ```
    /// use sparring_grpo::{Adpo, GrpoConfig};
    /// let updater = sparring_train::Updater::new(GrpoConfig::default().build()?).with_adpo(Some(Adpo::default()));
    /// let (scales, clips) = updater.adapted(0.3, 2).unwrap();
    /// assert_eq!((scales, clips.len()), (vec![0.6, 0.6], 2));
    /// # Ok::<(), sparring_grpo::GrpoError>(())
    /// ```
    pub fn adapted(&self, p: f64, completions: usize) -> Option<(Vec<f32>, Vec<f32>)> {
        let adpo = self.adpo?;
        let clip = adpo.clip_high(self.grpo.config().clip_high, p);
        Some((vec![adpo.scale(p) as f32; completions], vec![clip as f32; completions]))
    }

    /// A weight of a component that does not exist would be without effect.
    fn check_part_weights(&self, scored: &Scored) -> Result<(), GrpoError> {
        let names: BTreeSet<&String> =
            scored.groups.iter().flat_map(|group| &group.components).map(|(name, _)| name).collect();
        match self.part_weights.keys().find(|name| !names.contains(name)) {
            Some(name) if !names.is_empty() => {
                let what = format!(
                    "has no reward component {name:?}, which part_weights names; there are {names:?}"
                );
                Err(GrpoError::Group { group: 0, what })
            }
            _ => Ok(()),
        }
    }

    /// Weight and scores of each component of each group's reward, where the advantages are made of them.
    fn parts(&self, scored: &Scored) -> Vec<Vec<(f64, Vec<Option<f64>>)>> {
        if self.grpo.config().advantage != AdvantageKind::NormalizeThenSum {
            return vec![Vec::new(); scored.groups.len()];
        }
        let part = |(name, scores): &(String, Vec<Option<f32>>)| {
            let weight = self.part_weights.get(name).copied().unwrap_or(1.0);
            (weight, scores.iter().map(|score| score.map(f64::from)).collect())
        };
        scored.groups.iter().map(|group| group.components.iter().map(part).collect()).collect()
    }
}
