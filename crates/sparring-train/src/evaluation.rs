use crate::store::Journal;
use crate::{TrainError, check, requests, sample_where_possible, under_hooks};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sparring_core::{Game, Hook, Prompt, Rollout, Sampler, SamplingParams, Seed};
use std::fmt;

/// Answers of each evaluation that the report shows.
const SHOWN: usize = 12;

/// Held-out tasks that measure a model between updates.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Evaluation<T> {
    /// Its name: `heldout` becomes `base.heldout_accuracy` and `final.heldout_accuracy` of the summary.
    pub name: String,
    /// The tasks, at least one.
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

    /// Runs the evaluation on a game's tasks: see [`Evaluator::run`].
    ///
    /// # Errors
    /// As [`Evaluator::run`].
    pub fn run<G: Game<Task = T>>(
        &self,
        game: &G,
        solver: &dyn Sampler,
        max_tokens: usize,
        seed: Seed,
    ) -> Result<EvaluationScore, TrainError> {
        let prompt = |task: &T| game.solver_prompt(task).into();
        let hook = |task: &T| game.solver_hook(task);
        let solved = |task: &T, out: &Rollout| game.solved(task, out);
        let sampling = SamplingParams::default().with_max_tokens(max_tokens);
        let evaluator =
            Evaluator { prompt: &prompt, hook: &hook, solved: &solved, model: "solver", sampling, seed };
        evaluator.run(self, solver, |_| {}).map(|(score, _)| score)
    }

    /// Checks each evaluation of a run, and that no two have one name.
    ///
    /// # Errors
    /// [`TrainError::Invalid`] names the evaluation.
    pub fn check_all(evaluations: &[Self]) -> Result<(), TrainError> {
        for (i, evaluation) in evaluations.iter().enumerate() {
            evaluation.check()?;
            if evaluations[..i].iter().any(|other| other.name == evaluation.name) {
                return Err(TrainError::invalid(format!(
                    "evaluation {}: two evaluations have this name",
                    evaluation.name
                )));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TrainError> {
        let name = &self.name;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            return Err(TrainError::invalid(format!(
                "evaluation {name:?}: a name is made of letters, digits, `_` and `-`"
            )));
        }
        if self.tasks.is_empty() || self.samples == 0 {
            return Err(TrainError::invalid(format!(
                "evaluation {name}: give at least one task and one sample"
            )));
        }
        check::at_most(&format!("evaluation {name}, samples"), self.samples, check::MOST_COMPLETIONS)?;
        check::temperature(&format!("evaluation {name}, temperature"), self.temperature)
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
    /// The model's answer.
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
/// let (p, se) = sparring_train::accuracy_with_error(&[1.0, 0.0, 1.0, 1.0], 1);
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

/// The model-independent half of an evaluation: prompts, and which answers are right. It needs a [`Sampler`] only.
pub struct Evaluator<'a, T> {
    /// The prompt of a task.
    pub prompt: &'a dyn Fn(&T) -> Prompt,
    /// The hook that its answers are drawn under, if any.
    pub hook: &'a dyn Fn(&T) -> Option<Hook>,
    /// Whether an answer solves a task.
    pub solved: &'a dyn Fn(&T, &Rollout) -> bool,
    /// The model's name in errors.
    pub model: &'static str,
    /// How answers are drawn: length, stop strings and the rest, but the temperature is each evaluation's own.
    pub sampling: SamplingParams,
    /// Seed of the answers: the same at every evaluation, so that only the weights differ.
    pub seed: Seed,
}

impl<T> fmt::Debug for Evaluator<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluator").field("sampling", &self.sampling).finish_non_exhaustive()
    }
}

