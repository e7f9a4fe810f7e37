use crate::GrpoConfig;
use crate::loss::{Objective, Sequence, SequenceLoss};
use crate::select::{high_covariance, high_entropy, keeps_sequence};
use crate::surrogate::Surrogate;
use crate::tally::{Fault, Tally};
use sparring_core::{Rollout, TokenGradients, TokenGroup, TokenLoss, TokenStats};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// One completion that has something to contribute.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) group: usize,
    pub(crate) completion: usize,
    pub(crate) rollout: &'a Rollout,
    pub(crate) advantage: f64,
    /// Normaliser of each of its tokens.
    pub(crate) weight: f64,
    /// Log-probabilities that the ratio is taken to; `None` where those are the current ones.
    pub(crate) old: Option<Vec<f32>>,
    /// Log-probabilities of the reference model; `None` without a KL term.
    pub(crate) reference: Option<Vec<f32>>,
    /// ε_high, where it is the completion's own.
    pub(crate) clip_high: Option<f64>,
    /// Tokens that an expert wrote.
    pub(crate) expert_prefix: usize,
}

/// Cuts items into calls of the learner of at most `budget` tokens, the prompt of a group counted once a
/// call. A group is split only where it does not fit into a call of its own.
pub(crate) fn micro_batches(items: &[Item<'_>], budget: usize) -> Vec<Range<usize>> {
    let mut calls: Vec<Range<usize>> = Vec::new();
    let mut used = 0;
    for part in items.chunk_by(|a, b| a.group == b.group) {
        let prompt = part[0].rollout.prompt.len();
        let whole = prompt + part.iter().map(|item| item.rollout.tokens.len()).sum::<usize>();
        let pieces = if whole <= budget { vec![(part.len(), whole)] } else { split(part, prompt, budget) };
        for (count, cost) in pieces {
            match calls.last_mut() {
                Some(call) if used + cost <= budget => {
                    call.end += count;
                    used += cost;
                }
                last => {
                    let start = last.map_or(0, |call| call.end);
                    calls.push(start..start + count);
                    used = cost;
                }
            }
        }
    }
    calls
}

/// Cuts one group into `(completions, tokens)` pieces within the budget; a piece has at least one completion.
fn split(part: &[Item<'_>], prompt: usize, budget: usize) -> Vec<(usize, usize)> {
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    for item in part {
        let length = item.rollout.tokens.len();
        match pieces.last_mut() {
            Some((count, cost)) if *cost + length <= budget => {
                *count += 1;
                *cost += length;
            }
            _ => pieces.push((1, prompt + length)),
        }
    }
    pieces
}

/// The items as groups for the backend: neighbours with the same prompt share it.
pub(crate) fn token_groups<'a>(items: &[Item<'a>]) -> Vec<TokenGroup<'a>> {
    items
        .chunk_by(|a, b| a.group == b.group)
        .map(|part| {
            TokenGroup::new(
                &part[0].rollout.prompt,
                part.iter().map(|item| item.rollout.tokens.as_slice()).collect(),
            )
        })
        .collect()
}

/// The loss of one call of the learner.
#[derive(Debug)]
pub(crate) struct BatchLoss<'a> {
    items: &'a [Item<'a>],
    config: &'a GrpoConfig,
    objective: Objective,
    /// Entropy coefficient over the tokens of the optimiser step.
    entropy_weight: f64,
    /// Of the last evaluation: a backend may evaluate twice.
    tally: Mutex<Tally>,
}

/// One completion's numbers in `f64`.
struct Row {
    logp: Vec<f64>,
    old: Option<Vec<f64>>,
    reference: Option<Vec<f64>>,
    counts: Vec<bool>,
    importance: Option<Vec<f64>>,
    selected: Option<Vec<bool>>,
    penalised: Option<Vec<bool>>,
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

impl<'a> BatchLoss<'a> {
    /// `tokens`: those that count in the optimiser step.
    pub(crate) fn new(items: &'a [Item<'a>], config: &'a GrpoConfig, tokens: usize) -> Self {
        let entropy_weight = config.entropy_coef / tokens.max(1) as f64;
        let mut objective = config.objective();
        if !config.kl_in_loss() {
            objective.kl_coef = 0.0;
        }
        Self { items, config, objective, entropy_weight, tally: Mutex::default() }
    }

    pub(crate) fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn row(&self, item: &Item<'_>, logp: &[f32]) -> Row {
        let logp = wide(logp);
        let old = item.old.as_deref().map(wide);
        let counts: Vec<bool> = (0..logp.len()).map(|t| item.rollout.wrote(t)).collect();
        let sampler = || wide(&item.rollout.logp);
        let importance = self
            .config
            .importance
            .map(|correction| correction.weights(old.as_ref().unwrap_or(&logp), &sampler(), |t| counts[t]));
        let selected = self.config.off_policy_threshold.map(|threshold| {
            let keeps = keeps_sequence(item.advantage, &sampler(), &logp, &counts, threshold);
            vec![keeps; logp.len()]
        });
        let reference = item.reference.as_deref().map(wide);
        Row { logp, old, reference, counts, importance, selected, penalised: None }
    }

