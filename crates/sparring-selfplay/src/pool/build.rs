use super::{Agreement, Bucket, Origin, PoolConfig, PoolTask, PoolYield, order_tasks, select_balanced};
use crate::attempt::{Attempt, params, solve_rate};
use crate::{Order, SelfPlayError};
use rand::Rng;
use rand::seq::SliceRandom;
use sparring_core::{Encoder, Game, Rejection, Rollout, Sampler, Scorer, Seed};
use sparring_train::summary::mean;
use sparring_train::{TrainError, requests, sample, under_hooks};
use std::collections::BTreeSet;

/// The inputs of a pool.
pub(crate) struct BuildPool<'b, G: Game> {
    pub(crate) game: &'b G,
    pub(crate) generator: &'b dyn Sampler,
    pub(crate) solver: &'b dyn Sampler,
    /// The Generator, to score its proposals; `None` if it only samples.
    pub(crate) scorer: Option<&'b dyn Scorer>,
    pub(crate) encoder: Option<&'b dyn Encoder>,
    pub(crate) config: &'b PoolConfig,
    pub(crate) order: Order,
    /// Token limits of a proposal and of an answer.
    pub(crate) max_tokens: (usize, usize),
    pub(crate) iteration: usize,
    /// Signatures of the tasks of earlier pools.
    pub(crate) seen: &'b BTreeSet<String>,
    /// The proposed tasks of earlier pools.
    pub(crate) history: &'b [PoolTask<G::Task>],
    /// Share of own tasks in the pool, in [0, 1].
    pub(crate) own_share: f32,
    pub(crate) seed: Seed,
}

/// Draws own tasks, at most as many as requested: the number of the first, and the tasks.
pub(crate) type DrawOwn<'d, T> = dyn FnMut(usize) -> Result<(u64, Vec<T>), TrainError> + 'd;

/// The result of building a pool.
pub(crate) struct Pool<T> {
    /// The pool, in training order.
    pub(crate) tasks: Vec<PoolTask<T>>,
    /// Signatures of its new tasks.
    pub(crate) signatures: Vec<String>,
    pub(crate) counts: PoolYield,
}

/// Builds the pool. `progress` is called with the number of candidates done, and the current stage.
pub(crate) fn build_pool<G: Game>(
    build: &BuildPool<'_, G>,
    draw_own: &mut DrawOwn<'_, G::Task>,
    progress: &mut dyn FnMut(usize, &str),
) -> Result<Pool<G::Task>, SelfPlayError> {
    // A pool of own tasks alone needs no candidates.
    let candidates = if build.own_share < 1.0 { build.config.candidates } else { 0 };
    let mut pool_yield = PoolYield { candidates, ..PoolYield::default() };
    let candidates = build.propose(&mut pool_yield, progress)?;
    let verified = build.verify(candidates, &mut pool_yield, progress)?;
    let mut tasks = build.select(verified, &mut pool_yield, progress)?;
    tasks.extend(build.own(tasks.len(), draw_own, &mut pool_yield, progress)?);
    order_tasks(&mut tasks, build.order, build.seed.child("order"));
    pool_yield.selected = tasks.len();
    for task in &tasks {
        *pool_yield.buckets.entry(task.bucket.as_str().to_owned()).or_default() += 1;
        *pool_yield.strata.entry(task.stratum.clone()).or_default() += 1;
    }
    let new = tasks.iter().filter(|t| t.origin != Origin::Replayed);
    let signatures = new.map(|t| build.game.signature(&t.task)).collect();
    Ok(Pool { tasks, signatures, counts: pool_yield })
}

/// Tasks with their statistics, and how many were left out for an invalid prompt.
type Measured<T> = (Vec<PoolTask<T>>, usize);