impl<T> Evaluator<'_, T> {
    /// Runs an evaluation: the share of answers that solve their task, and the first tasks' first answers. A task
    /// with an invalid prompt counts as not solved. Task `i` draws from the seed's child of the
    /// evaluation's name and `i`. `done` is called with the number of tasks done.
    ///
    /// # Errors
    /// [`TrainError::Policy`] where the backend fails; [`TrainError::Setting`] if the evaluation has no tasks or asks
    /// for no answers.
    pub fn run(
        &self,
        evaluation: &Evaluation<T>,
        sampler: &dyn Sampler,
        done: impl FnMut(usize),
    ) -> Result<(EvaluationScore, Vec<ShownAnswer>), TrainError> {
        evaluation.check()?;
        let Evaluation { name, tasks, temperature, samples } = evaluation;
        let params = self.sampling.clone().with_temperature(*temperature);
        let mut requests = requests(tasks.iter().map(self.prompt), *samples, &params, self.seed.child(name));
        under_hooks(&mut requests, tasks.iter().map(self.hook));
        let answers = sample_where_possible(sampler, self.model, &requests, done)?;
        let mut rates = Vec::with_capacity(tasks.len());
        let mut shown = Vec::new();
        for (i, (task, rollouts)) in tasks.iter().zip(&answers).enumerate() {
            let rollouts = rollouts.as_deref().unwrap_or_default();
            let solved: Vec<bool> = rollouts.iter().map(|out| (self.solved)(task, out)).collect();
            rates.push(solved.iter().filter(|solved| **solved).count() as f32 / *samples as f32);
            if let Some(first) = rollouts.first().filter(|_| i < SHOWN) {
                shown.push(ShownAnswer { task: i, answer: first.text.clone(), solved: solved[0] });
            }
        }
        let (accuracy, standard_error) = accuracy_with_error(&rates, *samples);
        let (name, tasks, samples) = (name.clone(), tasks.len(), *samples);
        Ok((EvaluationScore { name, accuracy, standard_error, tasks, samples }, shown))
    }

    /// Runs all evaluations and records each, with its place in the run (`("iteration", 3)`, say). With
    /// `show`, the first tasks of each are recorded too, as the JSON that it makes of them.
    ///
    /// # Errors
    /// As [`Evaluator::run`]; [`TrainError::Io`] for the journal.
    pub fn run_all(
        &self,
        evaluations: &[Evaluation<T>],
        sampler: &dyn Sampler,
        journal: &mut Journal<'_, '_>,
        place: (&str, usize),
        show: Option<&dyn Fn(&T) -> Value>,
    ) -> Result<Vec<EvaluationScore>, TrainError> {
        let mut scores = Vec::new();
        let mut before = 0;
        for evaluation in evaluations {
            let name = &evaluation.name;
            if let Some(show) = show {
                let tasks = evaluation.tasks.iter().take(SHOWN).map(show).collect();
                journal.record("evaluation_tasks", &EvaluationTasks { evaluation: name, tasks })?;
            }
            let done = |done| journal.progress(before + done, name);
            let (score, shown) = self.run(evaluation, sampler, done)?;
            before += evaluation.tasks.len();
            let mut at = Map::new();
            at.insert(place.0.to_owned(), Value::from(place.1));
            journal.record("evaluation", &EvaluationRecord { at, score: &score, shown: &shown })?;
            scores.push(score);
            journal.progress(before, &accuracies(&scores));
        }
        Ok(scores)
    }
}

#[derive(Serialize)]
struct EvaluationRecord<'a> {
    #[serde(flatten)]
    at: Map<String, Value>,
    #[serde(flatten)]
    score: &'a EvaluationScore,
    shown: &'a [ShownAnswer],
}

#[derive(Serialize)]
struct EvaluationTasks<'a> {
    evaluation: &'a str,
    tasks: Vec<Value>,
}

/// `heldout 21.7 %, familiar 25.3 %`.
fn accuracies(scores: &[EvaluationScore]) -> String {
    let notes: Vec<String> =
        scores.iter().map(|s| format!("{} {:.1} %", s.name, 100.0 * s.accuracy)).collect();
    notes.join(", ")
}
