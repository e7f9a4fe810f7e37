use super::proposal::Proposal;
use super::spec::TaskSpec;
use crate::RecipeError;
use serde::{Deserialize, Serialize};
use sparring_core::{BoxError, Component, Reward, RewardContext, Rollout, sum_components};
use sparring_reward::format::GeneratorFormat;
use sparring_reward::repetition::{Repetition, RepetitionSettings};
use sparring_reward::semantic::{Judge, semantic};
use sparring_reward::solve_rate::Band;
use sparring_reward::validity::{RequestedCounts, ValiditySettings};
use sparring_tools::ToolTask;
use std::fmt;

/// What happens to the semantic term's weight without a judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WithoutJudge {
    /// It is added to the weight of the difficulty, so that the curriculum keeps its weight; unless that weight is 0.
    #[default]
    AddToDifficulty,
    /// It is dropped, which reduces the weight of the curriculum.
    Drop,
}

/// Settings of [`GeneratorReward`]. Weights are at least 0; a term with weight 0 is not computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct GeneratorRewardConfig {
    /// Weight of the format in [0, 1]; 3 gives the sum of equation 1.
    pub format: f32,
    /// Weight of the validity, equation 2.
    pub validity: f32,
    /// Weight of the difficulty, equation 4.
    pub difficulty: f32,
    /// Weight of the judge's rating in [0, 1].
    pub semantic: f32,
    /// What happens to the semantic term's weight without a judge.
    pub without_judge: WithoutJudge,
    /// Weight of being accepted as a task by the game (structure, the requested numbers). It needs probes: a proposal
    /// that could be probed was accepted. 0 as in the paper, where a duplicate tool, say, only costs a proposal its
    /// difficulty term.
    pub accepted: f32,
    /// How the format is scored; its rules for the question gate every term.
    pub format_rules: GeneratorFormat,
    /// How the validity is scored.
    pub validity_rules: ValiditySettings,
    /// The target band of solve rates.
    pub band: Band,
    /// A penalty for similar questions; none by default, as in Tool-R0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition: Option<RepetitionSettings>,
}

impl Default for GeneratorRewardConfig {
    fn default() -> Self {
        Self {
            format: 1.0,
            validity: 1.0,
            difficulty: 0.5,
            semantic: 0.5,
            without_judge: WithoutJudge::default(),
            accepted: 0.0,
            format_rules: GeneratorFormat::default(),
            validity_rules: ValiditySettings::default(),
            band: Band::default(),
            repetition: None,
        }
    }
}

impl GeneratorRewardConfig {
    /// Returns the behaviour of Tool-R0's released code (commit fd222c7).
    pub fn released() -> Self {
        Self {
            format_rules: GeneratorFormat::released(),
            validity_rules: ValiditySettings::released(),
            ..Self::default()
        }
    }
}

/// The Generator's reward (arXiv 2602.21320, equations 1 to 5, with the released code's normalisation):
///
/// ```text
/// r = gate · (w_f·r_fmt + w_v·r_valid + w_d·r_diff + w_s·r_sem + w_a·[accepted]) − repetition
/// ```
///
/// The gate is 0 if a block is missing, or the question is too short or echoes the prompt. A proposal that was not
/// probed although others were has difficulty 0: it could not be read as a task. Components, weighted: `format`,
/// `validity`, `difficulty`, `semantic`, `accepted`, `repetition`; those that apply add up to the score.
pub struct GeneratorReward {
    config: GeneratorRewardConfig,
    repetition: Option<Repetition<Question>>,
    judge: Option<Box<dyn Judge>>,
}

impl fmt::Debug for GeneratorReward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratorReward")
            .field("config", &self.config)
            .field("judge", &self.judge.is_some())
            .finish_non_exhaustive()
    }
}

/// The solve rate of a proposal, if known.
#[derive(Clone, Copy)]
enum Probe {
    /// Nothing is probed in this run.
    Off,
    /// This proposal was not probed, because it could not be read.
    Missed,
    /// Share of the Solver's samples that solved it.
    Rate(f32),
}

/// Extracts the question from a completion.
type Question = fn(&str) -> Option<String>;

/// The weighted terms of one completion, in the order of [`TERMS`].
type Terms = [Option<f32>; 6];

const TERMS: [&str; 6] = ["format", "validity", "difficulty", "semantic", "accepted", "repetition"];

