use serde::{Deserialize, Serialize};
use sparring_train::TrainError;
use sparring_train::check::{
    MOST, MOST_COMPLETIONS, MOST_TASKS, at_most, count, product, share, temperature,
};

/// The most attempts that verify a pool.
const MOST_ATTEMPTS: usize = 1_000_000_000;

/// Which verifying samples agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Agreement {
    /// Samples that solve the task: they agree with the gold answer.
    #[default]
    Gold,
    /// Samples that give the most frequent answer, if that answer solves the task; else 0.
    Majority,
}

/// The solve rates that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Keep {
    /// Least solve rate, in [0, 1].
    pub min_rate: f32,
    /// Greatest solve rate, in [0, 1].
    pub max_rate: f32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { min_rate: 0.1, max_rate: 1.0 }
    }
}

impl Keep {
    /// Whether a task of this solve rate is kept.
    pub fn contains(&self, rate: f32) -> bool {
        (self.min_rate..=self.max_rate).contains(&rate)
    }
}

/// Wanted shares of the difficulty buckets, and where the buckets begin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Mix {
    /// Weight of easy tasks, at least 0.
    pub easy: f32,
    /// Weight of medium tasks, at least 0.
    pub medium: f32,
    /// Weight of hard tasks, at least 0.
    pub hard: f32,
    /// A task is easy from this solve rate on.
    pub easy_from: f32,
    /// A task is hard below this solve rate.
    pub hard_below: f32,
}

impl Default for Mix {
    /// 20 % easy, 50 % medium, 30 % hard, as Tool-R0 selects.
    fn default() -> Self {
        Self { easy: 0.2, medium: 0.5, hard: 0.3, easy_from: 0.75, hard_below: 0.4 }
    }
}

/// Settings of the task pool. The defaults are Tool-R0's where the paper gives any (arXiv 2602.21320,
/// section 3.2): 10,000 candidates to 2,000 tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PoolConfig {
    /// Candidates that the Generator writes.
    pub candidates: usize,
    /// Candidates that it writes for each specification, at least 1: they share a prompt, which is computed once.
    pub per_spec: usize,
    /// Its temperature.
    pub temperature: f32,
    /// Of the proposals of one specification, so many are kept: those of the largest log-probability per token by the
    /// Generator without its hook. A grammar can force a model into texts that it would not write. By default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likeliest: Option<usize>,
    /// Least log-probability per token, in nats, by the Generator without its hook. By default any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_likelihood: Option<f32>,
    /// Of these, those are kept that their specification makes likelier, by so many nats, than the
    /// [contrast](sparring_core::Game::contrast_prompt) does, by the Generator without its hook. By default any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_relevance: Option<f32>,
    /// Whether tasks of earlier iterations' pools count as duplicates.
    pub dedup_earlier: bool,
    /// The first iteration whose candidates the Solver attempts. Candidates of earlier iterations are taken unverified,
    /// with a solve rate of 0: a base model that solves nothing would verify nothing.
    pub verify_from: usize,
    /// Samples of the Solver that verify a candidate.
    pub verify_samples: usize,
    /// Their temperature.
    pub verify_temperature: f32,
    /// Cross-verification: least share of the samples that agree, in [0, 1].
    pub min_agreement: f32,
    /// Which samples agree.
    pub agreement: Agreement,
    /// The solve rates that are kept.
    pub keep: Keep,
    /// The wanted difficulty mix.
    pub mix: Mix,
    /// Maximum number of tasks in the pool.
    pub size: usize,
    /// Whether every stratum gets an equal share, as far as it has tasks.
    pub balance: bool,
    /// Share of the pool that was proposed for earlier iterations' pools, in [0, 1].
    pub replay: f32,
    /// Share of the pool that is derived ([`Game::derive`](sparring_core::Game::derive)), in [0, 1].
    pub derived_share: f32,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            candidates: 10_000,
            per_spec: 1,
            temperature: 0.7,
            likeliest: None,
            min_likelihood: None,
            min_relevance: None,
            dedup_earlier: true,
            verify_from: 1,
            verify_samples: 10,
            verify_temperature: 0.7,
            min_agreement: 0.2,
            agreement: Agreement::default(),
            keep: Keep::default(),
            mix: Mix::default(),
            size: 2_000,
            balance: true,
            replay: 0.0,
            derived_share: 0.0,
        }
    }
}

impl PoolConfig {
    /// Whether proposals are ranked by their likelihood.
    pub(crate) fn ranks(&self) -> bool {
        self.likeliest.is_some() || self.min_likelihood.is_some() || self.min_relevance.is_some()
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), TrainError> {
        count("pool.per_spec", self.per_spec, 1, MOST_COMPLETIONS)?;
        count("pool.candidates", self.candidates, 1, MOST_TASKS)?;
        if let Some(likeliest) = self.likeliest {
            count("pool.likeliest", likeliest, 1, MOST_TASKS)?;
        }
        for (field, least) in [("likelihood", self.min_likelihood), ("relevance", self.min_relevance)] {
            if let Some(least) = least.filter(|least| !least.is_finite()) {
                let field = format!("pool.min_{field}");
                return Err(TrainError::setting(field, least, "must be a finite number"));
            }
        }
        at_most("pool.verify_from", self.verify_from, MOST)?;
        count("pool.verify_samples", self.verify_samples, 1, MOST_COMPLETIONS)?;
        let candidates = ("pool.candidates", self.candidates);
        product(&[candidates, ("pool.verify_samples", self.verify_samples)], MOST_ATTEMPTS)?;
        count("pool.size", self.size, 1, MOST_TASKS)?;
        temperature("pool.temperature", self.temperature)?;
        temperature("pool.verify_temperature", self.verify_temperature)?;
        share("pool.min_agreement", self.min_agreement)?;
        share("pool.keep.min_rate", self.keep.min_rate)?;
        share("pool.keep.max_rate", self.keep.max_rate)?;
        share("pool.mix.easy_from", self.mix.easy_from)?;
        share("pool.mix.hard_below", self.mix.hard_below)?;
        share("pool.replay", self.replay)?;
        share("pool.derived_share", self.derived_share)?;
        if self.keep.min_rate > self.keep.max_rate {
            return Err(TrainError::setting(
                "pool.keep.min_rate",
                self.keep.min_rate,
                "must not exceed pool.keep.max_rate",
            ));
        }
        if self.mix.hard_below > self.mix.easy_from {
            return Err(TrainError::setting(
                "pool.mix.hard_below",
                self.mix.hard_below,
                "must not exceed pool.mix.easy_from",
            ));
        }
        let weights = [
            ("pool.mix.easy", self.mix.easy),
            ("pool.mix.medium", self.mix.medium),
            ("pool.mix.hard", self.mix.hard),
        ];
        for (field, weight) in weights {
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(TrainError::setting(field, weight, "must be a finite number, at least 0"));
            }
        }
        if weights.iter().all(|(_, w)| *w == 0.0) {
            return Err(TrainError::setting(
                "pool.mix.easy",
                0.0,
                "one of pool.mix.{easy,medium,hard} must be positive",
            ));
        }
        if self.replay + self.derived_share >= 1.0 {
            return Err(TrainError::setting(
                "pool.replay",
                self.replay,
                "pool.replay + pool.derived_share must be below 1, to leave room for new tasks",
            ));
        }
        Ok(())
    }
}
