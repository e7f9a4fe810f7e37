use super::extended::extended;
use super::grammar::is_name;
use super::prompts::{
    REQUEST, VALUES, contrast_text, copied, generator_text, solver_messages, thought, worked_answers,
};
use super::values::switched_on;
use super::{CallPlan, Catalogue, ParameterValues, PlanConfig, Request};
use super::{choice, complete, grammar, redraw, spans, twins};
use crate::RecipeError;
use crate::grammar::hook;
use crate::grammar::quotes::Quotes;
use crate::tool_r0::canonical_calls;
use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sparring_core::{Game, Hook, Message, Prompt, Rejection, Rollout, Seed};
use sparring_guided::Guide;
use sparring_tools::grounding::{Letters, is_grounded};
use sparring_tools::{CallParser, Format, ToolCall, ToolSpec, ToolTask, same_calls};
use sparring_train::check::at_most;
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
    /// Whether the Solver writes under a grammar in training.
    pub constrain_solver: bool,
    /// Whether the Solver's grammar takes the values of free strings, numbers and enumerations from the conversation,
    /// word for word. The Generator's requests mention every value, so that no other is ever right for them.
    pub quote: bool,
    /// Whether the Generator's grammar has every value of the calls stand in the request; with calls first only.
    pub grounded: bool,
    /// Largest number of words between two values of a request, and before and behind them.
    pub gap: usize,
    /// Largest number of characters of a string value that the Generator invents.
    pub value_chars: usize,
    /// Largest number of characters of a string that the Solver writes.
    pub answer_chars: usize,
    /// Whether the Solver first names the tools that the request needs, in `<think>` tags, and then calls them or
    /// declines. Whether a name is on the menu is easier to see than whether a tool on it serves the request.
    pub name_first: bool,
    /// What the Solver writes where no tool fits: its prompt asks for it, and its grammar allows no other text in the
    /// place of calls.
    pub decline: String,
    /// Largest number of calls that the Solver may write.
    pub most_calls: usize,
}

impl GameSettings {
    /// Grammars grow with these.
    pub(crate) fn check_bounds(&self) -> Result<(), RecipeError> {
        let bounds = [
            ("game.gap", self.gap, 1000),
            ("game.value_chars", self.value_chars, 100_000),
            ("game.answer_chars", self.answer_chars, 100_000),
            ("game.most_calls", self.most_calls, 1000),
        ];
        bounds
            .into_iter()
            .try_for_each(|(field, count, most)| at_most(field, count, most))
            .map_err(RecipeError::of_setting)
    }
}

impl Default for GameSettings {
    fn default() -> Self {
        Self {
            format: Format::Hermes,
            order: Order::CallsFirst,
            constrain_generator: true,
            constrain_solver: true,
            quote: true,
            grounded: true,
            gap: 4,
            value_chars: 32,
            answer_chars: 200,
            name_first: true,
            decline: "No tool fits.".to_owned(),
            most_calls: 2,
        }
    }
}

