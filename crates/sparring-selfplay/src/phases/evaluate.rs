use crate::SelfPlayError;
use crate::exam::{ExamScore, ShownAnswer, sit};
use crate::run::Run;
use serde::Serialize;
use sparring_core::Game;

/// Answers of each exam that the report shows.
const SHOWN: usize = 12;

#[derive(Serialize)]
struct ExamRecord<'a> {
    iteration: usize,
    #[serde(flatten)]
    score: &'a ExamScore,
    shown: &'a [ShownAnswer],
}

#[derive(Serialize)]
struct ExamTasks<'a, T> {
    exam: &'a str,
    tasks: Vec<&'a T>,
}

impl<G: Game> Run<'_, '_, G> {
    /// Sits every exam.
    pub(crate) fn evaluate(&mut self) -> Result<(), SelfPlayError> {
        let iteration = self.state.cursor.iteration;
        self.begin(self.exams.iter().map(|e| e.tasks.len()).sum());
        let mut scores = Vec::new();
        let mut sat = 0;
        for exam in self.exams {
            if iteration == 0 {
                let tasks = exam.tasks.iter().take(SHOWN).collect();
                self.journal.record("exam_tasks", &ExamTasks { exam: &exam.name, tasks })?;
            }
            let journal = &mut self.journal;
            let (score, shown) = sit(
                self.game,
                self.roles.solver().sampler(),
                exam,
                self.plan.config.solver.max_tokens,
                self.seed.child("exam"),
                SHOWN,
                |done| journal.progress(sat + done, &exam.name),
            )?;
            sat += exam.tasks.len();
            let record = ExamRecord { iteration, score: &score, shown: &shown };
            self.journal.record("exam", &record)?;
            scores.push(score);
            self.journal.progress(sat, &accuracies(&scores));
        }
        if iteration == 0 {
            self.state.ledger.base = scores;
        } else {
            self.state.ledger.row(iteration).exams = scores;
        }
        Ok(())
    }
}

/// `heldout 21.7 %, familiar 25.3 %`.
fn accuracies(scores: &[ExamScore]) -> String {
    let notes: Vec<String> =
        scores.iter().map(|s| format!("{} {:.1} %", s.name, 100.0 * s.accuracy)).collect();
    notes.join(", ")
}
