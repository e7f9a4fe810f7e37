//! Converts text to token ids and back, with the model's chat template.

use super::files::{create_folder, write_atomically};
use super::growth;
use super::json::{self, Fields};
use super::source::{self, LONGEST_TEXT, LONGEST_TOKENIZER};
use super::templates::{ChatTemplates, TemplateFiles, token};
use serde_json::{Map, Value, json};
use sparring_core::{Continuation, Conversation, Encoder, Message, PolicyError, Prompt, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use tokenizers::Tokenizer;

/// The tokenizer of a model folder: `tokenizer.json`, with the chat template and the tokens that end a turn from
/// `tokenizer_config.json`, `chat_template.jinja`, `additional_chat_templates` and `generation_config.json`.
///
/// End tokens are those of `generation_config.json`, `config.json` and `tokenizer_config.json`, the special token that
/// the chat template writes after an assistant's turn, and `<|im_end|>` if a template has it.
///
/// If there are several templates, a conversation with tools is rendered by the one named `tool_use`, and others by
/// `default`. Variables are those of the conversation, and those of [`ChatTokenizer::with_variable`]:
///
/// ```
/// # let vocabulary = r#"{"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"</s>": 0},
/// #     "unk_token": "</s>"}}"#;
/// use sparring_candle::ChatTokenizer;
/// use sparring_core::{Conversation, Message};
/// let template = "{{ messages[0].content }}{% if not enable_thinking %} /no_think{% endif %}";
/// let tokenizer = ChatTokenizer::from_text(vocabulary, Some(template), Some("</s>"))?;
/// let tokenizer = tokenizer.with_variable("enable_thinking", false);
/// assert_eq!(tokenizer.render(&Conversation::new([Message::user("Hi")]))?, "Hi /no_think");
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ChatTokenizer {
    inner: Tokenizer,
    templates: ChatTemplates,
    ends: BTreeSet<u32>,
    /// The token that the template writes after an assistant's turn.
    turn_end: Option<u32>,
    shows_special: bool,
    files: Files,
    origin: String,
}

/// The files of the tokenizer, to be written back unchanged.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) tokenizer: String,
    pub(super) config: Map<String, Value>,
    pub(super) generation: Map<String, Value>,
    pub(super) templates: TemplateFiles,
}

/// The folder of named templates, and the ending of their names.
pub(crate) const ADDITIONAL: &str = "additional_chat_templates";
pub(crate) const JINJA: &str = ".jinja";
const TEMPLATE: &str = "chat_template.jinja";

impl ChatTokenizer {
    /// Reads the tokenizer of a model folder. The model's weights need not be present.
    ///
    /// # Errors
    /// [`PolicyError`] names the file that is missing or damaged.
    pub fn from_folder(dir: &Path) -> Result<Self, PolicyError> {
        let path = dir.join("tokenizer.json");
        let tokenizer = source::read_text(&path, &missing_tokenizer(dir), LONGEST_TOKENIZER)?;
        let config_file = dir.join("tokenizer_config.json");
        let generation_file = dir.join("generation_config.json");
        let files = Files {
            tokenizer,
            config: with_special_tokens_map(
                json::read_optional_object(&config_file)?.unwrap_or_default(),
                json::read_optional_object(&dir.join("special_tokens_map.json"))?,
            ),
            generation: json::read_optional_object(&generation_file)?.unwrap_or_default(),
            templates: template_files(dir)?,
        };
        let mut this = Self::from_files(files, &path, &config_file)?;
        let mut ends = Vec::new();
        let model_file = dir.join("config.json");
        if let Some(map) = json::read_optional_object(&model_file)? {
            ends = Fields { file: &model_file, map: &map }.token_ids("eos_token_id")?;
        }
        this.ends.extend(ends);
        Ok(this)
    }

