use super::derive::without_called_tools;
use super::grammar;
use super::options::GameOptions;
use super::prompts::{CheckedPrompts, Prompts};
use super::proposal::{BlockOrder, Proposal, missing};
use super::spec::{SpecDistribution, TaskSpec};
use super::tags;
use super::verifier::has_think;
use crate::RecipeError;
use crate::grammar::hook;
use rand::seq::SliceRandom;
use sparring_core::{Game, Hook, Message, Prompt, Rejection, Role, Rollout, Seed};
use sparring_guided::Guide;
use sparring_tools::{CallParser, ToolR0Tags, ToolSpec, ToolTask, signature_with, structure};

/// From this number of arguments on, tasks belong to the same stratum.
const MANY_ARGUMENTS: usize = 4;

/// The Solver may write this many calls under a grammar.
const MOST_CALLS: usize = 3;

/// Tool-R0's game: the Generator writes a request, a list of tools and the calls that serve it; the Solver is given
/// the request and the tools and must make the calls.
#[derive(Debug, Clone)]
pub struct ToolR0Game {
    specs: SpecDistribution,
    prompts: CheckedPrompts,
    options: GameOptions,
    guide: Option<Guide>,
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
        Ok(Self { specs, prompts: prompts.build()?, options, guide: None })
    }

    /// Lets both players write under grammars if [`GameOptions::constrain`] is set. The guide belongs to the tokenizer
    /// of both.
    ///
    /// # Errors
    /// [`RecipeError::Grammar`] if the tokenizer cannot write what the grammars ask for.
    pub fn with_guide(mut self, guide: Guide) -> Result<Self, RecipeError> {
        grammar::proposal(&guide, &self.specs.draw(Seed::new(0)))?;
        self.guide = Some(guide);
        Ok(self)
    }

    /// The guide, if the players write under grammars.
    fn constrained(&self) -> Option<&Guide> {
        self.guide.as_ref().filter(|_| self.options.constrain)
    }

    /// A task of any conversation and tools, those of an evaluation, say; its calls are unknown.
    pub fn task(tools: &[ToolSpec], conversation: &[Message]) -> ToolTask {
        let question = match conversation {
            [only] => only.content.clone(),
            all => all.iter().fold("# Conversation".to_owned(), |text, message| {
                let who = match message.role {
                    Role::User => "User",
                    Role::System => "System",
                    Role::Tool => "Tool",
                    _ => "Agent",
                };
                format!("{text}\n{who}: {}", message.content)
            }),
        };
        ToolTask::new(question, tools.to_vec(), Vec::new())
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

    fn generator_hook(&self, spec: &TaskSpec) -> Option<Hook> {
        hook(grammar::proposal(self.constrained()?, spec).map(Hook::new))
    }

    fn solver_hook(&self, task: &ToolTask) -> Option<Hook> {
        let most = task.calls.len().max(MOST_CALLS);
        hook(grammar::answer(self.constrained()?, &task.tools, &task.question, most).map(Hook::new))
    }

    fn gold_answer(&self, task: &ToolTask) -> Option<String> {
        // Nobody wrote the thoughts that would lead to the calls.
        (!self.options.require_think).then(|| ToolR0Tags::default().render(&task.calls))
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
