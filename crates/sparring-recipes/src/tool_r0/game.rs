use super::derive::without_called_tools;
use super::options::GameOptions;
use super::prompts::{CheckedPrompts, Prompts};
use super::proposal::{BlockOrder, Proposal, missing};
use super::spec::{SpecDistribution, TaskSpec};
use super::tags;
use super::verifier::has_think;
use crate::RecipeError;
use rand::seq::SliceRandom;
use sparring_core::{Game, Message, Prompt, Rejection, Rollout, Seed};
use sparring_tools::{ToolTask, signature_with, structure};

/// From this number of arguments on, tasks belong to the same stratum.
const MANY_ARGUMENTS: usize = 4;

/// Tool-R0's game: the Generator writes a request, a list of tools and the calls that serve it; the Solver is given
/// the request and the tools and must make the calls.
#[derive(Debug, Clone)]
pub struct ToolR0Game {
    specs: SpecDistribution,
    prompts: CheckedPrompts,
    options: GameOptions,
}

impl ToolR0Game {
    /// Returns a game with these specifications and prompts.
    ///
    /// # Errors
    /// [`RecipeError`] with the invalid field of the specification or the invalid template.
    pub fn new(
        specs: SpecDistribution,
        prompts: &Prompts,
        options: GameOptions,
    ) -> Result<Self, RecipeError> {
        specs.validate()?;
        Ok(Self { specs, prompts: prompts.build()?, options })
    }

    /// Returns the settings.
    pub fn options(&self) -> &GameOptions {
        &self.options
    }

    /// Reads a proposal's text for a specification, with the tools in the order of the text ([`Game::read`] shuffles
    /// them if [`GameOptions::shuffle_tools`] is set).
    ///
    /// # Errors
    /// A [`Rejection`] with the first rule that is broken: `missing_block`, `tools_json`, `calls_json`, `spec_tools`,
    /// `spec_calls`, `spec_arguments`, or one of the structural rules.
    pub fn read_text(&self, spec: &TaskSpec, text: &str) -> Result<ToolTask, Rejection> {
        let order = if self.options.strict_order { BlockOrder::Strict } else { BlockOrder::Any };
        let proposal = Proposal::parse_in(text, order);
        if self.options.require_think && proposal.think.is_none() {
            return Err(missing(tags::THINK));
        }
        let question = proposal.question.ok_or_else(|| missing(tags::QUESTION))?;
        let task = ToolTask {
            question,
            tools: proposal.tools?,
            calls: proposal.calls?,
            domain: spec.domain.clone(),
        };
        if self.options.enforce_spec {
            check_spec(spec, &task)?;
        }
        structure::check(&task, &self.options.structure)
            .map_err(|violation| Rejection::new(violation.rule.to_string(), violation.detail))?;
        Ok(task)
    }
}

/// Checks that the proposal has the requested numbers of tools, calls and arguments.
fn check_spec(spec: &TaskSpec, task: &ToolTask) -> Result<(), Rejection> {
    let arguments = task.argument_count();
    let counts = [
        ("spec_tools", "tools", spec.tools, task.tools.len()),
        ("spec_calls", "calls", spec.calls, task.calls.len()),
        ("spec_arguments", "arguments", spec.arguments.unwrap_or(arguments), arguments),
    ];
    for (rule, what, requested, found) in counts {
        if requested != found {
            return Err(Rejection::new(rule, format!("requested {requested} {what}, found {found}")));
        }
    }
    Ok(())
}

impl Game for ToolR0Game {
    type Spec = TaskSpec;
    type Task = ToolTask;

    fn draw(&self, seed: Seed) -> TaskSpec {
        self.specs.draw(seed)
    }

    fn generator_prompt(&self, spec: &TaskSpec) -> Prompt {
        self.prompts.generator_prompt(spec).into()
    }

    fn read(&self, spec: &TaskSpec, out: &Rollout) -> Result<ToolTask, Rejection> {
        let mut task = self.read_text(spec, &out.text)?;
        if self.options.shuffle_tools {
            // Depends on question and tools only, so that a task does not change when it is written and read again.
            task.tools.sort_by(|a, b| a.name.cmp(&b.name));
            task.tools.shuffle(&mut Seed::new(0).child(&task.question).rng());
        }
        Ok(task)
    }

    fn solver_prompt(&self, task: &ToolTask) -> Vec<Message> {
        self.prompts.solver_prompt(task)
    }

    fn solved(&self, task: &ToolTask, out: &Rollout) -> bool {
        (!self.options.require_think || has_think(&out.text))
            && self.options.verifier.solved(&task.calls, &out.text)
    }

    fn answer(&self, _: &ToolTask, out: &Rollout) -> Option<String> {
        self.options.verifier.answer(&out.text)
    }

    fn signature(&self, task: &ToolTask) -> String {
        signature_with(task, self.options.signature)
    }

    fn stratum(&self, task: &ToolTask) -> String {
        if !self.options.stratify_arguments {
            return task.domain.clone();
        }
        format!("{}, arguments: {}", task.domain, task.argument_count().min(MANY_ARGUMENTS))
    }

    fn derive(&self, task: &ToolTask, other: Option<&ToolTask>, seed: Seed) -> Vec<ToolTask> {
        if !self.options.derive_no_call {
            return Vec::new();
        }
        without_called_tools(task, other, seed).into_iter().collect()
    }
}
