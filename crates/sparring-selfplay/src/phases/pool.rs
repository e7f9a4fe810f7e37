use crate::SelfPlayError;
use crate::pool::{BuildPool, Origin, PoolYield, build_pool};
use crate::run::Run;
use serde::Serialize;
use sparring_core::Game;
use sparring_train::draw_tasks;

#[derive(Serialize)]
struct PoolRecord<'a> {
    iteration: usize,
    #[serde(flatten)]
    pool_yield: &'a PoolYield,
}

impl<G: Game> Run<'_, '_, G> {
    /// Builds the pool from the frozen Generator's candidates and own tasks, and writes it to `tasks/`.
    pub(crate) fn build_pool(&mut self) -> Result<(), SelfPlayError> {
        let iteration = self.state.cursor.iteration;
        let config = &self.plan.config;
        self.begin(config.pool.candidates);
        // The pool of the last iteration becomes history. Derived tasks are made anew, so replaying them too would
        // exceed their share; own tasks come from their source.
        let earlier = std::mem::take(&mut self.state.pool);
        if config.pool.replay > 0.0 {
            self.state.history.extend(earlier.into_iter().filter(|t| t.origin == Origin::Proposed));
        }
        let build = BuildPool {
            game: self.game,
            generator: &self.watch.over(self.players.generator()),
            solver: &self.watch.over(self.players.solver()),
            scorer: self.players.generator_scorer(),
            encoder: self.encoder,
            config: &config.pool,
            order: config.solver.order,
            max_tokens: (config.generator.max_tokens, config.solver.max_tokens),
            iteration,
            seen: &self.state.seen,
            history: &self.state.history,
            own_share: self.tasks.as_ref().map_or(0.0, |tasks| tasks.share),
            seed: self.phase_seed(),
        };
        let journal = &mut self.store.journal;
        let (own, next, seed) = (&mut self.tasks, &mut self.state.own_next, self.seed.child("tasks"));
        let mut draw_own = |n: usize| {
            let first = *next;
            let Some(own) = own.as_mut() else { return Ok((first, Vec::new())) };
            let tasks = draw_tasks(&mut *own.source, first, n, seed)?;
            *next += tasks.len() as u64;
            Ok((first, tasks))
        };
        let pool = build_pool(&build, &mut draw_own, &mut |done, note| journal.progress(done, note))?;
        self.store.write_lines(&format!("tasks/iteration-{iteration}.jsonl"), &pool.tasks)?;
        self.store.journal.record("pool", &PoolRecord { iteration, pool_yield: &pool.counts })?;
        let note = format!("{} tasks of {} candidates", pool.counts.selected, pool.counts.candidates);
        self.store.journal.progress(config.pool.candidates, &note);
        self.state.seen.extend(pool.signatures);
        self.state.pool = pool.tasks;
        self.state.ledger.row(iteration).pool = pool.counts;
        Ok(())
    }
}