impl GeneratorReward {
    /// Returns a reward with these settings, without a judge.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field.
    pub fn new(config: GeneratorRewardConfig) -> Result<Self, RecipeError> {
        for (field, weight) in [
            ("format", config.format),
            ("validity", config.validity),
            ("difficulty", config.difficulty),
            ("semantic", config.semantic),
            ("accepted", config.accepted),
        ] {
            super::check_weight(&format!("generator_reward.{field}"), weight)?;
        }
        config.band.validate().map_err(|error| error.within("generator_reward.band"))?;
        let question: Question = |text| Proposal::parse(text).question;
        let repetition = config
            .repetition
            .map(|settings| Repetition::new(question, settings))
            .transpose()
            .map_err(|error| error.within("generator_reward.repetition"))?;
        Ok(Self { config, repetition, judge: None })
    }

    /// Adds a judge of a proposal's quality.
    #[must_use]
    pub fn with_judge(mut self, judge: impl Judge + 'static) -> Self {
        self.judge = Some(Box::new(judge));
        self
    }

    fn terms(
        &self,
        spec: &TaskSpec,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Terms>, BoxError> {
        let rates = ctx.solve_rates;
        if !rates.is_empty() && rates.len() != group.len() {
            return Err(format!("{} solve rates for {} completions", rates.len(), group.len()).into());
        }
        let repetition = match &self.repetition {
            Some(penalty) => penalty.score(spec, group, ctx)?,
            None => vec![None; group.len()],
        };
        group
            .iter()
            .enumerate()
            .map(|(i, rollout)| {
                let probe = match rates.get(i) {
                    None => Probe::Off,
                    Some(None) => Probe::Missed,
                    Some(Some(rate)) => Probe::Rate(*rate),
                };
                let [format, validity, difficulty, semantic, accepted] =
                    self.proposal_terms(spec, &rollout.text, probe)?;
                Ok([format, validity, difficulty, semantic, accepted, repetition[i]])
            })
            .collect()
    }

    /// Format, validity, difficulty, semantic term and acceptance.
    fn proposal_terms(
        &self,
        spec: &TaskSpec,
        text: &str,
        probe: Probe,
    ) -> Result<[Option<f32>; 5], BoxError> {
        let c = &self.config;
        let parts = c.format_rules.parts(text);
        let task = if parts.tags && parts.question { read(spec, text) } else { None };
        let requested = RequestedCounts { tools: spec.tools, calls: spec.calls, arguments: spec.arguments };
        let validity = task.as_ref().map_or(0.0, |task| c.validity_rules.score(task, Some(requested)));
        let difficulty = match (probe, &task) {
            (Probe::Off, _) => None,
            (Probe::Rate(rate), Some(_)) => Some(c.band.evaluate(f64::from(rate))),
            _ => Some(0.0),
        };
        let semantic = match (&self.judge, &task) {
            (Some(judge), Some(task)) if c.semantic > 0.0 => judge.rate(task)?.map(semantic).transpose()?,
            (Some(_), None) if c.semantic > 0.0 => Some(0.0),
            _ => None,
        };
        let accepted = match (probe, &task) {
            (Probe::Off, _) => None,
            (Probe::Rate(_), Some(_)) => Some(1.0),
            _ => Some(0.0),
        };
        let weighted =
            |weight: f32, term: Option<f64>| term.filter(|_| weight > 0.0).map(|term| weight * term as f32);
        Ok([
            weighted(c.format, Some(parts.score())),
            weighted(c.validity, Some(validity)),
            weighted(self.difficulty_weight(), difficulty),
            weighted(c.semantic, semantic),
            weighted(c.accepted, accepted),
        ])
    }

    fn difficulty_weight(&self) -> f32 {
        let c = &self.config;
        let added = c.without_judge == WithoutJudge::AddToDifficulty;
        if self.judge.is_none() && added && c.difficulty > 0.0 {
            c.difficulty + c.semantic
        } else {
            c.difficulty
        }
    }
}

/// Returns the proposal as a task, if all of it can be read.
fn read(spec: &TaskSpec, text: &str) -> Option<ToolTask> {
    let proposal = Proposal::parse(text);
    Some(ToolTask {
        question: proposal.question?,
        tools: proposal.tools.ok()?,
        calls: proposal.calls.ok()?,
        domain: spec.domain.clone(),
    })
}

impl Reward<TaskSpec> for GeneratorReward {
    fn name(&self) -> &'static str {
        "tool_r0_generator"
    }

    fn score(
        &self,
        spec: &TaskSpec,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        let components = self.components(spec, group, ctx)?;
        Ok(sum_components(self.name(), &components, group.len())?)
    }

    fn components(
        &self,
        spec: &TaskSpec,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let terms = self.terms(spec, group, ctx)?;
        let column = |i: usize| terms.iter().map(|terms| terms[i]).collect::<Vec<_>>();
        Ok(TERMS
            .iter()
            .enumerate()
            .map(|(i, name)| ((*name).to_owned(), column(i)))
            .filter(|(_, scores)| scores.iter().any(Option::is_some))
            .collect())
    }
}