impl<G: Game> BuildPool<'_, G> {
    /// Samples the candidates, reads them, and drops duplicates. Tasks keep their candidate's number.
    fn propose(
        &self,
        pool_yield: &mut PoolYield,
        progress: &mut dyn FnMut(usize, &str),
    ) -> Result<Vec<(usize, G::Task)>, SelfPlayError> {
        let seeds = (self.seed.child("spec"), self.seed.child("propose"));
        let (candidates, n) = (pool_yield.candidates, self.config.per_spec);
        let indices = 0..candidates.div_ceil(n) as u64;
        let specs: Vec<G::Spec> = indices.map(|i| self.game.draw(seeds.0.index(i))).collect();
        let params = params(self.config.temperature, self.max_tokens.0);
        let prompts = specs.iter().map(|spec| self.game.generator_prompt(spec));
        let mut requests = requests(prompts, n, &params, seeds.1);
        under_hooks(&mut requests, specs.iter().map(|spec| self.game.generator_hook(spec)));
        let groups = sample(self.generator, "generator", &requests, |done| {
            progress((done * n).min(candidates), "proposing");
        })?;
        let proposals =
            specs.iter().zip(&groups).flat_map(|(spec, group)| group.iter().map(move |out| (spec, out)));
        let mut taken = BTreeSet::new();
        let mut distinct = Vec::new();
        for (i, (spec, out)) in proposals.take(candidates).enumerate() {
            match self.game.read(spec, out).and_then(|task| storable::<G>(&task)) {
                Ok(task) => {
                    pool_yield.readable += 1;
                    let signature = self.game.signature(&task);
                    let earlier = self.config.dedup_earlier && self.seen.contains(&signature);
                    if !earlier && taken.insert(signature) {
                        distinct.push((i, task));
                    }
                }
                Err(rejection) => reject(pool_yield, &rejection.rule, 1),
            }
        }
        pool_yield.distinct = distinct.len();
        self.likely(&specs, &groups, distinct, pool_yield, &mut |done, stage| {
            progress(candidates, &format!("{stage} {done} of {}", specs.len()));
        })
    }

    /// Has the Solver attempt each candidate; keeps those with enough agreement and a solve rate in `pool.keep`.
    fn verify(
        &self,
        candidates: Vec<(usize, G::Task)>,
        pool_yield: &mut PoolYield,
        progress: &mut dyn FnMut(usize, &str),
    ) -> Result<Vec<PoolTask<G::Task>>, SelfPlayError> {
        let seed = self.seed.child("verify");
        let (judged, invalid) = self.measure(candidates, Origin::Proposed, seed, progress)?;
        reject(pool_yield, INVALID_PROMPT, invalid);
        let samples = self.config.verify_samples;
        pool_yield.histogram = vec![0; samples + 1];
        for task in &judged {
            pool_yield.histogram[(task.solve_rate * samples as f32).round() as usize] += 1;
        }
        if self.unverified() {
            (pool_yield.verified, pool_yield.in_band) = (judged.len(), judged.len());
            return Ok(judged);
        }
        let rates: Vec<f32> = judged.iter().map(|t| t.solve_rate).collect();
        pool_yield.solve_rate = mean(&rates).unwrap_or(0.0);
        let agreed: Vec<_> =
            judged.into_iter().filter(|t| t.agreement >= self.config.min_agreement).collect();
        pool_yield.verified = agreed.len();
        let kept: Vec<_> = agreed.into_iter().filter(|t| self.config.keep.contains(t.solve_rate)).collect();
        pool_yield.in_band = kept.len();
        Ok(kept)
    }

    fn unverified(&self) -> bool {
        self.iteration < self.config.verify_from
    }

    /// Has the Solver attempt each task.
    fn measure(
        &self,
        tasks: Vec<(usize, G::Task)>,
        origin: Origin,
        seed: Seed,
        progress: &mut dyn FnMut(usize, &str),
    ) -> Result<Measured<G::Task>, SelfPlayError> {
        let attempt = Attempt {
            samples: self.config.verify_samples,
            temperature: self.config.verify_temperature,
            max_tokens: self.max_tokens.1,
        };
        let (total, all) = (tasks.len(), self.config.candidates);
        if self.unverified() {
            let unknown = |numbered| self.pool_task(numbered, origin, 0.0, 0.0);
            return Ok((tasks.into_iter().map(unknown).collect(), 0));
        }
        let asked: Vec<&G::Task> = tasks.iter().map(|(_, task)| task).collect();
        let answers = attempt.run(self.game, self.solver, &asked, seed, |done| {
            progress(all, &format!("verifying {done} of {total}"));
        })?;
        let mut measured = Vec::with_capacity(total);
        for ((candidate, task), rollouts) in tasks.into_iter().zip(answers) {
            let Some(rollouts) = rollouts else { continue };
            let rate = solve_rate(self.game, &task, &rollouts);
            let agreement = match self.config.agreement {
                Agreement::Gold => rate,
                Agreement::Majority => majority(self.game, &task, &rollouts),
            };
            measured.push(self.pool_task((candidate, task), origin, rate, agreement));
        }
        let invalid = total - measured.len();
        Ok((measured, invalid))
    }

    /// A task of this pool, with its statistics.
    fn pool_task(
        &self,
        (candidate, task): (usize, G::Task),
        origin: Origin,
        solve_rate: f32,
        agreement: f32,
    ) -> PoolTask<G::Task> {
        let (iteration, stratum) = (self.iteration, self.game.stratum(&task));
        let bucket = Bucket::of(solve_rate, &self.config.mix);
        PoolTask { iteration, origin, solve_rate, agreement, bucket, stratum, candidate, task }
    }

    /// Selects new tasks, and adds derived and replayed ones.
    fn select(
        &self,
        kept: Vec<PoolTask<G::Task>>,
        pool_yield: &mut PoolYield,
        progress: &mut dyn FnMut(usize, &str),
    ) -> Result<Vec<PoolTask<G::Task>>, SelfPlayError> {
        let c = self.config;
        let mut derivable = if c.derived_share > 0.0 { self.derive(&kept) } else { Vec::new() };
        let counts = shares(
            c,
            c.size - own_count(self.own_share, c.size, c.size),
            kept.len(),
            derivable.len(),
            self.history.len(),
        );
        derivable.truncate(counts.derived);
        let (derived, _) =
            self.measure(derivable, Origin::Derived, self.seed.child("verify derived"), progress)?;
        let mut tasks = select_balanced(kept, counts.proposed, &c.mix, c.balance, self.seed.child("select"));
        pool_yield.proposed = tasks.len();
        pool_yield.derived = derived.len();
        pool_yield.replayed = counts.replayed;
        tasks.extend(derived);
        tasks.extend(self.replay(counts.replayed));
        Ok(tasks)
    }

    /// The own tasks of a pool with `others` other tasks. Their statistics do not select among them.
    fn own(
        &self,
        others: usize,
        draw: &mut DrawOwn<'_, G::Task>,
        pool_yield: &mut PoolYield,
        progress: &mut dyn FnMut(usize, &str),
    ) -> Result<Vec<PoolTask<G::Task>>, SelfPlayError> {
        let wanted = own_count(self.own_share, self.config.size, others);
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let (first, drawn) = draw(wanted)?;
        if drawn.len() < wanted {
            tracing::warn!(wanted, drawn = drawn.len(), "the source of own tasks is exhausted");
        }
        let mut numbered = Vec::with_capacity(drawn.len());
        for (number, task) in (first..).zip(&drawn) {
            let task = storable::<G>(task)
                .map_err(|rejection| TrainError::Source { first: number, source: rejection.detail.into() })?;
            numbered.push((number as usize, task));
        }
        let (own, invalid) = self.measure(numbered, Origin::Own, self.seed.child("verify own"), progress)?;
        reject(pool_yield, INVALID_PROMPT, invalid);
        pool_yield.own = own.len();
        Ok(own)
    }

    /// Every distinct derived task of the verified ones, in seeded order.
    fn derive(&self, kept: &[PoolTask<G::Task>]) -> Vec<(usize, G::Task)> {
        let seed = self.seed.child("derive");
        let mut taken: BTreeSet<String> = kept.iter().map(|t| self.game.signature(&t.task)).collect();
        let mut derived = Vec::new();
        for (i, parent) in kept.iter().enumerate() {
            let seed = seed.index(parent.candidate as u64);
            let other = other_than(i, kept.len(), seed.child("other")).map(|j| &kept[j].task);
            for task in self.game.derive(&parent.task, other, seed) {
                let Ok(task) = storable::<G>(&task) else { continue };
                let signature = self.game.signature(&task);
                let earlier = self.config.dedup_earlier && self.seen.contains(&signature);
                if !earlier && taken.insert(signature) {
                    derived.push((parent.candidate, task));
                }
            }
        }
        derived.shuffle(&mut seed.child("order").rng());
        derived
    }

    /// `n` proposed tasks of earlier pools.
    fn replay(&self, n: usize) -> Vec<PoolTask<G::Task>> {
        let mut earlier: Vec<&PoolTask<G::Task>> = self.history.iter().collect();
        earlier.shuffle(&mut self.seed.child("replay").rng());
        let replayed = earlier.into_iter().take(n).cloned();
        replayed.map(|task| PoolTask { origin: Origin::Replayed, ..task }).collect()
    }
}

