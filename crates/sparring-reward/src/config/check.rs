//! Validation of settings, with their paths.

use super::RewardConfig;
use crate::{RewardError, Schedule};

type Checked = Result<(), RewardError>;

fn finite(setting: &str, value: f64) -> Checked {
    check(setting, value.is_finite(), "must be a finite number")
}

fn at_least_0(setting: &str, value: f64) -> Checked {
    check(setting, value.is_finite() && value >= 0.0, "must be a finite number, at least 0")
}

fn check(setting: &str, right: bool, what: &str) -> Checked {
    if right { Ok(()) } else { Err(RewardError::invalid(setting, what)) }
}

pub(super) fn schedule(setting: &str, schedule: &Schedule) -> Checked {
    schedule.validate().map_err(|e| e.within(setting))
}

/// The two ends of a schedule.
fn ends(schedule: &Schedule) -> [f64; 2] {
    match *schedule {
        Schedule::Constant(value) => [value; 2],
        Schedule::Linear { from, to }
        | Schedule::Ramp { from, to, .. }
        | Schedule::Cosine { from, to }
        | Schedule::Sigmoid { from, to, .. } => [from, to],
        Schedule::Step { before, after, .. } => [before, after],
    }
}

impl RewardConfig {
    /// Checks this node's own settings; its children are checked when they are built.
    pub(super) fn check(&self) -> Checked {
        match self {
            Self::Sum { name, parts } | Self::Product { name, parts } => {
                check("name", !name.is_empty(), "must not be empty")?;
                check("parts", !parts.is_empty(), "must have at least one part")
            }
            Self::Weighted { weight, .. } => schedule("weight", weight),
            Self::Mix { name, sigma, .. } => {
                check("name", !name.is_empty(), "must not be empty")?;
                schedule("sigma", sigma)?;
                let share = ends(sigma).iter().all(|end| (0.0..=1.0).contains(end));
                check("sigma", share, "must stay in [0, 1]")
            }
            Self::Clamp { min, max, .. } => {
                let (low, high) = (min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY));
                check("min", low <= high, "must be a number, and at most `max`")
            }
            Self::Range { min, max, .. } => {
                schedule("min", min)?;
                schedule("max", max)
            }
            Self::Tiers { name, otherwise, .. } => {
                check("name", !name.is_empty(), "must not be empty")?;
                otherwise.iter().try_for_each(|value| schedule("otherwise", value))
            }
            Self::Constant { value } => schedule("value", value),
            leaf => leaf.check_leaf(),
        }
    }

    /// Checks a node without children.
    fn check_leaf(&self) -> Checked {
        match self {
            Self::Tags(rule) => {
                finite("pass", rule.pass)?;
                finite("fail", rule.fail)?;
                rule.validate()
            }
            Self::Length(rule) => {
                schedule("target", &rule.target)?;
                let positive = ends(&rule.target).iter().all(|end| *end > 0.0);
                check("target", positive, "must stay above 0")
            }
            Self::ToolUse(rule) => {
                check("mark", !rule.mark.is_empty(), "must not be empty")?;
                finite("each", rule.each)
            }
            Self::NgramRepetition(rule) => rule.validate(),
            Self::Repetition { rules, .. } => rules.validate().map_err(|e| e.within("rules")),
            Self::Band(band) => band.validate(),
            Self::SolverFormat(rules) => {
                finite("tag", rules.tag)?;
                finite("parse", rules.parse)?;
                finite("norm", rules.norm)
            }
            Self::Ast(rule) => {
                finite("pass", rule.pass)?;
                finite("fail", rule.fail)
            }
            Self::Present(rule) => {
                finite("pass", rule.pass)?;
                finite("fail", rule.fail)
            }
            Self::ReferenceFormat(rule) => {
                finite("pass", rule.pass)?;
                finite("fail", rule.fail)
            }
            Self::Overlap(rule) => finite("offset", rule.offset),
            Self::MultiCall(rule) => {
                check("min_calls", rule.min_calls > 0, "must be at least 1")?;
                finite("bonus", rule.bonus)
            }
            Self::ValuePenalty(rule) => at_least_0("each", rule.each),
            Self::ExtraCalls(rule) => at_least_0("alpha", rule.alpha),
            Self::Accuracy { rules, .. } => at_least_0("rules.extra_call_penalty", rules.extra_call_penalty),
            Self::Validity { rules, .. } => {
                finite("rules.tool_list", rules.tool_list)?;
                finite("rules.required", rules.required)?;
                finite("rules.values", rules.values)
            }
            _ => Ok(()),
        }
    }
}
