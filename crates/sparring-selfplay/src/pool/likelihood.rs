//! Selection of proposals by how likely the Generator finds them when no hook guides it.

use super::build::{BuildPool, reject};
use super::{PoolConfig, PoolYield};
use crate::SelfPlayError;
use sparring_core::{Finish, Game, PolicyError, Prompt, Rollout, Scorer, TokenBatch, TokenGroup};
use sparring_train::TrainError;
use std::sync::Arc;

/// Specifications that are scored at a time.
const BATCH: usize = 64;

/// A proposal: its number, its task and its log-probability after its prompt.
struct Proposal<'p, T> {
    number: usize,
    task: T,
    out: &'p Rollout,
    logp: f32,
}

impl<T> Proposal<'_, T> {
    fn mean(&self) -> f32 {
        self.logp / text(self.out).len().max(1) as f32
    }
}

impl<G: Game> BuildPool<'_, G> {
    /// Keeps the proposals that `pool.likeliest`, `pool.min_likelihood` and `pool.min_relevance` ask for.
    pub(super) fn likely(
        &self,
        specs: &[G::Spec],
        groups: &[Vec<Rollout>],
        proposals: Vec<(usize, G::Task)>,
        pool_yield: &mut PoolYield,
        progress: &mut dyn FnMut(usize, &str),
    ) -> Result<Vec<(usize, G::Task)>, SelfPlayError> {
        let c = self.config;
        if !c.ranks() {
            return Ok(proposals);
        }
        let mut of_spec: Vec<Vec<Proposal<'_, G::Task>>> = specs.iter().map(|_| Vec::new()).collect();
        for (number, task) in proposals {
            let (spec, place) = (number / c.per_spec, number % c.per_spec);
            of_spec[spec].push(Proposal { number, task, out: &groups[spec][place], logp: 0.0 });
        }
        let failed = TrainError::policy("scoring proposals");
        let mut kept = Vec::new();
        for (start, batch) in (0..).step_by(BATCH).zip(of_spec.chunks_mut(BATCH)) {
            progress(start, "ranking");
            let scorer = self.generator_scorer().map_err(&failed)?;
            rank(scorer, batch, c, pool_yield).map_err(&failed)?;
            if let Some(least) = c.min_relevance {
                self.keep_relevant(&specs[start..], batch, least, pool_yield).map_err(&failed)?;
            }
            kept.extend(batch.iter_mut().flat_map(std::mem::take).map(|p| (p.number, p.task)));
        }
        kept.sort_by_key(|(number, _)| *number);
        Ok(kept)
    }

    /// Keeps the proposals that their specification makes likelier than the contrast does, by at least `least`.
    fn keep_relevant(
        &self,
        specs: &[G::Spec],
        batch: &mut [Vec<Proposal<'_, G::Task>>],
        least: f32,
        pool_yield: &mut PoolYield,
    ) -> Result<(), PolicyError> {
        let encode = |prompt: Prompt| match self.encoder {
            Some(encoder) => encoder.prompt(&prompt),
            None => Err(PolicyError::invalid(
                "pool.min_relevance needs the tokenizer: give it by SelfPlay::with_encoder",
            )),
        };
        let contrast = |spec| self.game.contrast_prompt(spec).map(encode).transpose();
        let contrasts: Vec<Option<Arc<[u32]>>> =
            specs.iter().take(batch.len()).map(contrast).collect::<Result<_, _>>()?;
        let asked: Vec<TokenGroup<'_>> = batch
            .iter()
            .zip(&contrasts)
            .filter_map(|(proposals, contrast)| Some(group(contrast.as_deref()?, proposals)))
            .collect();
        let mut logp = self.generator_scorer()?.score(TokenBatch::new(&asked, 1.0))?.into_iter();
        for (proposals, _) in batch.iter_mut().zip(&contrasts).filter(|(_, contrast)| contrast.is_some()) {
            let before = proposals.len();
            proposals.retain(|p| p.logp - logp.by_ref().take(text(p.out).len()).sum::<f32>() >= least);
            reject(pool_yield, "irrelevant", before - proposals.len());
        }
        Ok(())
    }

    fn generator_scorer(&self) -> Result<&dyn Scorer, PolicyError> {
        self.scorer.ok_or(PolicyError::Unsupported {
            what: "pool.likeliest, pool.min_likelihood and pool.min_relevance with a frozen Generator: it only samples",
        })
    }
}

/// Scores the proposals, and keeps those of each specification that are likely enough, by mean log-probability.
fn rank<T>(
    scorer: &dyn Scorer,
    batch: &mut [Vec<Proposal<'_, T>>],
    config: &PoolConfig,
    pool_yield: &mut PoolYield,
) -> Result<(), PolicyError> {
    let asked: Vec<TokenGroup<'_>> =
        batch.iter().filter_map(|proposals| Some(group(&proposals.first()?.out.prompt, proposals))).collect();
    let mut logp = scorer.score(TokenBatch::new(&asked, 1.0))?.into_iter();
    for proposals in batch {
        for proposal in proposals.iter_mut() {
            proposal.logp = logp.by_ref().take(text(proposal.out).len()).sum();
        }
        proposals.sort_by(|a, b| b.mean().total_cmp(&a.mean()).then(a.number.cmp(&b.number)));
        let before = proposals.len();
        proposals.truncate(config.likeliest.unwrap_or(before));
        reject(pool_yield, "less_likely", before - proposals.len());
        let before = proposals.len();
        if let Some(least) = config.min_likelihood {
            proposals.retain(|proposal| proposal.mean() >= least);
        }
        reject(pool_yield, "unlikely", before - proposals.len());
    }
    Ok(())
}

/// The texts of the proposals after this prompt.
fn group<'a, T>(prompt: &'a [u32], proposals: &[Proposal<'a, T>]) -> TokenGroup<'a> {
    TokenGroup::new(prompt, proposals.iter().map(|proposal| text(proposal.out)).collect())
}

/// The tokens of a completion without the one that ends it, which a hook may have forced.
fn text(out: &Rollout) -> &[u32] {
    match out.tokens.split_last() {
        Some((_, text)) if out.finish == Finish::Stop && !text.is_empty() => text,
        _ => &out.tokens,
    }
}
