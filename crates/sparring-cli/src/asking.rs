//! How a model is shown its tools, and in which format its calls are read: one choice for evaluation and training.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sparring::candle::ChatTokenizer;
use sparring::core::BoxError;
use sparring::eval::{AnswerReader, InWords, Prompter, Templated};
use sparring::tools::Format;

/// What `--prompt` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PromptChoice {
    /// The chat template where it asks for calls in the format that is read, else words.
    Auto,
    /// The model's chat template, which renders the tools.
    Template,
    /// A system prompt that describes the tools and the format.
    #[value(alias = "own")]
    Words,
}

/// How the tools reach the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptStyle {
    Template,
    Words,
}

/// The format of calls.
#[derive(Debug)]
pub(crate) enum Notation {
    /// That of the chat template, or this one where the template does not say.
    Guessed { fallback: AnswerReader },
    /// Named by the user, who may know of a template what it does not say.
    Named(AnswerReader),
    /// The only one that is rewarded.
    Required(AnswerReader),
}

/// How the model is asked and read.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) style: PromptStyle,
    pub(crate) reader: AnswerReader,
    /// A system prompt to use instead of our words.
    pub(crate) system: Option<String>,
    /// What the user may not expect.
    pub(crate) note: Option<String>,
}

impl Method {
    /// How a model with this chat template is asked and read; `system` says that a system prompt is given. A model is
    /// never asked for one format and read in another, unless the user named both.
    pub(crate) fn choose(
        notation: Notation,
        prompt: PromptChoice,
        system: bool,
        template: &str,
    ) -> Result<Self, BoxError> {
        let guess = Format::guess(template);
        let says = guess.map(Format::name);
        let guessed = matches!(notation, Notation::Guessed { .. });
        // BFCL's notation is asked for in words, even by users who know better.
        let trusted = matches!(&notation, Notation::Named(reader) if reader.name() != "bfcl");
        let reader = match notation {
            Notation::Named(reader) | Notation::Required(reader) => reader,
            Notation::Guessed { fallback } => guess.map_or(fallback, AnswerReader::Format),
        };
        let fits = says == Some(reader.name()) || says.is_none() && trusted;
        let tools = template.contains("tools");
        let style = match prompt {
            PromptChoice::Template if system => {
                return Err("--system and --prompt template exclude each other".into());
            }
            PromptChoice::Template if guessed && says.is_none() => {
                return Err("the chat template does not say how calls are written; name a --format".into());
            }
            PromptChoice::Template => PromptStyle::Template,
            PromptChoice::Auto if tools && fits && !system => PromptStyle::Template,
            PromptChoice::Auto | PromptChoice::Words => PromptStyle::Words,
        };
        let unused = tools && prompt == PromptChoice::Auto && style == PromptStyle::Words && !system;
        let note = unused.then(|| {
            let why = says.map_or("does not say how calls are written".to_owned(), |says| format!("asks for {says}"));
            format!(
                "the chat template renders tools but {why}: the prompt describes them in words and asks for {}",
                reader.name()
            )
        });
        Ok(Self { style, reader, system: None, note })
    }

    /// What turns an item into a prompt.
    pub(crate) fn prompter<'a>(
        &'a self,
        tokenizer: &'a ChatTokenizer,
    ) -> Result<Box<dyn Prompter + 'a>, BoxError> {
        let words = InWords::new(&self.reader);
        Ok(match (self.style, &self.system) {
            (PromptStyle::Template, _) => Box::new(Templated::new(tokenizer)),
            (PromptStyle::Words, Some(system)) => Box::new(words.with_system(system)?),
            (PromptStyle::Words, None) => Box::new(words),
        })
    }
}

/// The reader of this name.
pub(crate) fn reader(name: &str) -> Result<AnswerReader, BoxError> {
    if name == "bfcl" {
        return Ok(AnswerReader::Bfcl);
    }
    Format::from_name(name).map(AnswerReader::Format).ok_or_else(|| {
        let all = Format::ALL.map(Format::name).join(", ");
        format!("there is no format `{name}`; there are bfcl, {all}").into()
    })
}
