//! The proposer's half of a paper: it is asked for new questions, and the base model tries them.

use super::problems::{self, Problem, Problems};
use super::reads::Reads;
use super::{consistency, settings::Recorded};
use sparring::core::{BoxError, Message, Prompt, Role, Rollout, Sampler, SamplingParams, Seed};
use sparring::eval::Item;
use sparring::tools::Dialect;
use sparring::train::{requests, sample_where_possible};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// The solve rates of a group's completions.
type Rates = Vec<Option<f32>>;

/// Asks for proposals, and measures how hard they are.
pub(crate) struct Proposer<'a> {
    /// What the proposer's reward reads.
    reads: Reads,
    solver: &'a Problems<'a>,
    base: &'a dyn Sampler,
    params: SamplingParams,
    /// Answers to each question.
    probes: usize,
}

impl<'a> Proposer<'a> {
    pub(crate) fn new(
        settings: &Recorded,
        solver: &'a Problems<'a>,
        base: &'a dyn Sampler,
    ) -> Result<Self, BoxError> {
        let reads = Reads::of(settings.proposer()?);
        let params = settings.solver_sampling();
        Ok(Self { reads, solver, base, params, probes: settings.run.probes })
    }

    /// The tasks of a file, with prompts that ask for another question over the same tools.
    pub(crate) fn load(&self, file: &Path) -> Result<Vec<Arc<Problem>>, BoxError> {
        problems::load(file, |item| Ok(self.prompt(item).into()))
    }

    fn prompt(&self, item: &Item) -> Vec<Message> {
        let mut system =
            String::from("There are these tools, one a line, with the JSON Schema of their parameters:\n");
        for tool in &item.tools {
            let _ = writeln!(system, "{}", tool.to_json(Dialect::Bare));
        }
        let mut messages = vec![Message::system(system.trim_end())];
        messages.extend(item.messages.iter().filter(|turn| turn.role != Role::System).cloned());
        let instruction = self.reads.proposal();
        match messages.last_mut().filter(|last| last.role == Role::User) {
            Some(last) => last.content = format!("{}\n\n{instruction}", last.content),
            None => messages.push(Message::user(instruction)),
        }
        messages
    }

    /// The share of the base model's answers that are its most frequent one, for each proposed question; `None` for
    /// completions without a question, and for questions that are too long.
    pub(crate) fn solve_rates(
        &self,
        tasks: &[Arc<Problem>],
        groups: &[Vec<Rollout>],
        seed: Seed,
    ) -> Result<Vec<Rates>, BoxError> {
        let mut rates: Vec<Rates> = groups.iter().map(|group| vec![None; group.len()]).collect();
        let (mut places, mut prompts) = (Vec::new(), Vec::new());
        for (g, (task, group)) in tasks.iter().zip(groups).enumerate() {
            for (i, out) in group.iter().enumerate() {
                if let Some(question) = self.reads.question.of(&out.text) {
                    places.push((g, i));
                    prompts.push(self.asked(task, question)?);
                }
            }
        }
        let requests = requests(prompts, self.probes, &self.params, seed);
        let answers = sample_where_possible(self.base, "base model", &requests, |_| {})?;
        for ((g, i), answers) in places.into_iter().zip(answers) {
            rates[g][i] = answers.map(|answers| consistency(self.solver.reads, &answers) as f32);
        }
        Ok(rates)
    }

    /// A proposed question, put to a solver with the tools of the task that prompted it.
    fn asked(&self, task: &Problem, question: String) -> Result<Prompt, BoxError> {
        let (id, category) = (&task.item.id, &task.item.category);
        let tools = task.item.tools.clone();
        self.solver.prompt(&Item::calls(id, category, vec![Message::user(question)], tools, Vec::new()))
    }
}