    /// What is decided over all completions of the call.
    fn choose(&self, rows: &mut [Row], entropies: &[f32]) {
        let counts: Vec<bool> = rows.iter().flat_map(|row| row.counts.iter().copied()).collect();
        if self.config.top_entropy_share < 1.0 {
            let mut chosen =
                high_entropy(&wide(entropies), &counts, self.config.top_entropy_share).into_iter();
            for row in &mut *rows {
                let own: Vec<bool> = chosen.by_ref().take(row.logp.len()).collect();
                row.selected = Some(match row.selected.take() {
                    Some(before) => own.iter().zip(before).map(|(a, b)| *a && b).collect(),
                    None => own,
                });
            }
        }
        if let Surrogate::KlCov { share, .. } = self.objective.surrogate {
            let logp: Vec<f64> = rows.iter().flat_map(|row| row.logp.iter().copied()).collect();
            let advantages: Vec<f64> = self
                .items
                .iter()
                .flat_map(|item| std::iter::repeat_n(item.advantage, item.rollout.tokens.len()))
                .collect();
            let mut chosen = high_covariance(&advantages, &logp, &counts, share).into_iter();
            for row in rows {
                row.penalised = Some(chosen.by_ref().take(row.logp.len()).collect());
            }
        }
    }

    fn run(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>, tally: &mut Tally) -> f64 {
        let entropies = stats.entropy.unwrap_or_default();
        let entropy_slots = gradients.entropy.unwrap_or_default();
        if !self.fits(stats.logp.len(), gradients.logp.len(), entropies.len(), entropy_slots.len()) {
            tally.fault = Some(Fault::Length);
            return f64::NAN;
        }
        let mut rest = stats.logp;
        let mut rows: Vec<Row> = Vec::with_capacity(self.items.len());
        for item in self.items {
            let (own, others) = rest.split_at(item.rollout.tokens.len());
            rest = others;
            rows.push(self.row(item, own));
        }
        if let Some(item) = broken_entropy(&rows, entropies) {
            tally.fault = Some(Fault::NonFinite { item, what: "the entropy" });
            return f64::NAN;
        }
        self.choose(&mut rows, entropies);
        let mut loss = 0.0;
        let mut at = 0;
        for (index, (item, row)) in self.items.iter().zip(&rows).enumerate() {
            let here = at..at + row.logp.len();
            at = here.end;
            let part = self.completion(item, row, &mut gradients.logp[here.clone()], tally);
            if !part.is_finite() {
                tally.fault = Some(Fault::NonFinite { item: index, what: "the loss" });
                return f64::NAN;
            }
            loss += part;
            if self.needs_entropy() {
                loss -= self.entropy(&row.counts, &entropies[here.clone()], &mut entropy_slots[here], tally);
            }
        }
        loss
    }

    fn fits(&self, logp: usize, slopes: usize, entropies: usize, entropy_slots: usize) -> bool {
        let expected: usize = self.items.iter().map(|item| item.rollout.tokens.len()).sum();
        let entropy_length = if self.needs_entropy() { expected } else { entropies };
        logp == expected && slopes == expected && entropies == entropy_length && entropy_slots == entropies
    }

    fn completion(&self, item: &Item<'_>, row: &Row, slopes: &mut [f32], tally: &mut Tally) -> f64 {
        let mut objective = self.objective;
        objective.clip.high = item.clip_high.unwrap_or(objective.clip.high);
        let SequenceLoss { value, slopes: exact, ratios, kl } = objective.sequence(&Sequence {
            logp: &row.logp,
            old: row.old.as_deref(),
            reference: row.reference.as_deref(),
            counts: Some(&row.counts),
            selected: row.selected.as_deref(),
            penalised: row.penalised.as_deref(),
            importance: row.importance.as_deref(),
            expert_prefix: item.expert_prefix,
            advantage: item.advantage,
        });
        let mut finite = true;
        for (t, slope) in slopes.iter_mut().enumerate() {
            *slope = (item.weight * exact[t]) as f32;
            if row.counts[t] {
                tally.see(ratios[t], kl[t], item.advantage, objective.clip);
                // A gradient that overflows is as bad as a loss that does.
                finite &= row.logp[t].is_finite() && slope.is_finite();
            }
        }
        if finite { item.weight * value } else { f64::NAN }
    }

    /// The entropy bonus of one completion.
    fn entropy(&self, counts: &[bool], entropies: &[f32], slots: &mut [f32], tally: &mut Tally) -> f64 {
        let mut sum = 0.0;
        for ((&counts, &entropy), slot) in counts.iter().zip(entropies).zip(slots) {
            if counts {
                sum += f64::from(entropy);
                *slot = -self.entropy_weight as f32;
            }
        }
        tally.entropy += sum;
        self.entropy_weight * sum
    }
}

/// The first completion with an entropy that is not finite.
fn broken_entropy(rows: &[Row], entropies: &[f32]) -> Option<usize> {
    let mut rest = entropies;
    rows.iter().position(|row| {
        let (own, others) = rest.split_at(row.logp.len().min(rest.len()));
        rest = others;
        own.iter().zip(&row.counts).any(|(entropy, counts)| *counts && !entropy.is_finite())
    })
}

impl TokenLoss for BatchLoss<'_> {
    fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        let mut tally = Tally::default();
        let loss = self.run(stats, gradients, &mut tally);
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner) = tally;
        loss
    }

    fn needs_entropy(&self) -> bool {
        self.config.needs_entropy()
    }
}
