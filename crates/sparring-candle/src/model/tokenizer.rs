//! Converts text to token ids and back, with the model's chat template.

use super::files::write_atomically;
use super::json::{self, Fields};
use super::template::{CHATML, ChatTemplate};
use serde_json::{Map, Value, json};
use sparring_core::{Continuation, Conversation, Encoder, Message, PolicyError, Prompt, Role};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tokenizers::Tokenizer;

/// The tokenizer of a model folder: `tokenizer.json`, with the chat template and the tokens that end a turn from
/// `tokenizer_config.json`, `chat_template.jinja` and `generation_config.json`.
///
/// End tokens are those of `generation_config.json`, `config.json` and `tokenizer_config.json`, and `<|im_end|>` if the
/// chat template closes turns with it.
#[derive(Debug, Clone)]
pub struct ChatTokenizer {
    inner: Tokenizer,
    template: Option<ChatTemplate>,
    ends: BTreeSet<u32>,
    files: Files,
    origin: String,
}

/// The files of the tokenizer, to be written back unchanged.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) tokenizer: String,
    pub(super) config: Map<String, Value>,
    pub(super) generation: Map<String, Value>,
    pub(super) template: Option<String>,
}

impl ChatTokenizer {
    /// Reads the tokenizer of a model folder. The model's weights need not be present.
    ///
    /// # Errors
    /// [`PolicyError`] names the file that is missing or damaged.
    pub fn from_folder(dir: &Path) -> Result<Self, PolicyError> {
        let path = dir.join("tokenizer.json");
        let tokenizer = json::read_text(&path, json::NEEDS)?;
        let template = dir.join("chat_template.jinja");
        let template = if template.exists() { Some(json::read_text(&template, "")?) } else { None };
        let config_file = dir.join("tokenizer_config.json");
        let generation_file = dir.join("generation_config.json");
        let files = Files {
            tokenizer,
            config: json::read_optional_object(&config_file)?.unwrap_or_default(),
            generation: json::read_optional_object(&generation_file)?.unwrap_or_default(),
            template,
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
        let files =
            Files { tokenizer: tokenizer_json.to_owned(), config, generation: Map::new(), template: None };
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
        // Truncation and padding settings of the file are ignored.
        inner.with_truncation(None).map_err(bad)?;
        inner.with_padding(None);
        let fields = Fields { file: config_file, map: &files.config };
        let (bos, eos) = (special_token(fields, "bos_token"), special_token(fields, "eos_token"));
        let generation =
            Fields { file: &config_file.with_file_name("generation_config.json"), map: &files.generation };
        let mut ends: BTreeSet<u32> = generation.token_ids("eos_token_id")?.into_iter().collect();
        if let Some(eos) = &eos {
            let id = inner.token_to_id(eos);
            ends.insert(id.ok_or_else(|| {
                fields.bad("eos_token", format_args!("is \"{eos}\", which tokenizer.json does not have"))
            })?);
        }
        let source = match (&files.template, template_source(fields)?) {
            (Some(file), _) => Some(file.clone()),
            (None, Some(field)) => Some(field),
            (None, None) => inner.token_to_id("<|im_start|>").map(|_| CHATML.to_owned()),
        };
        if source.as_ref().is_some_and(|s| s.contains("<|im_end|>")) {
            ends.extend(inner.token_to_id("<|im_end|>"));
        }
        let origin = config_file.display().to_string();
        let template = source
            .map(|s| ChatTemplate::new(&s, &bos.unwrap_or_default(), &eos.unwrap_or_default(), &origin))
            .transpose()?;
        Ok(Self { inner, template, ends, files, origin })
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

    /// The text of token ids. Special tokens are left out; added tokens that are not special (tags such as
    /// `<think>`) are part of the text.
    ///
    /// # Errors
    /// [`PolicyError::Backend`] if the tokenizer cannot decode.
    pub fn decode(&self, ids: &[u32]) -> Result<String, PolicyError> {
        self.inner.decode(ids, true).map_err(|error| PolicyError::backend("decoding tokens", error))
    }

    /// The conversation as the model reads it, up to the beginning of the assistant's turn.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if there is no chat template, or it refuses the messages.
    pub fn render(&self, conversation: &Conversation) -> Result<String, PolicyError> {
        self.template()?.render(conversation, true)
    }

    /// The source of the chat template, if there is one; it helps to guess the model's call format.
    pub fn template_source(&self) -> Option<&str> {
        self.template.as_ref().map(ChatTemplate::source)
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

    fn template(&self) -> Result<&ChatTemplate, PolicyError> {
        self.template.as_ref().ok_or_else(|| {
            PolicyError::invalid(format!(
                "{}: no chat_template, and the vocabulary has no <|im_start|>; add a template, or pass token ids",
                self.origin
            ))
        })
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
        if let Some(template) = &self.files.template {
            write_atomically(dir, "chat_template.jinja", template.as_bytes())?;
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

    /// The text, and the chat template's own end of a turn where it is one of several.
    fn completion(&self, text: &str) -> Result<Vec<u32>, PolicyError> {
        let turn = self.token_id("<|im_end|>").filter(|&id| self.is_end(id));
        let end = turn.or_else(|| self.end_tokens().next()).ok_or_else(|| {
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
        let with_turn = self.template()?.render(conversation, false)?;
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

/// A special token: a string, or an object with its `content`.
fn special_token(fields: Fields<'_>, field: &str) -> Option<String> {
    let value = fields.get(field)?;
    value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned)
}

/// The `chat_template` field: a string, or a list of named templates of which `default` is taken.
fn template_source(fields: Fields<'_>) -> Result<Option<String>, PolicyError> {
    let named = |list: &Vec<Value>| {
        let default = list.iter().find(|t| t["name"] == "default")?;
        default["template"].as_str().map(str::to_owned)
    };
    match fields.get("chat_template") {
        None => Ok(None),
        Some(Value::String(source)) => Ok(Some(source.clone())),
        Some(Value::Array(list)) => named(list)
            .map(Some)
            .ok_or_else(|| fields.bad("chat_template", "has no template named \"default\"")),
        Some(_) => Err(fields.bad("chat_template", "must be a string or a list of named templates")),
    }
}
