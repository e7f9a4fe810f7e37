use crate::GrpoConfig;
use crate::loss::{Objective, Sequence, SequenceLoss};
use crate::select::{high_covariance, high_entropy, keeps_sequence};
use crate::surrogate::Surrogate;
use crate::tally::{Fault, Tally};
use sparring_core::{Hook, Rollout, TokenGradients, TokenGroup, TokenLoss, TokenStats};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// One completion that contributes to a step.
#[derive(Debug)]
pub(crate) struct LearnedCompletion<'a> {
    /// Index of its group in the update.
    pub(crate) group: usize,
    /// Its index in the group.
    pub(crate) index: usize,
    pub(crate) rollout: &'a Rollout,
    pub(crate) advantage: f64,
    /// Normalisation weight of each of its tokens.
    pub(crate) weight: f64,
    /// Log-probabilities in the ratio's denominator; `None` if they are the current ones.
    pub(crate) old: Option<Vec<f32>>,
    /// Log-probabilities of the reference model; `None` without a KL term.
    pub(crate) reference: Option<Vec<f32>>,
    /// The completion's own ε_high, if it has one.
    pub(crate) clip_high: Option<f64>,
    /// Tokens that an expert wrote.
    pub(crate) expert_prefix: usize,
    /// The hook that its log-probabilities are computed under.
    pub(crate) hook: Option<&'a Hook>,
}

/// Neighbouring completions of one prompt that learn together.
pub(crate) struct Piece<'a> {
    pub(crate) prompt: &'a [u32],
    /// Number of completions.
    pub(crate) count: usize,
    /// Number of their tokens.
    pub(crate) tokens: usize,
}

/// Splits completions into micro-batches of at most `budget` tokens, counted as by [`pack`]. A group is split only if
/// it does not fit into a micro-batch of its own.
pub(crate) fn micro_batches(completions: &[LearnedCompletion<'_>], budget: usize) -> Vec<Range<usize>> {
    let groups = completions.chunk_by(|a, b| a.group == b.group);
    let pieces = groups.flat_map(|group| {
        let prompt: &[u32] = &group[0].rollout.prompt;
        let tokens = group.iter().map(|completion| completion.rollout.tokens.len()).sum::<usize>();
        if prompt.len() + tokens <= budget {
            vec![Piece { prompt, count: group.len(), tokens }]
        } else {
            split(group, prompt, budget)
        }
    });
    pack(pieces, budget)
}

/// Packs neighbouring pieces into ranges of completions with at most `budget` tokens; a larger piece is a range of its
/// own.
///
/// What a prompt has in common with the prompt before it, from the start, is not counted again, since a backend can
/// compute it once.
pub(crate) fn pack<'a>(pieces: impl IntoIterator<Item = Piece<'a>>, budget: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut used = 0;
    let mut before: &[u32] = &[];
    for Piece { prompt, count, tokens } in pieces {
        let whole = prompt.len() + tokens;
        let more = whole - before.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        match ranges.last_mut() {
            Some(range) if used + more <= budget => {
                range.end += count;
                used += more;
            }
            last => {
                let start = last.map_or(0, |range| range.end);
                ranges.push(start..start + count);
                used = whole;
            }
        }
        before = prompt;
    }
    ranges
}

/// Splits one group into pieces within the budget; a piece has at least one completion.
fn split<'a>(group: &[LearnedCompletion<'_>], prompt: &'a [u32], budget: usize) -> Vec<Piece<'a>> {
    let mut pieces: Vec<Piece<'a>> = Vec::new();
    for completion in group {
        let length = completion.rollout.tokens.len();
        match pieces.last_mut() {
            Some(piece) if prompt.len() + piece.tokens + length <= budget => {
                piece.count += 1;
                piece.tokens += length;
            }
            _ => pieces.push(Piece { prompt, count: 1, tokens: length }),
        }
    }
    pieces
}

/// Returns the completions as groups for the backend: neighbours with the same prompt share it.
pub(crate) fn token_groups<'a>(completions: &[LearnedCompletion<'a>]) -> Vec<TokenGroup<'a>> {
    completions
        .chunk_by(|a, b| a.group == b.group)
        .map(|group| {
            let completions = group.iter().map(|completion| completion.rollout.tokens.as_slice()).collect();
            TokenGroup::new(&group[0].rollout.prompt, completions).with_hook(group[0].hook)
        })
        .collect()
}

