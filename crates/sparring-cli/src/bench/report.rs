//! What was measured, as JSON.

use crate::bench::settings::Settings;
use crate::bench::step::Timed;
use serde::Serialize;
use sparring::train::summary::peak_rss_mib;

/// The line on standard output. Times are medians over the measured steps, in seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    program: &'static str,
    version: &'static str,
    settings: Settings,
    /// Those that are trained.
    parameters: usize,
    micro: usize,
    pub(crate) step_s: f64,
    pub(crate) rollout_s: f64,
    pub(crate) train_s: f64,
    pub(crate) rollout_tok_s: f64,
    pub(crate) train_tok_s: f64,
    /// `None` where the system does not say.
    pub(crate) peak_rss_mib: Option<f64>,
    warm_up_step_s: f64,
    pub(crate) per_step: PerStep,
}

/// The measured steps, one after the other.
#[derive(Debug, Serialize)]
pub(crate) struct PerStep {
    step_s: Vec<f64>,
    rollout_s: Vec<f64>,
    train_s: Vec<f64>,
    pub(crate) reward: Vec<f64>,
    entropy: Vec<Option<f64>>,
    grad_norm: Vec<f64>,
}

impl Report {
    /// `steps` begin with the one that warmed up.
    pub(crate) fn new(settings: &Settings, parameters: usize, steps: &[Timed]) -> Self {
        let (warm_up, measured) = steps.split_at(1);
        let all = |value: fn(&Timed) -> f64| measured.iter().map(value).collect::<Vec<_>>();
        let per_step = PerStep {
            step_s: all(|step| step.step_s),
            rollout_s: all(|step| step.rollout_s),
            train_s: all(|step| step.train_s),
            reward: all(|step| step.reward),
            entropy: measured.iter().map(|step| step.entropy).collect(),
            grad_norm: all(|step| step.grad_norm),
        };
        let (rollout_s, train_s) = (median(&per_step.rollout_s), median(&per_step.train_s));
        let completions = settings.completions() as f64;
        let (prompt, completion) = (settings.prompt_tokens as f64, settings.completion_tokens as f64);
        Self {
            program: "sparring",
            version: env!("CARGO_PKG_VERSION"),
            settings: settings.clone(),
            parameters,
            micro: settings.micro(),
            step_s: median(&per_step.step_s),
            rollout_s,
            train_s,
            rollout_tok_s: completions * completion / rollout_s,
            train_tok_s: completions * (prompt + completion) / train_s,
            peak_rss_mib: Some(peak_rss_mib()).filter(|mib| *mib > 0.0),
            warm_up_step_s: warm_up.iter().map(|step| step.step_s).sum(),
            per_step,
        }
    }
}

/// The middle value, or the mean of the two middle ones; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len() / 2, sorted.len() % 2) {
        (0, 0) => 0.0,
        (half, 0) => f64::midpoint(sorted[half - 1], sorted[half]),
        (half, _) => sorted[half],
    }
}
