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
                Phase::BuildPool => (c.pool.candidates, self.candidate_work(cursor.iteration)),
                Phase::TrainSolver => self.solver_work(cursor.iteration),
                _ => self.evaluation_work(),
            };
            let trains = c.trains_generator_in(cursor.iteration);
            if cursor.phase != Phase::TrainGenerator || trains {
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

    /// The updates of the Solver, supervised and reinforced, and the mean work of one.
    fn solver_work(&self, iteration: usize) -> (usize, Work) {
        let s = &self.plan.config.solver;
        let supervised = s.imitation.steps_of(iteration);
        let steps = supervised + s.steps;
        let imitation = Work::learning(s.imitation.tasks_per_step, s.max_tokens);
        let sampling = Work::sampling(s.prompts_per_step, s.group_size, s.max_tokens);
        let all = sampling
            .and_learning(s.grpo.epochs)
            .times(s.steps as f64)
            .plus(imitation.times(supervised as f64));
        (steps, all.times(1.0 / steps.max(1) as f64))
    }

    /// A candidate of the pool, and its share of the derived and own tasks; the Solver tries each.
    fn candidate_work(&self, iteration: usize) -> Work {
        let c = &self.plan.config;
        let own = self.tasks.as_ref().map_or(0.0, |tasks| f64::from(tasks.share));
        let more = c.pool.size as f64 * (f64::from(c.pool.derived_share) + own);
        let candidates = if own < 1.0 { 1.0 } else { 0.0 };
        let ranked = c.pool.likeliest.map_or(1.0, |n| (n as f64 / c.pool.per_spec as f64).min(1.0));
        let tried = candidates * ranked + more / c.pool.candidates.max(1) as f64;
        let tried = if iteration < c.pool.verify_from { 0.0 } else { tried };
        let verify = Work::sampling(1, c.pool.verify_samples, c.solver.max_tokens).times(tried);
        // The proposals of one specification share its prompt.
        let proposals = Work::sampling(1, c.pool.per_spec, c.generator.max_tokens);
        proposals.times(candidates / c.pool.per_spec as f64).plus(verify)
    }

    /// The number of tasks of all evaluations and benchmarks, and the mean work of one.
    fn evaluation_work(&self) -> (usize, Work) {
        let items: usize = self.benchmarks.iter().map(|benchmark| benchmark.items()).sum();
        let evaluated: usize = self.evaluations.iter().map(|evaluation| evaluation.tasks.len()).sum();
        let tasks = items + evaluated;
        let mut all = Work::sampling(items, 1, self.plan.config.solver.max_tokens);
        for evaluation in self.evaluations {
            let tokens = self.plan.config.solver.max_tokens;
            all = all.plus(Work::sampling(evaluation.tasks.len(), evaluation.samples, tokens));
        }
        (tasks, all.times(1.0 / tasks.max(1) as f64))
    }
}