/// The number of tasks of each origin.
#[derive(Debug, PartialEq)]
struct Shares {
    proposed: usize,
    derived: usize,
    replayed: usize,
}

/// Number of own tasks that are `share` of a pool with `others` other tasks and `size` at most.
fn own_count(share: f32, size: usize, others: usize) -> usize {
    let most = (f64::from(share) * size as f64).round();
    let exact = others as f64 * f64::from(share) / (1.0 - f64::from(share));
    if share < 1.0 { exact.round().min(most) as usize } else { size }
}

/// The wanted shares of a pool that is as large as the new tasks allow, and at most `size`. New tasks replace the
/// derived and replayed ones that are missing.
fn shares(c: &PoolConfig, size: usize, new: usize, derived: usize, earlier: usize) -> Shares {
    let rest = f64::from(1.0 - c.derived_share - c.replay).max(f64::EPSILON);
    let full = (new as f64 / rest).min(size as f64);
    let part = |share: f32, available: usize| ((f64::from(share) * full).round() as usize).min(available);
    let (derived, replayed) = (part(c.derived_share, derived), part(c.replay, earlier));
    Shares { proposed: new.min(size.saturating_sub(derived + replayed)), derived, replayed }
}

/// Share of the rollouts with the most frequent answer (the first of equally frequent ones), if it solves the task;
/// else 0.
fn majority<G: Game>(game: &G, task: &G::Task, rollouts: &[Rollout]) -> f32 {
    match sparring_train::majority(rollouts.iter().map(|rollout| game.answer(task, rollout))) {
        Some((count, first)) if game.solved(task, &rollouts[first]) => count as f32 / rollouts.len() as f32,
        _ => 0.0,
    }
}