/// The loss of one micro-batch.
#[derive(Debug)]
pub(crate) struct MicroBatchLoss<'a> {
    completions: &'a [LearnedCompletion<'a>],
    config: &'a GrpoConfig,
    objective: Objective,
    /// Entropy coefficient over the tokens of the optimiser step.
    entropy_weight: f64,
    /// The tally of the last evaluation only, since a backend may evaluate twice.
    tally: Mutex<Tally>,
}

/// One completion's numbers in `f64`.
struct CompletionValues {
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

impl<'a> MicroBatchLoss<'a> {
    /// `tokens`: the number of tokens that count in the optimiser step.
    pub(crate) fn new(
        completions: &'a [LearnedCompletion<'a>],
        config: &'a GrpoConfig,
        tokens: usize,
    ) -> Self {
        let entropy_weight = config.entropy_coef / tokens.max(1) as f64;
        let objective = config.objective();
        Self { completions, config, objective, entropy_weight, tally: Mutex::default() }
    }

    pub(crate) fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn row(&self, completion: &LearnedCompletion<'_>, logp: &[f32]) -> CompletionValues {
        let logp = wide(logp);
        let old = completion.old.as_deref().map(wide);
        let counts: Vec<bool> = (0..logp.len()).map(|t| completion.rollout.wrote(t)).collect();
        let sampler = || wide(&completion.rollout.logp);
        let importance = self
            .config
            .importance
            .map(|correction| correction.weights(old.as_ref().unwrap_or(&logp), &sampler(), |t| counts[t]));
        let selected = self.config.off_policy_threshold.map(|threshold| {
            let keeps = keeps_sequence(completion.advantage, &sampler(), &logp, &counts, threshold);
            vec![keeps; logp.len()]
        });
        let reference = completion.reference.as_deref().map(wide);
        CompletionValues { logp, old, reference, counts, importance, selected, penalised: None }
    }

    /// Decides what is decided over all completions of the micro-batch.
    fn choose(&self, rows: &mut [CompletionValues], entropies: &[f32]) {
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
                .completions
                .iter()
                .flat_map(|completion| {
                    std::iter::repeat_n(completion.advantage, completion.rollout.tokens.len())
                })
                .collect();
            let mut chosen = high_covariance(&advantages, &logp, &counts, share).into_iter();
            for row in rows {
                row.penalised = Some(chosen.by_ref().take(row.logp.len()).collect());
            }
        }
    }

    fn run(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>, tally: &mut Tally) -> f64 {
        let entropies = stats.entropy.unwrap_or_default();
        let entropy_gradients = gradients.entropy.unwrap_or_default();
        if !self.fits(stats.logp.len(), gradients.logp.len(), entropies.len(), entropy_gradients.len()) {
            tally.fault = Some(Fault::Length);
            return f64::NAN;
        }
        let mut rest = stats.logp;
        let mut rows: Vec<CompletionValues> = Vec::with_capacity(self.completions.len());
        for completion in self.completions {
            let (own, others) = rest.split_at(completion.rollout.tokens.len());
            rest = others;
            tally.drift.see(completion.rollout, completion.expert_prefix, own);
            let old = completion.old.as_deref().unwrap_or_default();
            tally.moved.compare(completion.rollout, completion.expert_prefix, old, own);
            rows.push(self.row(completion, own));
        }
        if let Some(place) = broken_entropy(&rows, entropies) {
            tally.fault = Some(Fault::NonFinite { place, what: "the entropy" });
            return f64::NAN;
        }
        self.choose(&mut rows, entropies);
        let mut loss = 0.0;
        let mut at = 0;
        for (place, (completion, row)) in self.completions.iter().zip(&rows).enumerate() {
            let here = at..at + row.logp.len();
            at = here.end;
            let part = self.completion_loss(completion, row, &mut gradients.logp[here.clone()], tally);
            if !part.is_finite() {
                tally.fault = Some(Fault::NonFinite { place, what: "the loss" });
                return f64::NAN;
            }
            loss += part;
            if self.needs_entropy() {
                loss -=
                    self.entropy(&row.counts, &entropies[here.clone()], &mut entropy_gradients[here], tally);
            }
        }
        loss
    }

    fn fits(&self, logp: usize, gradients: usize, entropies: usize, entropy_gradients: usize) -> bool {
        let expected: usize = self.completions.iter().map(|completion| completion.rollout.tokens.len()).sum();
        let entropy_length = if self.needs_entropy() { expected } else { entropies };
        logp == expected
            && gradients == expected
            && entropies == entropy_length
            && entropy_gradients == entropies
    }

    fn completion_loss(
        &self,
        completion: &LearnedCompletion<'_>,
        row: &CompletionValues,
        gradients: &mut [f32],
        tally: &mut Tally,
    ) -> f64 {
        let mut objective = self.objective;
        objective.clip.high = completion.clip_high.unwrap_or(objective.clip.high);
        let bounds = objective.surrogate.bounds(objective.clip);
        let SequenceLoss { value, gradients: exact, ratios, kl } = objective.sequence(&Sequence {
            logp: &row.logp,
            old: row.old.as_deref(),
            reference: row.reference.as_deref(),
            counts: Some(&row.counts),
            selected: row.selected.as_deref(),
            penalised: row.penalised.as_deref(),
            importance: row.importance.as_deref(),
            expert_prefix: completion.expert_prefix,
            advantage: completion.advantage,
        });
        let mut finite = true;
        for (t, gradient) in gradients.iter_mut().enumerate() {
            *gradient = (completion.weight * exact[t]) as f32;
            if row.counts[t] {
                tally.see(ratios[t], kl[t], completion.advantage, bounds);
                // A gradient that overflows is as bad as a loss that does.
                finite &= row.logp[t].is_finite() && gradient.is_finite();
            }
        }
        if finite { completion.weight * value } else { f64::NAN }
    }

    /// The entropy bonus of one completion.
    fn entropy(&self, counts: &[bool], entropies: &[f32], gradients: &mut [f32], tally: &mut Tally) -> f64 {
        let mut sum = 0.0;
        for ((&counts, &entropy), gradient) in counts.iter().zip(entropies).zip(gradients) {
            if counts {
                sum += f64::from(entropy);
                *gradient = -self.entropy_weight as f32;
            }
        }
        tally.entropy += sum;
        self.entropy_weight * sum
    }
}

