//! From settings that were checked to rewards.

use super::{RewardConfig, Tier};
use crate::accuracy::Accuracy;
use crate::repetition::Repetition;
use crate::solve_rate::SolveRate;
use crate::validity::CallValidity;
use crate::{BoxReward, Clamp, Constant, Gate, Mix, Product, Range, RewardError, Sum, Tiers, Weighted};
use sparring_tools::ToolTask;

/// Makes the rewards that are no compositions and need more of a task than that it is one.
type Leaf<'a, T> = &'a dyn Fn(&RewardConfig) -> Result<BoxReward<T>, RewardError>;

/// The reward of a tree; paths of errors start at its root.
pub(super) fn assemble<T: ?Sized + 'static>(
    config: &RewardConfig,
    leaf: Leaf<'_, T>,
) -> Result<BoxReward<T>, RewardError> {
    let inner = |config: &RewardConfig, path: &str| assemble(config, leaf).map_err(|e| e.within(path));
    let at = |i: usize| format!("parts[{i}]");
    Ok(match config {
        RewardConfig::Sum { name, parts } => {
            let mut each = parts.iter().enumerate();
            Box::new(each.try_fold(Sum::new(name), |sum, (i, part)| Ok(sum.with(inner(part, &at(i))?)))?)
        }
        RewardConfig::Product { name, parts } => {
            let mut each = parts.iter().enumerate();
            Box::new(each.try_fold(Product::new(name), |all, (i, part)| Ok(all.with(inner(part, &at(i))?)))?)
        }
        RewardConfig::Weighted { weight, reward } => {
            Box::new(Weighted::new(*weight, inner(reward, "reward")?))
        }
        RewardConfig::Mix { name, sigma, late, early } => {
            Box::new(Mix::new(*sigma, inner(late, "late")?, inner(early, "early")?).named(name))
        }
        RewardConfig::Gate { gate, reward } => {
            Box::new(Gate::new(inner(gate, "gate")?, inner(reward, "reward")?))
        }
        RewardConfig::Clamp { min, max, reward } => {
            let (min, max) = (min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY));
            Box::new(Clamp::new(min, max, inner(reward, "reward")?))
        }
        RewardConfig::Range { min, max, reward } => {
            Box::new(Range::new(*min, *max, inner(reward, "reward")?))
        }
        RewardConfig::Tiers { name, rows, otherwise } => {
            let mut tiers = Tiers::new(name);
            for (i, row) in rows.iter().enumerate() {
                let (when, then) = self::row(row, leaf).map_err(|e| e.within(&format!("rows[{i}]")))?;
                tiers = tiers.row(when, then);
            }
            match otherwise {
                Some(value) => Box::new(tiers.otherwise(Constant::new(*value))),
                None => Box::new(tiers),
            }
        }
        RewardConfig::Constant { value } => Box::new(Constant::new(*value)),
        RewardConfig::Tags(rules) => Box::new(rules.clone()),
        RewardConfig::Length(rules) => Box::new(rules.clone()),
        RewardConfig::ToolUse(rules) => Box::new(rules.clone()),
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
        of_calls => leaf(of_calls)?,
    })
}

/// A row's conditions, and what then counts.
#[allow(clippy::type_complexity)]
fn row<T: ?Sized + 'static>(
    row: &Tier,
    leaf: Leaf<'_, T>,
) -> Result<(Vec<BoxReward<T>>, BoxReward<T>), RewardError> {
    let condition = |(i, config)| assemble(config, leaf).map_err(|e| e.within(&format!("when[{i}]")));
    let when = row.when.iter().enumerate().map(condition).collect::<Result<_, _>>()?;
    let then: BoxReward<T> = match (&row.value, &row.reward) {
        (Some(value), None) => Box::new(Constant::new(*value)),
        (None, Some(reward)) => assemble(reward, leaf).map_err(|e| e.within("reward"))?,
        _ => return Err(RewardError::invalid("", "must have one of `value` and `reward`")),
    };
    Ok((when, then))
}

/// The rewards of a tool task's calls.
pub(super) fn of_calls(config: &RewardConfig) -> Result<BoxReward<ToolTask>, RewardError> {
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
        _ => return Err(RewardError::invalid("", "is no reward of calls")),
    })
}