/// An index below `n`, other than `i`.
fn other_than(i: usize, n: usize, seed: Seed) -> Option<usize> {
    (n > 1).then(|| (i + seed.rng().random_range(1..n)) % n)
}

/// The rule that rejects tasks with an invalid prompt.
pub(crate) const INVALID_PROMPT: &str = "invalid_prompt";

pub(super) fn reject(pool_yield: &mut PoolYield, rule: &str, tasks: usize) {
    if tasks > 0 {
        *pool_yield.rejected.entry(rule.to_owned()).or_default() += tasks;
    }
}

/// The task as it is read back from a file, so that a resumed run and an uninterrupted one train on the same.
fn storable<G: Game>(task: &G::Task) -> Result<G::Task, Rejection> {
    let text = serde_json::to_string(task);
    let back = text.and_then(|text| serde_json::from_str(&text));
    back.map_err(|e| Rejection::new("unserialisable", e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_task_is_another_one() {
        for (i, seed) in (0..3).flat_map(|i| (0..20).map(move |seed| (i, seed))) {
            let other = other_than(i, 3, Seed::new(seed)).unwrap();
            assert!(other < 3 && other != i);
        }
        assert_eq!(other_than(0, 1, Seed::new(1)), None);
    }

    #[test]
    fn own_tasks_keep_their_share() {
        assert_eq!([0, 7, 70, 700].map(|others| own_count(0.3, 100, others)), [0, 3, 30, 30]);
        assert_eq!((own_count(0.0, 100, 70), own_count(1.0, 100, 0)), (0, 100));
    }

    #[test]
    fn new_tasks_replace_missing_ones() {
        let config = PoolConfig { size: 100, derived_share: 0.2, replay: 0.1, ..PoolConfig::default() };
        let of = |new, derived, earlier| {
            let s = shares(&config, config.size, new, derived, earlier);
            (s.proposed, s.derived, s.replayed)
        };
        assert_eq!(of(1000, 1000, 1000), (70, 20, 10));
        assert_eq!(of(1000, 0, 5), (95, 0, 5));
        // Few new tasks: the others keep their share of a smaller pool.
        assert_eq!(of(7, 1000, 1000), (7, 2, 1));
        assert_eq!(of(0, 10, 10), (0, 0, 0));
    }
}