/// The first completion with an entropy that is not finite.
fn broken_entropy(rows: &[CompletionValues], entropies: &[f32]) -> Option<usize> {
    let mut rest = entropies;
    rows.iter().position(|row| {
        let (own, others) = rest.split_at(row.logp.len().min(rest.len()));
        rest = others;
        own.iter().zip(&row.counts).any(|(entropy, counts)| *counts && !entropy.is_finite())
    })
}

impl TokenLoss for MicroBatchLoss<'_> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn packed(groups: &[(Vec<u32>, usize)], budget: usize) -> Vec<Range<usize>> {
        pack(groups.iter().map(|(prompt, tokens)| Piece { prompt, count: 1, tokens: *tokens }), budget)
    }

    proptest! {
        #[test]
        fn micro_batches_are_neighbours_within_the_budget(
            groups in vec((vec(0_u32..2, 1..8), 0_usize..10), 0..12),
            budget in 1_usize..40,
        ) {
            let ranges = packed(&groups, budget);
            prop_assert_eq!(ranges.iter().cloned().flatten().collect::<Vec<_>>(), (0..groups.len()).collect::<Vec<_>>());
            for range in ranges.iter().filter(|range| range.len() > 1) {
                let held = &groups[range.clone()];
                let starts: HashSet<&[u32]> =
                    held.iter().flat_map(|(prompt, _)| (1..=prompt.len()).map(|end| &prompt[..end])).collect();
                prop_assert!(starts.len() + held.iter().map(|(_, tokens)| tokens).sum::<usize>() <= budget);
            }
        }
    }

    #[test]
    fn a_common_beginning_is_counted_once() {
        let group = |last: u32| (vec![1, 2, 3, 4, 5, 6, 7, last], 2);
        let sizes = |groups: &[_], budget| -> Vec<usize> {
            packed(groups, budget).into_iter().map(|range| range.len()).collect()
        };
        assert_eq!(sizes(&[group(8), group(9), group(10)], 16), [3]);
        assert_eq!(sizes(&[group(8), group(9), group(10)], 15), [2, 1]);
        assert_eq!(sizes(&[group(8), (vec![9; 8], 2)], 19), [1, 1]);
    }
}
