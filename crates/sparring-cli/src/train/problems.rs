//! The tasks of a file, with their prompts.

use super::reads::Reads;
use serde::Serialize;
use sparring::core::{BoxError, Component, Message, Prompt, Reward, RewardContext, Role, Rollout};
use sparring::eval::{Expected, Item, Prompter, Suite};
use sparring::reward::BoxReward;
use sparring::tools::ToolTask;
use std::path::Path;
use std::sync::Arc;

/// A task as rewards, sampler and evaluation want it. Serialised, it is what a report shows.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(flatten)]
    pub(crate) task: ToolTask,
    #[serde(skip)]
    pub(crate) item: Item,
    #[serde(skip)]
    pub(crate) prompt: Prompt,
}

/// Makes a solver's prompts.
pub(crate) struct Problems<'a> {
    pub(crate) prompter: Box<dyn Prompter + 'a>,
    pub(crate) reads: &'a Reads,
}

impl Problems<'_> {
    /// The tasks of a file, with the prompts of a solver.
    pub(crate) fn load(&self, file: &Path) -> Result<Vec<Arc<Problem>>, BoxError> {
        load(file, |item| self.prompt(item))
    }

    /// The prompt that asks for the calls that serve the item, in the form that is rewarded.
    pub(crate) fn prompt(&self, item: &Item) -> Result<Prompt, BoxError> {
        let instruction = self.reads.instruction();
        if instruction.is_empty() {
            return self.prompter.prompt(item);
        }
        let mut item = item.clone();
        match item.messages.first_mut().filter(|first| first.role == Role::System) {
            Some(system) => system.content = format!("{}\n\n{instruction}", system.content),
            None => item.messages.insert(0, Message::system(instruction)),
        }
        self.prompter.prompt(&item)
    }
}

/// The tasks of a file, with these prompts.
pub(crate) fn load(
    file: &Path,
    prompt: impl Fn(&Item) -> Result<Prompt, BoxError>,
) -> Result<Vec<Arc<Problem>>, BoxError> {
    let problem = |item: Item| {
        let prompt = prompt(&item).map_err(|error| format!("{}: {}: {error}", file.display(), item.id))?;
        Ok(Arc::new(Problem { task: tool_task(&item), item, prompt }))
    };
    Suite::Unified.load(file, &[])?.items.into_iter().map(problem).collect()
}

fn tool_task(item: &Item) -> ToolTask {
    let question = item.messages.iter().rev().find(|message| message.role == Role::User);
    ToolTask {
        question: question.map(|message| message.content.clone()).unwrap_or_default(),
        tools: item.tools.clone(),
        calls: if let Expected::Calls(calls) = &item.expected { calls.clone() } else { Vec::new() },
        domain: item.category.clone(),
    }
}

/// A reward of tool tasks, for problems.
pub(crate) struct OfTask(pub(crate) BoxReward<ToolTask>);

impl Reward<Arc<Problem>> for OfTask {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn score(
        &self,
        problem: &Arc<Problem>,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        self.0.score(&problem.task, group, ctx)
    }

    fn components(
        &self,
        problem: &Arc<Problem>,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        self.0.components(&problem.task, group, ctx)
    }
}
