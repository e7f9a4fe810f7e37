use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The kind of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Supervised, on gold answers.
    Supervised,
    /// Reinforcement learning, on the model's own answers and their rewards.
    Reinforced,
}

/// The record of one update in `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StepRecord {
    /// Index of the update, from 0, over both stages.
    pub step: usize,
    /// The kind of the update.
    pub stage: Stage,
    /// Learning rate.
    pub lr: f64,
    /// σ, the weight of the strict reward, in [0, 1]; 1 if the reward does not move. Supervised updates have neither
    /// this nor the fields below, except the loss.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sigma: Option<f64>,
    /// Mean reward.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reward: Option<f64>,
    /// Mean of each component with the arm's weights; they add up to the reward if all apply.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub components: BTreeMap<String, f64>,
    /// Mean of every component without weights, including those that the arm's reward does not use, to compare arms.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub measured: BTreeMap<String, f64>,
    /// Share of the answers that solve their task.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub solved: Option<f64>,
    /// Mean length of the answers, tokens.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub length: Option<f64>,
    /// Mean length of the reasoning, characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub thought: Option<f64>,
    /// Share of zero-advantage groups, whose answers all have the same reward.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub zero_advantage_groups: Option<f64>,
    /// Loss; for a supervised update the mean negative log-likelihood of a token, nats.
    pub loss: f64,
    /// Norm of the gradient.
    pub grad_norm: f64,
}

impl StepRecord {
    pub(super) fn new(step: usize, stage: Stage, lr: f64) -> Self {
        Self {
            step,
            stage,
            lr,
            sigma: None,
            reward: None,
            components: BTreeMap::new(),
            measured: BTreeMap::new(),
            solved: None,
            length: None,
            thought: None,
            zero_advantage_groups: None,
            loss: 0.0,
            grad_norm: 0.0,
        }
    }
}
