use super::grammar;
use super::prompts::{generator_messages, is_copied, solver_messages};
use super::{CallPlan, Catalogue, PlanConfig};
use crate::RecipeError;
use crate::tool_r0::{canonical_calls, without_called_tools};
use serde::{Deserialize, Serialize};
use sparring_core::{Game, Hook, Message, Rejection, Rollout, Seed};
use sparring_guided::Guide;
use sparring_tools::grounding::{Letters, is_grounded};
use sparring_tools::{CallParser, Format, ToolCall, ToolSpec, ToolTask, same_calls, signature};
use std::fmt;

/// What the Generator writes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Order {
    /// The calls, then a request that they serve.
    #[default]
    CallsFirst,
    /// The request, then the calls.
    RequestFirst,
}

/// Settings of [`OwnToolsGame`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
// Independent switches of a settings file.
#[allow(clippy::struct_excessive_bools)]
pub struct GameSettings {
    /// How calls are written.
    pub format: Format,
    /// What the Generator writes first.
    pub order: Order,
    /// Whether the Generator writes under a grammar.
    pub constrain_generator: bool,
    /// Whether the Solver writes under a grammar, in training and in evaluations of the run.
    pub constrain_solver: bool,
    /// Whether the Generator's grammar has every value of the calls stand in the request; with calls first only.
    pub grounded: bool,
    /// Largest number of words between two values of a request.
    pub gap: usize,
    /// Largest number of characters of a string that the Generator writes.
    pub value_chars: usize,
    /// Largest number of characters of a string that the Solver writes.
    pub answer_chars: usize,
    /// What the Solver writes where no tool fits: its prompt asks for it, and its grammar allows no other text.
    pub decline: String,
    /// Largest number of calls that the Solver may write.
    pub most_calls: usize,
    /// Whether no-call tasks are derived, by taking the called tools off the menu.
    pub derive_no_call: bool,
}

impl Default for GameSettings {
    fn default() -> Self {
        Self {
            format: Format::Hermes,
            order: Order::CallsFirst,
            constrain_generator: true,
            constrain_solver: true,
            grounded: true,
            gap: 7,
            value_chars: 32,
            answer_chars: 200,
            decline: "No tool fits.".to_owned(),
            most_calls: 2,
            derive_no_call: true,
        }
    }
}

/// Self-play over a catalogue of tools: see the [module](super).
pub struct OwnToolsGame {
    catalogue: Catalogue,
    plan: PlanConfig,
    settings: GameSettings,
    guide: Option<Guide>,
    parser: Box<dyn CallParser>,
}

impl fmt::Debug for OwnToolsGame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnToolsGame").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl OwnToolsGame {
    /// A game over these tools. Without a `guide`, which belongs to the tokenizer of both players, they write freely.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field; [`RecipeError::Grammar`] names a tool that no grammar can be made of.
    pub fn new(
        catalogue: Catalogue,
        plan: PlanConfig,
        settings: GameSettings,
        guide: Option<Guide>,
    ) -> Result<Self, RecipeError> {
        plan.validate()?;
        if settings.most_calls == 0 {
            return Err(RecipeError::setting("game.most_calls", "must be at least 1"));
        }
        if settings.value_chars == 0 || settings.answer_chars == 0 {
            return Err(RecipeError::setting("game.value_chars", "and answer_chars must be at least 1"));
        }
        if let Some(guide) = &guide {
            for tool in catalogue.tools() {
                grammar::answers(guide, std::slice::from_ref(tool), &settings)?;
                grammar::proposals(guide, std::slice::from_ref(tool), &settings)?;
            }
        }
        let parser = settings.format.parser_for(catalogue.tools().to_vec());
        Ok(Self { catalogue, plan, settings, guide, parser })
    }

    /// The tools.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The settings.
    pub fn settings(&self) -> &GameSettings {
        &self.settings
    }

    /// The Solver's prompt for any conversation and tools, those of an evaluation, say.
    pub fn prompt(&self, tools: &[ToolSpec], conversation: &[Message]) -> Vec<Message> {
        solver_messages(tools, conversation, &*self.parser, &self.settings.decline)
    }

    /// The grammar of the Solver's answers with these tools; none without a guide, or where no grammar can be made.
    pub fn answer_hook(&self, tools: &[ToolSpec]) -> Option<Hook> {
        grammar::answers(self.guide.as_ref()?, tools, &self.settings).ok().map(Hook::new)
    }

    fn tool_specs(&self, names: &[String]) -> Vec<ToolSpec> {
        names.iter().filter_map(|name| self.catalogue.get(name).cloned()).collect()
    }

    fn check_calls(&self, plan: &CallPlan, calls: &[ToolCall]) -> Result<(), Rejection> {
        let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
        let planned: Vec<&str> = plan.calls.iter().map(|call| call.tool.as_str()).collect();
        if names != planned {
            return Err(Rejection::new("plan_tools", format!("planned {planned:?}, found {names:?}")));
        }
        for (planned, call) in plan.calls.iter().zip(calls) {
            let given = call.arguments.len() == planned.parameters.len()
                && planned.parameters.iter().all(|name| call.arguments.contains_key(name));
            if !given {
                let found: Vec<&String> = call.arguments.keys().collect();
                let detail = format!("planned {:?}, found {found:?}", planned.parameters);
                return Err(Rejection::new("plan_parameters", detail));
            }
            let tool = self.catalogue.get(&call.name);
            if let Some(Err(problems)) = tool.map(|tool| tool.validate(call)) {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                return Err(Rejection::new("schema", problems.join("; ")));
            }
        }
        Ok(())
    }
}

