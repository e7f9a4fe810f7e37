use crate::SelfPlayError;
use crate::run::Run;
use sparring_core::{Game, Rollout, SamplingParams};
use sparring_train::Evaluator;

impl<G: Game> Run<'_, '_, G> {
    /// Runs every evaluation.
    pub(crate) fn evaluate(&mut self) -> Result<(), SelfPlayError> {
        let iteration = self.state.cursor.iteration;
        self.begin(self.evaluations.iter().map(|e| e.tasks.len()).sum());
        let evaluator = Evaluator {
            prompt: &|task: &G::Task| self.game.solver_prompt(task).into(),
            solved: &|task: &G::Task, out: &Rollout| self.game.solved(task, out),
            model: "solver",
            sampling: SamplingParams::default().with_max_tokens(self.plan.config.solver.max_tokens),
            // The tag is part of published results: another one draws other answers at temperatures above 0.
            seed: self.seed.child("exam"),
        };
        let show = |task: &G::Task| serde_json::to_value(task).unwrap_or_default();
        let scores = evaluator.run_all(
            self.evaluations,
            &self.watch.over(self.players.solver()),
            &mut self.store.journal,
            ("iteration", iteration),
            (iteration == 0).then_some(&show),
        )?;
        if iteration == 0 {
            self.state.ledger.base = scores;
        } else {
            self.state.ledger.row(iteration).evaluations = scores;
        }
        Ok(())
    }
}
