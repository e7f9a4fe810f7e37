use crate::SelfPlayError;
use crate::pool::{BuildPool, Origin, PoolYield, build_pool};
use crate::run::Run;
use serde::Serialize;
use sparring_core::Game;

#[derive(Serialize)]
struct PoolRecord<'a> {
    iteration: usize,
    #[serde(flatten)]
    funnel: &'a PoolYield,
}

impl<G: Game> Run<'_, '_, G> {
    /// The frozen Generator writes candidates; the pool is made of them, and written to `tasks/`.
    pub(crate) fn build_pool(&mut self) -> Result<(), SelfPlayError> {
        let iteration = self.state.cursor.iteration;
        let config = &self.plan.config;
        self.begin(config.pool.candidates);
        // The pool that the last iteration trained on is history now. Derived tasks are made anew: replayed as
        // well, they would exceed their share.
        let earlier = std::mem::take(&mut self.state.pool);
        if config.pool.replay > 0.0 {
            self.state.history.extend(earlier.into_iter().filter(|t| t.origin == Origin::Proposed));
        }
        let build = BuildPool {
            game: self.game,
            generator: self.players.generator(),
            solver: self.players.solver(),
            config: &config.pool,
            order: config.solver.order,
            max_tokens: (config.generator.max_tokens, config.solver.max_tokens),
            iteration,
            seen: &self.state.seen,
            history: &self.state.history,
            seed: self.phase_seed(),
        };
        let journal = &mut self.store.journal;
        let pool = build_pool(&build, &mut |done, note| journal.progress(done, note))?;
        self.store.write_lines(&format!("tasks/iteration-{iteration}.jsonl"), &pool.tasks)?;
        self.store.journal.record("pool", &PoolRecord { iteration, funnel: &pool.funnel })?;
        let note = format!("{} tasks of {} candidates", pool.funnel.selected, pool.funnel.candidates);
        self.store.journal.progress(config.pool.candidates, &note);
        self.state.seen.extend(pool.signatures);
        self.state.pool = pool.tasks;
        self.state.ledger.row(iteration).pool = pool.funnel;
        Ok(())
    }
}