/// A request has at least this many words.
const FEWEST_WORDS: usize = 3;

fn check_request(request: &str, calls: &[ToolCall]) -> Result<(), Rejection> {
    if request.split_whitespace().count() < FEWEST_WORDS {
        return Err(Rejection::new("request_length", format!("{request:?} is too short")));
    }
    for (name, value) in calls.iter().flat_map(|call| &call.arguments) {
        if is_copied(value) {
            return Err(Rejection::new("copied", format!("{name} is {value}, as in a worked example")));
        }
        if !is_grounded(value, request, Letters::AllScripts) {
            return Err(Rejection::new(
                "ungrounded",
                format!("{name} is {value}, which the request does not say"),
            ));
        }
    }
    Ok(())
}

impl Game for OwnToolsGame {
    type Spec = CallPlan;
    type Task = ToolTask;

    fn draw(&self, seed: Seed) -> CallPlan {
        self.plan.draw(&self.catalogue, seed)
    }

    fn generator_prompt(&self, plan: &CallPlan) -> Vec<Message> {
        let calls_first = self.settings.order == Order::CallsFirst;
        generator_messages(&self.catalogue, plan, &*self.parser, calls_first)
    }

    fn generator_hook(&self, plan: &CallPlan) -> Option<Hook> {
        let guide = self.guide.as_ref().filter(|_| self.settings.constrain_generator)?;
        let planned = grammar::planned(&self.catalogue, plan);
        grammar::proposals(guide, &planned, &self.settings).ok().map(Hook::new)
    }

    fn read(&self, plan: &CallPlan, out: &Rollout) -> Result<ToolTask, Rejection> {
        if out.truncated() {
            return Err(Rejection::new("cut_off", "the proposal does not end within max_tokens"));
        }
        let reading = self.parser.read(&out.text);
        let request = reading.content.trim().to_owned();
        let calls = reading.strict().map_err(|error| Rejection::new("calls", error.to_string()))?;
        self.check_calls(plan, &calls)?;
        check_request(&request, &calls)?;
        let domain = plan.calls.first().map(|call| call.tool.clone()).unwrap_or_default();
        Ok(ToolTask { domain, ..ToolTask::new(request, self.tool_specs(&plan.menu), calls) })
    }

    fn solver_prompt(&self, task: &ToolTask) -> Vec<Message> {
        self.prompt(&task.tools, &[Message::user(task.question.clone())])
    }

    fn solver_hook(&self, task: &ToolTask) -> Option<Hook> {
        if self.settings.constrain_solver { self.answer_hook(&task.tools) } else { None }
    }

    fn gold_answer(&self, task: &ToolTask) -> Option<String> {
        let declines = task.calls.is_empty();
        Some(if declines { self.settings.decline.clone() } else { self.parser.render(&task.calls) })
    }

    fn solved(&self, task: &ToolTask, out: &Rollout) -> bool {
        self.parser.parse(&out.text).is_ok_and(|calls| same_calls(&task.calls, &calls))
    }

    fn answer(&self, _: &ToolTask, out: &Rollout) -> Option<String> {
        self.parser.parse(&out.text).ok().map(|calls| canonical_calls(&calls))
    }

    fn signature(&self, task: &ToolTask) -> String {
        signature(task)
    }

    fn stratum(&self, task: &ToolTask) -> String {
        task.domain.clone()
    }

    fn derive(&self, task: &ToolTask, other: Option<&ToolTask>, seed: Seed) -> Vec<ToolTask> {
        if !self.settings.derive_no_call {
            return Vec::new();
        }
        without_called_tools(task, other, seed).into_iter().collect()
    }
}
