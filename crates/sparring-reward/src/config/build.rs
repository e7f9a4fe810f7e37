//! Builds rewards from settings; each node is checked before it is built.

use super::check::schedule;
use super::{Builder, RewardConfig, Tier};
use crate::accuracy::Accuracy;
use crate::repetition::Repetition;
use crate::solve_rate::SolveRate;
use crate::validity::CallValidity;
use crate::{BoxReward, Clamp, Constant, Gate, Mix, Product, Range, RewardError, Sum, Tiers, Weighted};
use sparring_tools::ToolTask;
use std::any::Any;

impl<T: ?Sized + 'static> Builder<'_, T> {
    /// Builds the reward of a tree; paths in errors start at its root.
    pub(super) fn assemble(&self, config: &RewardConfig) -> Result<BoxReward<T>, RewardError> {
        config.check()?;
        Ok(match config {
            RewardConfig::Sum { name, parts } => {
                Box::new(self.rewards("parts", parts)?.into_iter().fold(Sum::new(name), Sum::with))
            }
            RewardConfig::Product { name, parts } => {
                Box::new(self.rewards("parts", parts)?.into_iter().fold(Product::new(name), Product::with))
            }
            RewardConfig::Weighted { weight, reward } => {
                Box::new(Weighted::new(*weight, self.reward("reward", reward)?))
            }
            RewardConfig::Mix { name, sigma, late, early } => {
                let (late, early) = (self.reward("late", late)?, self.reward("early", early)?);
                Box::new(Mix::new(*sigma, late, early).named(name))
            }
            RewardConfig::Gate { gate, reward } => {
                Box::new(Gate::new(self.reward("gate", gate)?, self.reward("reward", reward)?))
            }
            RewardConfig::Clamp { min, max, reward } => {
                let (min, max) = (min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY));
                Box::new(Clamp::new(min, max, self.reward("reward", reward)?))
            }
            RewardConfig::Range { min, max, reward } => {
                Box::new(Range::new(*min, *max, self.reward("reward", reward)?))
            }
            RewardConfig::Tiers { name, rows, otherwise } => {
                let mut tiers = Tiers::new(name);
                for (i, row) in rows.iter().enumerate() {
                    let (when, then) = self.row(row).map_err(|e| e.within(&format!("rows[{i}]")))?;
                    tiers = tiers.row(when, then);
                }
                match otherwise {
                    Some(value) => Box::new(tiers.otherwise(Constant::new(*value))),
                    None => Box::new(tiers),
                }
            }
            leaf => self.leaf(leaf)?,
        })
    }

    /// Builds a row's conditions and its reward.
    #[allow(clippy::type_complexity)]
    fn row(&self, row: &Tier) -> Result<(Vec<BoxReward<T>>, BoxReward<T>), RewardError> {
        let when = self.rewards("when", &row.when)?;
        let then: BoxReward<T> = match (&row.value, &row.reward) {
            (Some(value), None) => {
                schedule("value", value)?;
                Box::new(Constant::new(*value))
            }
            (None, Some(reward)) => self.reward("reward", reward)?,
            _ => return Err(RewardError::invalid("", "must have one of `value` and `reward`")),
        };
        Ok((when, then))
    }

    /// Builds a reward that is not a composition.
    fn leaf(&self, config: &RewardConfig) -> Result<BoxReward<T>, RewardError> {
        Ok(match config {
            RewardConfig::Constant { value } => Box::new(Constant::new(*value)),
            RewardConfig::Tags(rules) => Box::new(rules.clone()),
            RewardConfig::Length(rules) => Box::new(rules.clone()),
            RewardConfig::ToolUse(rules) => Box::new(rules.clone()),
            RewardConfig::NgramRepetition(rules) => Box::new(*rules),
            RewardConfig::Majority(rules) => Box::new(rules.clone()),
            RewardConfig::Present(rules) => Box::new(rules.clone()),
            RewardConfig::SolverFormat(rules) => Box::new(*rules),
            RewardConfig::Repetition { question, rules } => {
                let question = question.clone();
                let read = move |text: &str| question.of(text);
                Box::new(Repetition::new(read, *rules).map_err(|e| e.within("rules"))?)
            }
            RewardConfig::Band(band) => Box::new(SolveRate::band(*band)?),
            RewardConfig::SolveRate { shape } => Box::new(SolveRate::shaped(*shape)),
            RewardConfig::Custom(own) => self.0.make(own)?,
            of_calls => {
                let reward: Box<dyn Any> = Box::new(self::of_calls(of_calls)?);
                let needs = || RewardError::invalid("", "needs tool tasks");
                *reward.downcast::<BoxReward<T>>().map_err(|_| needs())?
            }
        })
    }
}

/// Builds the rewards of a tool task's calls.
fn of_calls(config: &RewardConfig) -> Result<BoxReward<ToolTask>, RewardError> {
    Ok(match config {
        RewardConfig::Ast(rule) => Box::new(rule.clone()),
        RewardConfig::Overlap(rule) => Box::new(rule.clone()),
        RewardConfig::MultiCall(rule) => Box::new(rule.clone()),
        RewardConfig::Names(rule) => Box::new(rule.clone()),
        RewardConfig::ValuePenalty(rule) => Box::new(rule.clone()),
        RewardConfig::Similarity(rule) => Box::new(rule.clone()),
        RewardConfig::ExtraCalls(rule) => Box::new(rule.clone()),
        RewardConfig::Readable(rule) => Box::new(rule.clone()),
        RewardConfig::ReferenceFormat(rule) => Box::new(*rule),
        RewardConfig::Accuracy { format, rules } => Box::new(Accuracy::new(format.0.parser(), *rules)),
        RewardConfig::Validity { format, rules } => Box::new(CallValidity::new(format.0.parser(), *rules)),
        _ => return Err(RewardError::invalid("", "is not a reward of calls")),
    })
}
