use crate::SelfPlayError;
use crate::sampling::Attempt;
use serde::{Deserialize, Serialize};
use sparring_core::{Game, Sampler, Seed};

/// Held-out tasks on which the Solver is measured before the first and after every iteration.
#[derive(Debug, Clone)]
pub struct Evaluation<T> {
    /// Its name: `heldout` becomes `base.heldout_accuracy` and `final.heldout_accuracy` of the summary.
    pub name: String,
    /// The tasks.
    pub tasks: Vec<T>,
    /// Sampling temperature; 0 is greedy.
    pub temperature: f32,
    /// Answers drawn for each task, at least 1.
    pub samples: usize,
}

impl<T> Evaluation<T> {
    /// A greedy evaluation: one answer a task at temperature 0.
    pub fn greedy(name: impl Into<String>, tasks: Vec<T>) -> Self {
        Self { name: name.into(), tasks, temperature: 0.0, samples: 1 }
    }

    /// An evaluation of `samples` answers a task at this temperature.
    pub fn sampled(name: impl Into<String>, tasks: Vec<T>, temperature: f32, samples: usize) -> Self {
        Self { name: name.into(), tasks, temperature, samples }
    }

    /// Runs the evaluation: the share of answers that solve their task. A task that cannot be posed counts as not
    /// solved. The random numbers follow from `seed` and the evaluation's name.
    ///
    /// # Errors
    /// [`SelfPlayError::Policy`] for what the backend met.
    pub fn run<G: Game<Task = T>>(
        &self,
        game: &G,
        solver: &dyn Sampler,
        max_tokens: usize,
        seed: Seed,
    ) -> Result<EvaluationScore, SelfPlayError> {
        run_evaluation(game, solver, self, max_tokens, seed, 0, |_| {}).map(|(score, _)| score)
    }

    pub(crate) fn check(&self) -> Result<(), SelfPlayError> {
        let name = &self.name;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            return Err(SelfPlayError::invalid(format!(
                "evaluation {name:?}: a name is made of letters, digits, `_` and `-`"
            )));
        }
        if self.tasks.is_empty() || self.samples == 0 {
            return Err(SelfPlayError::invalid(format!(
                "evaluation {name}: give at least one task and one sample"
            )));
        }
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return Err(SelfPlayError::invalid(format!(
                "evaluation {name}: the temperature must be at least 0"
            )));
        }
        Ok(())
    }
}

/// The outcome of one evaluation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvaluationScore {
    /// The evaluation.
    pub name: String,
    /// Share of the answers that solve their task, in [0, 1].
    pub accuracy: f64,
    /// Standard error of the accuracy: see [`accuracy_with_error`].
    pub standard_error: f64,
    /// Number of tasks.
    pub tasks: usize,
    /// Number of answers for each task.
    pub samples: usize,
}

/// An answer that a report shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShownAnswer {
    /// Index of the task in its evaluation.
    pub task: usize,
    /// What the Solver said.
    pub answer: String,
    /// Whether it solves the task.
    pub solved: bool,
}

/// Accuracy and its standard error from each task's solved share.
///
/// With one answer a task the error is binomial, √(p(1−p)/n); with more, answers to one task are not
/// independent, and it is clustered by task: √(Σ(mᵢ−p)²/(n(n−1))) over the tasks' means mᵢ (0 for one task).
///
/// ```
/// let (p, se) = sparring_selfplay::accuracy_with_error(&[1.0, 0.0, 1.0, 1.0], 1);
/// assert_eq!(p, 0.75);
/// assert!((se - (0.75f64 * 0.25 / 4.0).sqrt()).abs() < 1e-12);
/// ```
pub fn accuracy_with_error(rates: &[f32], samples: usize) -> (f64, f64) {
    if rates.is_empty() {
        return (0.0, 0.0);
    }
    let n = rates.len() as f64;
    let p = rates.iter().map(|r| f64::from(*r)).sum::<f64>() / n;
    let variance = if samples <= 1 {
        p * (1.0 - p) / n
    } else {
        let squares: f64 = rates.iter().map(|r| (f64::from(*r) - p).powi(2)).sum();
        squares / (n * (n - 1.0).max(1.0))
    };
    (p, variance.max(0.0).sqrt())
}

/// Runs an evaluation. A task that cannot be posed counts as not solved. The first `shown` tasks' first answers
/// come back with the score.
pub(crate) fn run_evaluation<G: Game>(
    game: &G,
    solver: &dyn Sampler,
    evaluation: &Evaluation<G::Task>,
    max_tokens: usize,
    seed: Seed,
    shown: usize,
    done: impl FnMut(usize),
) -> Result<(EvaluationScore, Vec<ShownAnswer>), SelfPlayError> {
    let attempt = Attempt { samples: evaluation.samples, temperature: evaluation.temperature, max_tokens };
    let tasks: Vec<&G::Task> = evaluation.tasks.iter().collect();
    // The same random numbers at every evaluation: differences are the weights'.
    let answers = attempt.run(game, solver, &tasks, seed.child(&evaluation.name), done)?;
    let mut rates = Vec::with_capacity(tasks.len());
    let mut examples = Vec::new();
    for (i, (task, rollouts)) in tasks.iter().zip(&answers).enumerate() {
        let rollouts = rollouts.as_deref().unwrap_or_default();
        let solved = rollouts.iter().filter(|r| game.solved(task, r)).count();
        rates.push(solved as f32 / evaluation.samples as f32);
        if let Some(first) = rollouts.first().filter(|_| i < shown) {
            examples.push(ShownAnswer {
                task: i,
                answer: first.text.clone(),
                solved: game.solved(task, first),
            });
        }
    }
    let (accuracy, standard_error) = accuracy_with_error(&rates, evaluation.samples);
    let score = EvaluationScore {
        name: evaluation.name.clone(),
        accuracy,
        standard_error,
        tasks: tasks.len(),
        samples: evaluation.samples,
    };
    Ok((score, examples))
}
