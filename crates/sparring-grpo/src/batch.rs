use crate::loss::{Objective, Token};
use sparring_core::{Rollout, TokenCotangents, TokenGroup, TokenLoss, TokenStats};
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
        .map(|part| TokenGroup {
            prompt: &part[0].rollout.prompt,
            completions: part.iter().map(|item| item.rollout.tokens.as_slice()).collect(),
        })
        .collect()
}

/// What one evaluation of the loss saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) tokens: usize,
    pub(crate) kl: f64,
    pub(crate) entropy: f64,
    pub(crate) clip_low: usize,
    pub(crate) clip_high: usize,
    pub(crate) ratio_min: f64,
    pub(crate) ratio_max: f64,
    pub(crate) fault: Option<Fault>,
}

/// Why a loss has no value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The backend passed slices of another length than the batch has tokens.
    Length,
    /// This item's numbers are not finite.
    NonFinite { item: usize, what: &'static str },
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            tokens: 0,
            kl: 0.0,
            entropy: 0.0,
            clip_low: 0,
            clip_high: 0,
            ratio_min: f64::INFINITY,
            ratio_max: 0.0,
            fault: None,
        }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.tokens += other.tokens;
        self.kl += other.kl;
        self.entropy += other.entropy;
        self.clip_low += other.clip_low;
        self.clip_high += other.clip_high;
        self.ratio_min = self.ratio_min.min(other.ratio_min);
        self.ratio_max = self.ratio_max.max(other.ratio_max);
        self.fault = self.fault.or(other.fault);
    }

    fn see(&mut self, ratio: f64, kl: f64, advantage: f64, objective: &Objective) {
        self.tokens += 1;
        self.kl += kl;
        self.clip_low += usize::from(ratio < 1.0 - objective.clip.low && advantage < 0.0);
        self.clip_high += usize::from(ratio > 1.0 + objective.clip.high && advantage > 0.0);
        self.ratio_min = self.ratio_min.min(ratio);
        self.ratio_max = self.ratio_max.max(ratio);
    }
}

/// The loss of one call of the learner.
#[derive(Debug)]
pub(crate) struct BatchLoss<'a> {
    items: &'a [Item<'a>],
    objective: Objective,
    /// Entropy coefficient over the tokens of the optimiser step; 0 asks for no entropies.
    entropy_weight: f64,
    /// Of the last evaluation: a backend may evaluate twice.
    tally: Mutex<Tally>,
}

impl<'a> BatchLoss<'a> {
    pub(crate) fn new(items: &'a [Item<'a>], objective: Objective, entropy_weight: f64) -> Self {
        Self { items, objective, entropy_weight, tally: Mutex::default() }
    }

    pub(crate) fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, stats: TokenStats<'_>, cotangents: TokenCotangents<'_>, tally: &mut Tally) -> f64 {
        let expected: usize = self.items.iter().map(|item| item.rollout.tokens.len()).sum();
        let entropies = stats.entropy.unwrap_or_default();
        let entropy_slots = cotangents.entropy.unwrap_or_default();
        let entropy_length = if self.needs_entropy() { expected } else { entropies.len() };
        if stats.logp.len() != expected
            || cotangents.logp.len() != expected
            || entropies.len() != entropy_length
            || entropy_slots.len() != entropies.len()
        {
            tally.fault = Some(Fault::Length);
            return f64::NAN;
        }
        let mut loss = 0.0;
        let mut at = 0;
        for (index, item) in self.items.iter().enumerate() {
            let here = at..at + item.rollout.tokens.len();
            at = here.end;
            let part = self.completion(item, &stats.logp[here.clone()], &mut cotangents.logp[here], tally);
            if !part.is_finite() {
                tally.fault = Some(Fault::NonFinite { item: index, what: "the loss" });
                return f64::NAN;
            }
            loss += part;
        }
        for (entropy, slot) in entropies.iter().zip(entropy_slots) {
            tally.entropy += f64::from(*entropy);
            loss -= self.entropy_weight * f64::from(*entropy);
            *slot = -self.entropy_weight as f32;
        }
        loss
    }

    fn completion(&self, item: &Item<'_>, logp: &[f32], slopes: &mut [f32], tally: &mut Tally) -> f64 {
        let mut sum = 0.0;
        for (t, (&logp, slope)) in logp.iter().zip(slopes).enumerate() {
            let at = |values: &Option<Vec<f32>>| values.as_ref().map(|v| f64::from(v[t]));
            let term = self.objective.token(Token {
                logp: f64::from(logp),
                old: at(&item.old),
                reference: at(&item.reference),
                advantage: item.advantage,
            });
            *slope = (item.weight * term.total.slope) as f32;
            // A cotangent that overflows is as bad as a loss that does.
            sum += if logp.is_finite() && slope.is_finite() { term.total.value } else { f64::NAN };
            tally.see(term.ratio, term.kl, item.advantage, &self.objective);
        }
        item.weight * sum
    }
}

impl TokenLoss for BatchLoss<'_> {
    fn evaluate(&self, stats: TokenStats<'_>, cotangents: TokenCotangents<'_>) -> f64 {
        let mut tally = Tally::default();
        let loss = self.run(stats, cotangents, &mut tally);
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner) = tally;
        loss
    }

    fn needs_entropy(&self) -> bool {
        self.entropy_weight > 0.0
    }
}
