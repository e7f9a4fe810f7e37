//! What a run has still to do, for its forecast.

use crate::run::Run;
use sparring_core::{Game, Phase, Stage, Work};

impl<G: Game> Run<'_, '_, G> {
    /// The phases from the cursor on.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let (c, mut cursor) = (&self.plan.config, self.state.cursor);
        let mut stages = Vec::new();
        while cursor.iteration <= c.iterations {
            let (steps, work) = match cursor.phase {
                Phase::TrainGenerator => (c.generator.steps, self.generator_work()),
                Phase::BuildPool => (c.pool.candidates, self.candidate_work()),
                Phase::TrainSolver => {
                    let s = &c.solver;
                    let sampling = Work::sampling(s.prompts_per_step, s.group_size, s.max_tokens);
                    (s.steps, sampling.and_learning(s.grpo.epochs))
                }
                _ => self.evaluation_work(),
            };
            if cursor.phase != Phase::TrainGenerator || c.generator.train {
                stages.push(Stage::new(cursor.iteration, cursor.phase, steps, work).after(cursor.step));
            }
            cursor = cursor.next();
        }
        stages
    }

    /// An update of the Generator; the Solver tries every proposal.
    fn generator_work(&self) -> Work {
        let (g, answer) = (&self.plan.config.generator, self.plan.config.solver.max_tokens);
        let sampling = Work::sampling(g.prompts_per_step, g.group_size, g.max_tokens);
        let probe = Work::sampling(g.prompts_per_step * g.group_size, g.probe_samples, answer);
        sampling.and_learning(g.grpo.epochs).plus(probe)
    }

    /// A candidate of the pool, and its share of the derived and own tasks; the Solver tries each.
    fn candidate_work(&self) -> Work {
        let c = &self.plan.config;
        let own = self.tasks.as_ref().map_or(0.0, |tasks| f64::from(tasks.share));
        let more = c.pool.size as f64 * (f64::from(c.pool.derived_share) + own);
        let candidates = if own < 1.0 { 1.0 } else { 0.0 };
        let tried = candidates + more / c.pool.candidates.max(1) as f64;
        let verify = Work::sampling(1, c.pool.verify_samples, c.solver.max_tokens).times(tried);
        Work::sampling(1, 1, c.generator.max_tokens).times(candidates).plus(verify)
    }

    /// The number of tasks of all evaluations, and the mean work of one.
    fn evaluation_work(&self) -> (usize, Work) {
        let tasks: usize = self.evaluations.iter().map(|evaluation| evaluation.tasks.len()).sum();
        let mut all = Work::default();
        for evaluation in self.evaluations {
            let tokens = self.plan.config.solver.max_tokens;
            all = all.plus(Work::sampling(evaluation.tasks.len(), evaluation.samples, tokens));
        }
        (tasks, all.times(1.0 / tasks.max(1) as f64))
    }
}
