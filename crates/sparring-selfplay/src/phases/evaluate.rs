use crate::SelfPlayError;
use crate::run::Run;
use serde::Serialize;
use serde_json::Value;
use sparring_core::{Game, Rollout, SamplingParams};
use sparring_train::{Evaluator, TrainError};

impl<G: Game> Run<'_, '_, G> {
    /// Runs every evaluation.
    pub(crate) fn evaluate(&mut self) -> Result<(), SelfPlayError> {
        let iteration = self.state.cursor.iteration;
        let tasks: usize = self.evaluations.iter().map(|e| e.tasks.len()).sum();
        self.begin(tasks + self.benchmarks.iter().map(|b| b.items()).sum::<usize>());
        let evaluator = Evaluator {
            prompt: &|task: &G::Task| self.game.solver_prompt(task).into(),
            hook: &|task: &G::Task| self.game.solver_hook(task),
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
        self.run_benchmarks(tasks)
    }

    /// Asks the Solver every benchmark; `before` items of the phase are done.
    fn run_benchmarks(&mut self, mut before: usize) -> Result<(), SelfPlayError> {
        let iteration = self.state.cursor.iteration;
        let at = if iteration == 0 { "base".to_owned() } else { format!("iteration-{iteration}") };
        let mut notes = Vec::new();
        for benchmark in self.benchmarks {
            let name = benchmark.name();
            let dir = self.store.subfolder(&format!("evaluations/{name}"))?;
            let journal = &mut self.store.journal;
            let mut done = |done: usize| journal.progress(before + done, name);
            let score = benchmark.run(&self.watch.over(self.players.solver()), &at, &dir, &mut done);
            // Its answers so far are kept.
            self.watch.stop.check()?;
            let score = score.map_err(|source| TrainError::Benchmark { name: name.to_owned(), source })?;
            before += benchmark.items();
            notes.push(format!("{name} {}", benchmark.note(&score)));
            self.store.journal.record("benchmark", &BenchmarkRecord { iteration, name, score: &score })?;
            self.store.journal.progress(before, &notes.join(", "));
            let scores = self.state.ledger.benchmarks.entry(name.to_owned()).or_default();
            scores.truncate(iteration);
            scores.push(score);
        }
        Ok(())
    }
}

/// The record `benchmark` of `events.jsonl`.
#[derive(Serialize)]
struct BenchmarkRecord<'a> {
    iteration: usize,
    name: &'a str,
    score: &'a Value,
}