/// Self-play over a catalogue of tools: see the [module](super).
pub struct OwnToolsGame {
    catalogue: Catalogue,
    plan: PlanConfig,
    settings: GameSettings,
    guide: Option<Guide>,
    values: ParameterValues,
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
        settings.check_bounds()?;
        if settings.most_calls == 0 {
            return Err(RecipeError::setting("game.most_calls", "must be at least 1"));
        }
        if settings.most_calls == 1 && plan.joined > 0.0 {
            return Err(RecipeError::setting("plan.joined", "must be 0 with game.most_calls = 1"));
        }
        if settings.value_chars == 0 || settings.answer_chars == 0 {
            return Err(RecipeError::setting("game.value_chars", "and answer_chars must be at least 1"));
        }
        if settings.order == Order::RequestFirst && plan.given_values > 0.0 {
            let why = "must be 0 with game.order = \"request_first\": the values follow from the request";
            return Err(RecipeError::setting("plan.given_values", why));
        }
        if let Some(guide) = &guide {
            for tool in catalogue.tools() {
                grammar::answers(guide, std::slice::from_ref(tool), &settings)?;
            }
        }
        let parser = settings.format.parser_for(catalogue.tools().to_vec());
        if settings.name_first {
            check_names(&catalogue, &*parser)?;
        }
        Ok(Self { catalogue, plan, settings, guide, values: ParameterValues::default(), parser })
    }

    /// Sets the values that fit the parameters. By default every kind of value fits.
    #[must_use]
    pub fn with_values(mut self, values: ParameterValues) -> Self {
        self.values = values;
        self
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
        solver_messages(tools, conversation, &*self.parser, &self.settings)
    }

    /// The same prompt with worked examples of other tools, for comparison: what a base model can do without training.
    pub fn prompt_with_examples(&self, tools: &[ToolSpec], conversation: &[Message]) -> Vec<Message> {
        let mut messages = self.prompt(tools, conversation);
        if let Some(system) = messages.first_mut() {
            let examples = worked_answers(&*self.parser, &self.settings);
            system.content.push_str("\n\n");
            system.content.push_str(examples.trim_end());
        }
        messages
    }

    /// The grammar of the Solver's answers to a conversation with these tools; none without a guide, or where no
    /// grammar can be made.
    pub fn answer_hook(&self, tools: &[ToolSpec], conversation: &[Message]) -> Option<Hook> {
        let quoted = self.settings.quote.then(|| Quotes::of(conversation).tools(tools));
        let tools = quoted.as_deref().unwrap_or(tools);
        hook(grammar::answers(self.guide.as_ref()?, tools, &self.settings).map(Hook::new))
    }

    fn tool_specs(&self, names: &[String]) -> Vec<ToolSpec> {
        names.iter().filter_map(|name| self.catalogue.get(name).cloned()).collect()
    }

    /// Request and arguments of a proposal.
    fn parts(&self, plan: &CallPlan, text: &str) -> Result<(String, Vec<Map<String, Value>>), Rejection> {
        if !plan.arguments.is_empty() {
            return Ok((text.trim().to_owned(), plan.arguments.clone()));
        }
        let missing = |what: &str| Rejection::new("form", format!("the proposal has no {what}"));
        let (request, values) = match self.settings.order {
            Order::CallsFirst => {
                let (values, request) = text.split_once(REQUEST).ok_or_else(|| missing("request"))?;
                (request, values)
            }
            Order::RequestFirst => text.split_once(VALUES).ok_or_else(|| missing("values"))?,
        };
        let values = serde_json::from_str(values.trim())
            .map_err(|error| Rejection::new("values", format!("{error}: {}", values.trim())))?;
        Ok((request.trim().to_owned(), values))
    }

    fn calls(&self, plan: &CallPlan, arguments: Vec<Map<String, Value>>) -> Result<Vec<ToolCall>, Rejection> {
        if arguments.len() != plan.calls.len() {
            let detail = format!("planned {} calls, found values of {}", plan.calls.len(), arguments.len());
            return Err(Rejection::new("plan_calls", detail));
        }
        let mut calls = Vec::with_capacity(arguments.len());
        for (planned, arguments) in plan.calls.iter().zip(arguments) {
            let given = arguments.len() == planned.parameters.len()
                && planned.parameters.iter().all(|name| arguments.contains_key(name));
            if !given {
                let found: Vec<&String> = arguments.keys().collect();
                let detail = format!("planned {:?}, found {found:?}", planned.parameters);
                return Err(Rejection::new("plan_parameters", detail));
            }
            let call = ToolCall::new(&planned.tool, arguments);
            if let Some(Err(problems)) = self.catalogue.planned(&call.name).map(|tool| tool.validate(&call)) {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                return Err(Rejection::new("schema", problems.join("; ")));
            }
            calls.push(call);
        }
        Ok(calls)
    }

    /// Rejects a value that might belong to another parameter of its tool.
    fn check_clear(&self, request: &str, plan: &CallPlan, calls: &[ToolCall]) -> Result<(), Rejection> {
        for call in calls {
            let Some(tool) = self.catalogue.planned(&call.name) else { continue };
            let given = plan.without_later(&call.arguments);
            if let Some(name) = twins::unclear(&self.values, tool, &given, request) {
                let detail = format!("{request:?} does not say that {name} is meant");
                return Err(Rejection::new("unclear", detail));
            }
        }
        Ok(())
    }

    /// The only call with what the request mentions besides.
    fn completed(&self, mut calls: Vec<ToolCall>, request: &str) -> Vec<ToolCall> {
        if let ([call], true) = (calls.as_mut_slice(), self.plan.complete)
            && let Some(tool) = self.catalogue.get(&call.name)
        {
            *call = complete::completed(call.clone(), tool, request);
        }
        calls
    }
}