    /// A tokenizer from the text of a `tokenizer.json`, a chat template (default: ChatML if the vocabulary has
    /// `<|im_start|>`) and the token that ends a turn.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if the text is not a tokenizer, the template does not parse, or the token is
    /// not in the vocabulary.
    pub fn from_text(
        tokenizer_json: &str,
        chat_template: Option<&str>,
        eos_token: Option<&str>,
    ) -> Result<Self, PolicyError> {
        let mut config = Map::new();
        if let Some(template) = chat_template {
            config.insert("chat_template".to_owned(), json!(template));
        }
        if let Some(token) = eos_token {
            config.insert("eos_token".to_owned(), json!(token));
        }
        let (tokenizer, templates) = (tokenizer_json.to_owned(), TemplateFiles::default());
        let files = Files { tokenizer, config, generation: Map::new(), templates };
        Self::from_files(files, Path::new("tokenizer.json"), Path::new("tokenizer_config.json"))
    }

    pub(super) fn from_files(files: Files, path: &Path, config_file: &Path) -> Result<Self, PolicyError> {
        let bad = |error| {
            PolicyError::invalid(format!(
                "{}: not a tokenizer ({error}); copy the file again",
                path.display()
            ))
        };
        let mut inner = Tokenizer::from_bytes(&files.tokenizer).map_err(bad)?;
        for rules in [serde_json::to_value(inner.get_normalizer()), serde_json::to_value(inner.get_decoder())]
        {
            let fault = growth::fault(&rules.map_err(|error| bad(error.into()))?);
            fault
                .map_or(Ok(()), |fault| Err(PolicyError::invalid(format!("{}: {fault}", path.display()))))?;
        }
        // Truncation and padding settings of the file are ignored.
        inner.with_truncation(None).map_err(bad)?;
        inner.with_padding(None);
        let fields = Fields { file: config_file, map: &files.config };
        let generation =
            Fields { file: &config_file.with_file_name("generation_config.json"), map: &files.generation };
        let mut ends: BTreeSet<u32> = generation.token_ids("eos_token_id")?.into_iter().collect();
        if let Some(eos) = fields.get("eos_token").and_then(token) {
            let id = inner.token_to_id(eos);
            ends.insert(id.ok_or_else(|| {
                fields.bad("eos_token", format_args!("is \"{eos}\", which tokenizer.json does not have"))
            })?);
        }
        let templates =
            ChatTemplates::read(&files.templates, fields, inner.token_to_id("<|im_start|>").is_some())?;
        let turn_end = templates.after_turn().and_then(|text| leading_special(&inner, &text));
        ends.extend(turn_end);
        if templates.mention("<|im_end|>") {
            ends.extend(inner.token_to_id("<|im_end|>"));
        }
        let origin = config_file.display().to_string();
        Ok(Self { inner, templates, ends, turn_end, shows_special: false, files, origin })
    }

