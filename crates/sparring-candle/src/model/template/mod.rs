//! Chat templates: the Jinja programs of Hugging Face tokenizers.
//!
//! They are written for Jinja2 and Python. A template is first translated for minijinja ([`syntax`]), and runs with
//! operators, filters and methods that do what Python's do. It comes with a model, from anywhere, so what it may cost
//! is bounded ([`budget`]).
#![allow(clippy::needless_pass_by_value, reason = "the signatures of filters and functions of templates")]

mod budget;
mod clock;
mod expression;
mod filters;
mod globals;
mod json;
mod methods;
mod numbers;
mod operators;
mod percent;
mod pieces;
mod postfix;
mod python;
mod statement;
mod syntax;
mod token;
mod variadic;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, Value, context};
use serde_json::{Map, Value as Json};
use sparring_core::{Conversation, PolicyError};
use std::borrow::Cow;

/// ChatML, used if a tokenizer knows `<|im_start|>` but has no template.
pub(crate) const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n\
    {{ message.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

const NAME: &str = "chat_template";

/// Arguments of a template that no variable may override.
const RESERVED: [&str; 3] = ["messages", "tools", "add_generation_prompt"];

/// Names under which a message's reasoning is given; the first one that is there is copied to the others that templates
/// read.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// A parsed template.
#[derive(Debug, Clone)]
pub(crate) struct ChatTemplate {
    environment: Environment<'static>,
    tokens: Map<String, Json>,
    origin: String,
    source: String,
}

impl ChatTemplate {
    /// Parses `source`; `tokens` are variables such as `bos_token`, and `origin` names the file in errors.
    pub(crate) fn new(source: &str, tokens: &Map<String, Json>, origin: &str) -> Result<Self, PolicyError> {
        let refused =
            |why: &dyn std::fmt::Display| PolicyError::invalid(format!("{origin}: chat_template {why}"));
        let translated = syntax::translate(source).map_err(|fault| refused(&fault))?;
        let mut environment = environment()?;
        environment
            .add_template_owned(NAME, translated)
            .map_err(|error| refused(&format_args!("does not parse: {error}")))?;
        Ok(Self { environment, tokens: tokens.clone(), origin: origin.to_owned(), source: source.to_owned() })
    }

    /// The program.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Renders a conversation, with the header of the assistant's turn if wanted. The result is that of
    /// `apply_chat_template` of `transformers` for the same messages, tools and further arguments.
    pub(crate) fn render(
        &self,
        conversation: &Conversation,
        defaults: &Map<String, Json>,
        add_generation_prompt: bool,
    ) -> Result<String, PolicyError> {
        let Conversation { messages, tools, variables, .. } = conversation;
        let messages: Vec<Value> = messages.iter().map(|message| Serde(message).into()).collect();
        let tools: Vec<Value> = tools.iter().map(|tool| Serde(tool).into()).collect();
        let mut all = defaults.clone();
        all.extend(variables.iter().map(|(name, value)| (name.clone(), value.clone())));
        self.render_values(messages, tools, &all, add_generation_prompt)
    }

    /// Renders messages with any fields. Their reasoning reaches the template under all of its names.
    pub(crate) fn render_json(
        &self,
        messages: &[Json],
        tools: &[Json],
        variables: &Map<String, Json>,
        add_generation_prompt: bool,
    ) -> Result<String, PolicyError> {
        let messages = messages.iter().map(|message| Serde(with_reasoning(message)).into()).collect();
        let tools = tools.iter().map(|tool| Serde(tool).into()).collect();
        self.render_values(messages, tools, variables, add_generation_prompt)
    }

    fn render_values(
        &self,
        messages: Vec<Value>,
        tools: Vec<Value>,
        variables: &Map<String, Json>,
        add_generation_prompt: bool,
    ) -> Result<String, PolicyError> {
        if let Some(name) = RESERVED.iter().find(|name| variables.contains_key(**name)) {
            return Err(PolicyError::invalid(format!(
                "the conversation's variable \"{name}\" is a built-in argument of chat templates; remove it"
            )));
        }
        // `transformers` passes None if there are no tools, or documents.
        let tools = if tools.is_empty() { Value::from(()) } else { tools.into() };
        let render = || {
            // As in `transformers`, a variable may override a special token.
            let tokens = Value::from(Serde(&self.tokens));
            let variables = context! { ..Value::from(Serde(variables)), ..tokens };
            let variables = context! { ..variables, ..context! { documents => () } };
            budget::begin();
            self.environment.get_template(NAME)?.render(context! {
                messages,
                tools,
                add_generation_prompt,
                ..variables
            })
        };
        render().map_err(|error: Error| {
            let why = match error.kind() {
                ErrorKind::OutOfFuel => {
                    format!("does not end within {} steps: its loops are too long", budget::FUEL)
                }
                _ => format!("refuses these messages: {error}"),
            };
            PolicyError::invalid(format!("{}: chat_template {why}", self.origin))
        })
    }
}

fn environment() -> Result<Environment<'static>, PolicyError> {
    let mut environment = Environment::new();
    // White space is dealt with in the translation.
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|error| PolicyError::backend("configuring templates", error))?);
    // Errors in one line, without a listing of the template.
    environment.set_debug(false);
    environment.set_fuel(Some(budget::FUEL));
    environment.set_recursion_limit(budget::MAX_CALLS);
    environment.set_formatter(print);
    environment.set_unknown_method_callback(methods::call);
    operators::register(&mut environment);
    filters::register(&mut environment);
    globals::register(&mut environment);
    Ok(environment)
}

/// Writes a value as Python does.
fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text =
        value.as_str().map_or_else(|| python::text(value).map(Cow::Owned), |text| Ok(Cow::Borrowed(text)))?;
    budget::charge(text.len())?;
    if matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe() {
        return out.write_str(&filters::markup(&text)).map_err(Error::from);
    }
    out.write_str(&text).map_err(Error::from)
}

/// A message whose reasoning stands under each name.
fn with_reasoning(message: &Json) -> Json {
    let Json::Object(fields) = message else { return message.clone() };
    let reasoning = REASONING.iter().find_map(|name| fields.get(*name).filter(|value| !value.is_null()));
    let Some(reasoning) = reasoning.cloned() else { return message.clone() };
    let mut all = Map::new();
    all.insert("thinking".to_owned(), reasoning.clone());
    all.extend(fields.clone());
    all.insert("reasoning_content".to_owned(), reasoning);
    Json::Object(all)
}

#[cfg(test)]
mod tests;
