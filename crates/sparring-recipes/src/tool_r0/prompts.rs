use super::tool_list::ToolListStyle;
use super::{Context, TaskSpec};
use crate::RecipeError;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::{Deserialize, Serialize};
use sparring_core::{Message, Role};
use sparring_tools::ToolTask;

/// Templates of both players' prompts, in minijinja syntax.
///
/// | player | variables |
/// |---|---|
/// | Generator | `domain`, `context` (`single_turn` or `multi_turn`), `tools`, `calls`, `arguments` (none by default) |
/// | Solver | `question`, `tools` (the tools as JSON) |
///
/// `tools`, `calls` and `arguments` of the Generator are the requested numbers. [`Prompts::build`] compiles and tries
/// the templates; only [`CheckedPrompts`] are used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Prompts {
    /// The Generator's conversation; the content of each message is a template.
    pub generator: Vec<Message>,
    /// The Solver's conversation; the content of each message is a template.
    pub solver: Vec<Message>,
    /// How the tool list is formatted.
    #[serde(default)]
    pub tool_list: ToolListStyle,
}

impl Default for Prompts {
    fn default() -> Self {
        Self::tool_r0()
    }
}

impl Prompts {
    /// Returns prompts with these messages.
    pub fn new(generator: Vec<Message>, solver: Vec<Message>, tool_list: ToolListStyle) -> Self {
        Self { generator, solver, tool_list }
    }

    /// Returns Tool-R0's prompts (arXiv 2602.21320, figures 10 and 12) in other words, with two corrections: an empty
    /// list of calls is named as the right answer if no tool fits, and the Generator's prompt explains a
    /// specification of 0 calls.
    pub fn tool_r0() -> Self {
        Self {
            generator: vec![
                Message::system(include_str!("generator_system.txt").trim_end()),
                Message::user("Write one new task that meets the specification above."),
            ],
            solver: vec![
                Message::system(include_str!("solver_system.txt").trim_end()),
                Message::user("User request:\n{{ question }}\n\nAvailable tools (JSON):\n{{ tools }}"),
            ],
            tool_list: ToolListStyle::Indented,
        }
    }

    /// Compiles every template and renders it once in each context.
    ///
    /// # Errors
    /// [`RecipeError::Template`] if a template does not compile, uses an unknown variable, or fails to render.
    /// [`RecipeError::Setting`] if a player has no message.
    pub fn build(&self) -> Result<CheckedPrompts, RecipeError> {
        for (role, messages) in [("generator", &self.generator), ("solver", &self.solver)] {
            if messages.is_empty() {
                let why = "needs at least one message";
                return Err(RecipeError::setting(format!("prompts.{role}"), why));
            }
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let generator = add(&mut environment, "generator", &self.generator, GENERATOR_VARIABLES)?;
        let solver = add(&mut environment, "solver", &self.solver, SOLVER_VARIABLES)?;
        let checked = CheckedPrompts { environment, generator, solver, tool_list: self.tool_list };
        for context in [Context::SingleTurn, Context::MultiTurn] {
            for calls in 0..3 {
                for arguments in [None, Some(2)] {
                    let spec = TaskSpec { domain: "weather".into(), context, tools: 3, calls, arguments };
                    checked.try_render(&checked.generator, &generator_values(&spec))?;
                }
            }
        }
        checked.try_render(&checked.solver, &context! { question => "?", tools => "[]" })?;
        Ok(checked)
    }
}

const GENERATOR_VARIABLES: &[&str] = &["domain", "context", "tools", "calls", "arguments"];
const SOLVER_VARIABLES: &[&str] = &["question", "tools"];

/// Templates that were compiled and rendered; made by [`Prompts::build`].
#[derive(Debug, Clone)]
pub struct CheckedPrompts {
    environment: Environment<'static>,
    generator: Vec<(Role, String)>,
    solver: Vec<(Role, String)>,
    tool_list: ToolListStyle,
}

impl CheckedPrompts {
    /// Returns the Generator's prompt for a specification.
    pub fn generator_prompt(&self, spec: &TaskSpec) -> Vec<Message> {
        self.render(&self.generator, &generator_values(spec))
    }

    /// Returns the Solver's prompt for a task.
    pub fn solver_prompt(&self, task: &ToolTask) -> Vec<Message> {
        let tool_list = self.tool_list.write(&task.tools);
        self.render(&self.solver, &context! { question => task.question.as_str(), tools => tool_list })
    }

    /// Renders templates. A checked template can still fail on other values (an index out of range, say); the message
    /// then contains the error, because a prompt cannot report it otherwise.
    fn render(&self, templates: &[(Role, String)], values: &Value) -> Vec<Message> {
        self.try_render(templates, values).unwrap_or_else(|error| vec![Message::user(error.to_string())])
    }

    fn try_render(&self, templates: &[(Role, String)], values: &Value) -> Result<Vec<Message>, RecipeError> {
        templates
            .iter()
            .map(|(role, name)| {
                let content = self
                    .environment
                    .get_template(name)
                    .and_then(|template| template.render(values.clone()))
                    .map_err(|error| template_error(name, &error))?;
                Ok(Message::new(*role, content))
            })
            .collect()
    }
}

fn generator_values(spec: &TaskSpec) -> Value {
    context! {
        domain => spec.domain.as_str(),
        context => spec.context.as_str(),
        tools => spec.tools,
        calls => spec.calls,
        arguments => spec.arguments,
    }
}

/// Compiles the templates of one player; returns their roles and names.
fn add(
    environment: &mut Environment<'static>,
    role: &str,
    messages: &[Message],
    variables: &[&str],
) -> Result<Vec<(Role, String)>, RecipeError> {
    let mut names = Vec::new();
    for (i, message) in messages.iter().enumerate() {
        let name = format!("{role}[{i}]");
        environment
            .add_template_owned(name.clone(), message.content.clone())
            .map_err(|error| template_error(&name, &error))?;
        let template = environment.get_template(&name).map_err(|error| template_error(&name, &error))?;
        let mut used: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        used.sort();
        if let Some(unknown) = used.iter().find(|v| !variables.contains(&v.as_str())) {
            let why = format!("no variable `{unknown}`; there are {}", variables.join(", "));
            return Err(RecipeError::Template { template: name, why });
        }
        names.push((message.role, name));
    }
    Ok(names)
}

fn template_error(name: &str, error: &minijinja::Error) -> RecipeError {
    let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let why = match error.line() {
        Some(line) => format!("line {line} of the template: {why}"),
        None => why,
    };
    RecipeError::Template { template: name.to_owned(), why }
}