    /// Sets a variable of the chat template, such as `enable_thinking`, for every conversation that does not set it
    /// itself ([`Conversation::with_variable`]).
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.templates.variables.insert(name.into(), value.into());
        self
    }

    /// The variables that were set.
    pub fn variables(&self) -> &Map<String, Value> {
        &self.templates.variables
    }

    /// Sets whether [`ChatTokenizer::decode`], and with it the text of a rollout, shows special tokens. They are left
    /// out by default. Some models mark calls and thoughts with them.
    #[must_use]
    pub fn with_special_tokens(mut self, shown: bool) -> Self {
        self.shows_special = shown;
        self
    }

    /// Token ids of a text, without added special tokens.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if the tokenizer refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, PolicyError> {
        match self.inner.encode_fast(text, false) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(error) => Err(PolicyError::invalid(format!("tokenizer: {error}"))),
        }
    }

    /// The text of token ids. Special tokens are left out, unless [`ChatTokenizer::with_special_tokens`] is set; added
    /// tokens that are not special (tags such as `<think>`) are part of the text.
    ///
    /// # Errors
    /// [`PolicyError::Backend`] if the tokenizer cannot decode.
    pub fn decode(&self, ids: &[u32]) -> Result<String, PolicyError> {
        self.inner
            .decode(ids, !self.shows_special)
            .map_err(|error| PolicyError::backend("decoding tokens", error))
    }

    /// The conversation as the model reads it, up to the beginning of the assistant's turn.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if there is no chat template, or it refuses the messages.
    pub fn render(&self, conversation: &Conversation) -> Result<String, PolicyError> {
        self.templates.render(conversation, true)
    }

    /// As [`ChatTokenizer::render`], for messages with any fields, in the form that `transformers` takes them in. A
    /// message's reasoning may stand in `reasoning_content`, `reasoning` or `thinking`: the template finds it in all
    /// that it reads. Without `add_generation_prompt` the header of the assistant's turn is left out.
    ///
    /// # Errors
    /// As [`ChatTokenizer::render`].
    pub fn render_messages(
        &self,
        messages: &[Value],
        tools: &[Value],
        add_generation_prompt: bool,
    ) -> Result<String, PolicyError> {
        self.templates.render_json(messages, tools, add_generation_prompt)
    }

    /// The source of the chat template, if there is one: of several, that for conversations with tools. It helps to
    /// guess the model's call format.
    pub fn template_source(&self) -> Option<&str> {
        self.templates.source()
    }

    /// Token ids of a prompt.
    ///
    /// # Errors
    /// As [`ChatTokenizer::render`] and [`ChatTokenizer::encode`].
    pub fn encode_prompt(&self, prompt: &Prompt) -> Result<Arc<[u32]>, PolicyError> {
        match prompt {
            Prompt::Tokens(ids) => Ok(Arc::clone(ids)),
            Prompt::Conversation(conversation) => Ok(self.encode(&self.render(conversation)?)?.into()),
            Prompt::Text(text) => Ok(self.encode(text)?.into()),
            _ => Err(PolicyError::Unsupported { what: "this kind of prompt" }),
        }
    }

    /// The id of a token, if the vocabulary has it.
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Tokens that end a completion, ascending.
    pub fn end_tokens(&self) -> impl Iterator<Item = u32> + '_ {
        self.ends.iter().copied()
    }

    /// Whether a token ends a completion.
    pub fn is_end(&self, id: u32) -> bool {
        self.ends.contains(&id)
    }

    /// One more than the largest id: the smallest `vocab_size` of a model for this tokenizer.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab(true).values().max().map_or(0, |&id| id as usize + 1)
    }

    pub(super) fn inner(&self) -> &Tokenizer {
        &self.inner
    }

    /// Offsets of end tokens in a text, ascending.
    fn ends_in(&self, text: &str) -> Vec<usize> {
        let tokens: Vec<String> = self.ends.iter().filter_map(|&id| self.inner.id_to_token(id)).collect();
        let mut places: Vec<usize> =
            tokens.iter().flat_map(|token| text.match_indices(token.as_str())).map(|(at, _)| at).collect();
        places.sort_unstable();
        places
    }

    /// Writes the files of this tokenizer into `dir`.
    pub(crate) fn save(&self, dir: &Path) -> Result<(), PolicyError> {
        write_atomically(dir, "tokenizer.json", self.files.tokenizer.as_bytes())?;
        let text = |map: &Map<String, Value>| format!("{:#}\n", Value::Object(map.clone()));
        write_atomically(dir, "tokenizer_config.json", text(&self.files.config).as_bytes())?;
        let TemplateFiles { whole, additional } = &self.files.templates;
        if let Some(template) = whole {
            write_atomically(dir, TEMPLATE, template.as_bytes())?;
        }
        for (name, template) in additional {
            create_folder(&dir.join(ADDITIONAL))?;
            write_atomically(&dir.join(ADDITIONAL), &format!("{name}{JINJA}"), template.as_bytes())?;
        }
        let mut generation = self.files.generation.clone();
        if !self.ends.is_empty() {
            generation.insert("eos_token_id".to_owned(), json!(self.ends));
        }
        write_atomically(dir, "generation_config.json", text(&generation).as_bytes())
    }
}

impl Encoder for ChatTokenizer {
    fn prompt(&self, prompt: &Prompt) -> Result<Arc<[u32]>, PolicyError> {
        self.encode_prompt(prompt)
    }

    /// The text, and the token that the chat template writes after an assistant's turn, where there are several ends.
    fn completion(&self, text: &str) -> Result<Vec<u32>, PolicyError> {
        let chatml = || self.token_id("<|im_end|>").filter(|&id| self.is_end(id));
        let end = self.turn_end.or_else(chatml).or_else(|| self.end_tokens().next()).ok_or_else(|| {
            PolicyError::invalid(format!("{}: no token ends a turn; name an eos_token", self.origin))
        })?;
        let mut ids = self.encode(text)?;
        ids.push(end);
        Ok(ids)
    }

