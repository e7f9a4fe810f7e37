use crate::SelfPlayError;
use crate::evaluation::{EvaluationScore, ShownAnswer, run_evaluation};
use crate::run::Run;
use serde::Serialize;
use sparring_core::Game;

/// Answers of each evaluation that the report shows.
const SHOWN: usize = 12;

#[derive(Serialize)]
struct EvaluationRecord<'a> {
    iteration: usize,
    #[serde(flatten)]
    score: &'a EvaluationScore,
    shown: &'a [ShownAnswer],
}

#[derive(Serialize)]
struct EvaluationTasks<'a, T> {
    evaluation: &'a str,
    tasks: Vec<&'a T>,
}

impl<G: Game> Run<'_, '_, G> {
    /// Runs every evaluation.
    pub(crate) fn evaluate(&mut self) -> Result<(), SelfPlayError> {
        let iteration = self.state.cursor.iteration;
        self.begin(self.evaluations.iter().map(|e| e.tasks.len()).sum());
        let mut scores = Vec::new();
        let mut done_before = 0;
        for evaluation in self.evaluations {
            if iteration == 0 {
                let tasks = evaluation.tasks.iter().take(SHOWN).collect();
                self.journal
                    .record("evaluation_tasks", &EvaluationTasks { evaluation: &evaluation.name, tasks })?;
            }
            let journal = &mut self.journal;
            let (score, shown) = run_evaluation(
                self.game,
                self.players.solver(),
                evaluation,
                self.plan.config.solver.max_tokens,
                self.seed.child("exam"),
                SHOWN,
                |done| journal.progress(done_before + done, &evaluation.name),
            )?;
            done_before += evaluation.tasks.len();
            let record = EvaluationRecord { iteration, score: &score, shown: &shown };
            self.journal.record("evaluation", &record)?;
            scores.push(score);
            self.journal.progress(done_before, &accuracies(&scores));
        }
        if iteration == 0 {
            self.state.ledger.base = scores;
        } else {
            self.state.ledger.row(iteration).evaluations = scores;
        }
        Ok(())
    }
}

/// `heldout 21.7 %, familiar 25.3 %`.
fn accuracies(scores: &[EvaluationScore]) -> String {
    let notes: Vec<String> =
        scores.iter().map(|s| format!("{} {:.1} %", s.name, 100.0 * s.accuracy)).collect();
    notes.join(", ")
}
