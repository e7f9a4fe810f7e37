//! The chat templates of a tokenizer: one, or several with names.

use super::json::Fields;
use super::template::{CHATML, ChatTemplate};
use serde_json::{Map, Value};
use sparring_core::{Conversation, PolicyError};
use std::collections::BTreeMap;

/// The template for conversations with tools, if a tokenizer has several.
const TOOL_USE: &str = "tool_use";
/// The template for all others.
const DEFAULT: &str = "default";

/// Special tokens that are variables of a template, by their fields in `tokenizer_config.json`.
const TOKENS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Parsed templates by name, and values for their variables.
#[derive(Debug, Clone, Default)]
pub(super) struct ChatTemplates {
    by_name: BTreeMap<String, ChatTemplate>,
    /// Variables for every conversation that does not set them itself.
    pub(super) variables: Map<String, Value>,
    origin: String,
}

/// Template sources in files of their own: `chat_template.jinja`, and those of `additional_chat_templates` by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct TemplateFiles {
    pub(crate) whole: Option<String>,
    pub(crate) additional: BTreeMap<String, String>,
}

impl ChatTemplates {
    /// Parses the templates: those in files come before those of `tokenizer_config.json`, as in `transformers`. ChatML
    /// is used if there are none and `has_chatml`.
    pub(super) fn read(
        files: &TemplateFiles,
        config: Fields<'_>,
        has_chatml: bool,
    ) -> Result<Self, PolicyError> {
        let mut sources = files.additional.clone();
        sources.extend(files.whole.clone().map(|source| (DEFAULT.to_owned(), source)));
        if sources.is_empty() {
            sources = in_config(config)?;
        }
        if sources.is_empty() && has_chatml {
            sources.insert(DEFAULT.to_owned(), CHATML.to_owned());
        }
        let (tokens, origin) = (special_tokens(config), config.file.display().to_string());
        let parse = |(name, source): (String, String)| {
            let origin =
                if name == DEFAULT { origin.clone() } else { format!("{origin}: template \"{name}\"") };
            Ok((name, ChatTemplate::new(&source, &tokens, &origin)?))
        };
        let by_name = sources.into_iter().map(parse).collect::<Result<_, PolicyError>>()?;
        Ok(Self { by_name, variables: Map::new(), origin })
    }

    /// The template for a conversation with or without tools.
    fn choose(&self, with_tools: bool) -> Result<&ChatTemplate, PolicyError> {
        let tool_use = self.by_name.get(TOOL_USE).filter(|_| with_tools);
        tool_use.or_else(|| self.by_name.get(DEFAULT)).ok_or_else(|| {
            let names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
            PolicyError::invalid(match names.as_slice() {
                [] => format!(
                    "{}: no chat_template, and the vocabulary has no <|im_start|>; add a template, or pass token ids",
                    self.origin
                ),
                names => format!(
                    "{}: chat_template has only {}, and none named \"default\" for conversations {}; add one",
                    self.origin,
                    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "),
                    if with_tools { "with tools (or \"tool_use\")" } else { "without tools" },
                ),
            })
        })
    }

    pub(super) fn render(
        &self,
        conversation: &Conversation,
        add_generation_prompt: bool,
    ) -> Result<String, PolicyError> {
        let template = self.choose(!conversation.tools.is_empty())?;
        template.render(conversation, &self.variables, add_generation_prompt)
    }

    pub(super) fn render_json(
        &self,
        messages: &[Value],
        tools: &[Value],
        add_generation_prompt: bool,
    ) -> Result<String, PolicyError> {
        let template = self.choose(!tools.is_empty())?;
        template.render_json(messages, tools, &self.variables, add_generation_prompt)
    }

    /// The source of the template for conversations with tools, or of the only one.
    pub(super) fn source(&self) -> Option<&str> {
        let found = [TOOL_USE, DEFAULT].into_iter().find_map(|name| self.by_name.get(name));
        found.or_else(|| self.by_name.values().next()).map(ChatTemplate::source)
    }

    /// Whether a template holds this text.
    pub(super) fn mention(&self, text: &str) -> bool {
        self.by_name.values().any(|template| template.source().contains(text))
    }

    /// What a template writes after the text of an assistant's turn, if it renders such a turn.
    pub(super) fn after_turn(&self) -> Option<String> {
        const SAID: &str = "sparring4turn";
        let turns = [("user", "a"), ("assistant", SAID)];
        let turns = turns.map(|(role, content)| serde_json::json!({"role": role, "content": content}));
        let template = self.by_name.get(DEFAULT).or_else(|| self.by_name.values().next())?;
        let text = template.render_json(&turns, &[], &Map::new(), false).ok()?;
        text.rsplit_once(SAID).map(|(_, after)| after.to_owned())
    }
}

/// A special token: a string, or an object with its `content`.
pub(super) fn token(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

/// The tokens that are variables, also those that a model adds under names of its own.
fn special_tokens(config: Fields<'_>) -> Map<String, Value> {
    let named = TOKENS.iter().filter_map(|name| Some((*name, token(config.get(name)?)?)));
    let extra = ["extra_special_tokens", "model_specific_special_tokens"];
    let extra = extra.into_iter().filter_map(|field| config.get(field)?.as_object()).flatten();
    let extra = extra.filter_map(|(name, value)| Some((name.as_str(), token(value)?)));
    named.chain(extra).map(|(name, token)| (name.to_owned(), token.into())).collect()
}

/// The `chat_template` field: a string, or a list of named templates.
fn in_config(config: Fields<'_>) -> Result<BTreeMap<String, String>, PolicyError> {
    let bad = || config.bad("chat_template", "must be a string or a list of named templates");
    match config.get("chat_template") {
        None => Ok(BTreeMap::new()),
        Some(Value::String(source)) => Ok([(DEFAULT.to_owned(), source.clone())].into()),
        Some(Value::Array(list)) => {
            let named = |entry: &Value| {
                Some((entry["name"].as_str()?.to_owned(), entry["template"].as_str()?.to_owned()))
            };
            list.iter().map(|entry| named(entry).ok_or_else(bad)).collect()
        }
        Some(_) => Err(bad()),
    }
}