    /// The text is rendered without the turn, with it, and with what follows it. The turn ends at the last of its
    /// rendering's end tokens; whatever a template changes about earlier turns, the end tokens before it are as many.
    /// What is encoded begins with that token, so that nothing before it could have been part of the same token.
    fn continuation(
        &self,
        conversation: &Conversation,
        turn: &[u32],
        next: &[Message],
    ) -> Result<Continuation, PolicyError> {
        let bad = |what: &str| Err(PolicyError::invalid(format!("{}: {what}", self.origin)));
        let mut before = conversation.clone();
        if before.messages.pop().is_none_or(|last| last.role != Role::Assistant) {
            return bad("a continuation follows an assistant's turn; let the conversation end with one");
        }
        let whole = conversation.clone().followed_by(next.iter().cloned());
        let (before, whole) = (self.render(&before)?, self.render(&whole)?);
        let with_turn = self.templates.render(conversation, false)?;
        let ends = self.ends_in(&with_turn).len();
        let place = self.ends_in(&whole).get(ends.saturating_sub(1)).copied();
        let Some(place) = place.filter(|_| ends > self.ends_in(&before).len()) else {
            return bad(
                "chat_template closes a turn with none of the model's end tokens; name its token as eos_token",
            );
        };
        let mut tokens = self.encode(&whole[place..])?;
        if !tokens.first().is_some_and(|&id| self.is_end(id)) {
            return bad(
                "the tokenizer reads the end of a turn as text; its end token must be an added token",
            );
        }
        if turn.last().is_some_and(|&id| self.is_end(id)) {
            tokens.remove(0);
        }
        if with_turn.starts_with(&before) && whole.starts_with(&with_turn) {
            return Ok(Continuation::Appends(tokens));
        }
        Ok(Continuation::Rewrites { tokens, prompt: self.encode(&whole)?.into() })
    }
}

/// The special token at the beginning of a text, after white space.
fn leading_special(tokenizer: &Tokenizer, text: &str) -> Option<u32> {
    let text = text.trim_start();
    let added = tokenizer.get_added_tokens_decoder();
    let begins = added.iter().filter(|(_, token)| token.special && text.starts_with(&token.content));
    let longest = begins.max_by_key(|(id, token)| (token.content.len(), **id));
    longest.map(|(id, _)| *id)
}

/// Older folders name their special tokens in a file of their own, which counts if the configuration does not describe
/// the added tokens.
fn with_special_tokens_map(
    mut config: Map<String, Value>,
    older: Option<Map<String, Value>>,
) -> Map<String, Value> {
    if !config.contains_key("added_tokens_decoder") {
        config.extend(older.into_iter().flatten());
    }
    config
}

/// The templates of a folder that have files of their own.
fn template_files(dir: &Path) -> Result<TemplateFiles, PolicyError> {
    let whole = dir.join(TEMPLATE);
    let whole = if whole.exists() { Some(source::read_text(&whole, "", LONGEST_TEXT)?) } else { None };
    let mut additional = BTreeMap::new();
    let folder = dir.join(ADDITIONAL);
    if folder.is_dir() {
        for entry in std::fs::read_dir(&folder).map_err(|error| PolicyError::io(&folder, error))? {
            let path = entry.map_err(|error| PolicyError::io(&folder, error))?.path();
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(JINJA));
            if let Some(name) = name {
                additional.insert(name.to_owned(), source::read_text(&path, "", LONGEST_TEXT)?);
            }
        }
    }
    Ok(TemplateFiles { whole, additional })
}

/// What to say where `tokenizer.json` is missing: a folder may have the files of a slower tokenizer.
fn missing_tokenizer(dir: &Path) -> String {
    let slow = ["tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "tekken.json"];
    match slow.into_iter().find(|name| dir.join(name).exists()) {
        Some(name) => format!(
            "the folder has {name} instead; convert it once with Python's transformers: \
             AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"
        ),
        None => json::NEEDS.to_owned(),
    }
}