/// The stratum of requests that no tool of the catalogue serves.
const NO_TOOL: &str = "(no tool)";

/// Checks that answers may begin with the names of tools.
fn check_names(catalogue: &Catalogue, parser: &dyn CallParser) -> Result<(), RecipeError> {
    for tool in catalogue.tools() {
        if !is_name(&tool.name) {
            let why = format!(
                "must be false, or rename the tool {:?}: it has a '<', a comma or a line break, or is too long",
                tool.name
            );
            return Err(RecipeError::setting("game.name_first", why));
        }
        let call = ToolCall::new(&tool.name, Map::new());
        let answer = thought(&[&tool.name]) + &parser.render(std::slice::from_ref(&call));
        let read = parser.parse(&answer).is_ok_and(|calls| calls.len() == 1 && calls[0].name == call.name);
        if !read {
            let why = "must be false: in this format, no answer begins with a thought in <think> tags";
            return Err(RecipeError::setting("game.name_first", why));
        }
    }
    Ok(())
}

/// A request has at least this many words.
const FEWEST_WORDS: usize = 3;

fn check_request(request: &str, plan: &CallPlan, calls: &[ToolCall]) -> Result<(), Rejection> {
    if request.split_whitespace().count() < FEWEST_WORDS {
        return Err(Rejection::new("request_length", format!("{request:?} is too short")));
    }
    if let Some(known) = copied(request) {
        return Err(Rejection::new("copied", format!("{request:?} repeats {known:?} of a worked example")));
    }
    for (name, value) in calls.iter().flat_map(|call| &call.arguments) {
        let said = match value {
            Value::Bool(true) => !spans::of(request, &switched_on(name)).is_empty(),
            value => is_grounded(value, request, Letters::AllScripts),
        };
        if !plan.later.contains(name) && !said {
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
    type Task = Request;

    fn draw(&self, seed: Seed) -> CallPlan {
        self.plan.draw(&self.catalogue, &self.values, seed)
    }

    fn generator_prompt(&self, plan: &CallPlan) -> Prompt {
        Prompt::Text(generator_text(&self.catalogue, plan, self.settings.order))
    }

    fn contrast_prompt(&self, plan: &CallPlan) -> Option<Prompt> {
        Some(Prompt::Text(contrast_text(plan, self.settings.order)))
    }

    fn generator_hook(&self, plan: &CallPlan) -> Option<Hook> {
        let guide = self.guide.as_ref().filter(|_| self.settings.constrain_generator)?;
        hook(grammar::proposal(guide, &self.catalogue, plan, &self.settings))
    }

    fn read(&self, plan: &CallPlan, out: &Rollout) -> Result<Request, Rejection> {
        if out.truncated() {
            return Err(Rejection::new("cut_off", "the proposal does not end within max_tokens"));
        }
        let (request, arguments) = self.parts(plan, &out.text)?;
        let calls = self.calls(plan, arguments)?;
        check_request(&request, plan, &calls)?;
        self.check_clear(&request, plan, &calls)?;
        let calls = self.completed(calls, &request);
        let served = calls.iter().all(|call| self.catalogue.get(&call.name).is_some());
        let domain = if served { calls.first().map_or("", |call| &call.name) } else { NO_TOOL }.to_owned();
        let task = ToolTask { domain, ..ToolTask::new(request, self.tool_specs(&plan.menu), calls) };
        let request = Request::from(task);
        Ok(if served { request.ask_for_the_rest(plan) } else { request.without_its_tools() })
    }

    fn solver_prompt(&self, request: &Request) -> Vec<Message> {
        self.prompt(&request.task.tools, &request.conversation())
    }

    fn solver_hook(&self, request: &Request) -> Option<Hook> {
        let constrained = self.settings.constrain_solver;
        constrained.then(|| self.answer_hook(&request.task.tools, &request.conversation())).flatten()
    }

    fn gold_answer(&self, request: &Request) -> Option<String> {
        let task = &request.task;
        let answer = if task.calls.is_empty() {
            self.settings.decline.clone()
        } else {
            let calls: Vec<ToolCall> = task.calls.iter().map(|call| in_order(call, &task.tools)).collect();
            self.parser.render(&calls)
        };
        if !self.settings.name_first {
            return Some(answer);
        }
        Some(thought(&request.needed()) + &answer)
    }

    fn solved(&self, Request { task, .. }: &Request, out: &Rollout) -> bool {
        // An answer that is cut off in its thought has no calls yet.
        !out.truncated() && self.parser.parse(&out.text).is_ok_and(|calls| same_calls(&task.calls, &calls))
    }

    fn answer(&self, _: &Request, out: &Rollout) -> Option<String> {
        let calls = self.parser.parse(&out.text).ok().filter(|_| !out.truncated());
        calls.map(|calls| canonical_calls(&calls))
    }

    fn choose(&self, pool: &[&Request], n: usize, update: u64, seed: Seed) -> Option<Vec<(usize, Request)>> {
        let values = seed.child("values");
        let redrawn = |request, place| {
            let rng = &mut values.index(place).rng();
            let lower = rng.random::<f64>() < self.plan.lower_case;
            let request = redraw::redrawn(request, &self.catalogue, &self.values, self.plan.redraw, rng);
            if lower { redraw::in_lower_case(request, &self.catalogue) } else { request }
        };
        let more = |request: &Request, other: &Request| {
            let longer = extended(request, other)?;
            let call = &longer.task.calls[0];
            let tool = self.catalogue.get(&call.name)?;
            let clear = twins::unclear(&self.values, tool, &call.arguments, &longer.task.question).is_none();
            clear.then_some(longer)
        };
        choice::of_one_menu(&self.catalogue, &self.plan, pool, n, update, seed.child("menu"), (more, redrawn))
    }

    /// What is said, and the calls: requests in other words for the same calls are other tasks.
    fn signature(&self, request: &Request) -> String {
        let said = request.conversation().into_iter().map(|message| message.content.to_lowercase());
        let (calls, missing) = (canonical_calls(&request.task.calls), request.missing.join(" "));
        format!("{}\n{calls}\n{missing}", said.collect::<Vec<_>>().join("\n"))
    }

    fn stratum(&self, request: &Request) -> String {
        request.task.domain.clone()
    }
}

/// A call with its arguments in the order of the tool's parameters, as grammars have them.
fn in_order(call: &ToolCall, tools: &[ToolSpec]) -> ToolCall {
    let mut call = call.clone();
    if let Some(tool) = tools.iter().find(|tool| tool.name == call.name) {
        let place = |name: &str| tool.parameters.keys().position(|known| known == name);
        let mut arguments: Vec<(String, Value)> = call.arguments.into_iter().collect();
        arguments.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
        call.arguments = arguments.into_iter().collect();
    }
    call
}
