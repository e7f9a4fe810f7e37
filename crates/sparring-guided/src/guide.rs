use crate::calls::{self, CallGrammar};
use crate::{Constraint, GuidedError, Vocabulary, sentence};
use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use serde_json::Value;
use sparring_tools::ToolSpec;
use std::fmt;
use std::sync::Arc;
use toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};

/// Makes constraints for one tokenizer. Making one is expensive (a trie over the vocabulary); clones share it.
#[derive(Clone)]
pub struct Guide {
    factory: Arc<ParserFactory>,
    ends: Arc<[u32]>,
}

impl fmt::Debug for Guide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guide").field("ends", &self.ends).finish_non_exhaustive()
    }
}

impl Guide {
    /// A guide for this vocabulary.
    ///
    /// # Errors
    /// [`GuidedError::Vocabulary`] if no parser can be made for it.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, GuidedError> {
        let Vocabulary { tokens, ends } = vocabulary;
        let Some(&end) = ends.first() else {
            return Err(GuidedError::Vocabulary {
                what: "it has no token that ends a completion".to_owned(),
            });
        };
        let trie = TokTrie::from(&TokRxInfo::new(tokens.len() as u32, end), tokens);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let bad = |error: &dyn fmt::Display| GuidedError::Vocabulary { what: error.to_string() };
        let mut factory = ParserFactory::new_simple(&environment).map_err(|error| bad(&error))?;
        factory.quiet();
        Ok(Self { factory: Arc::new(factory), ends: ends.as_slice().into() })
    }

    /// Text that a regular expression matches as a whole (the syntax of the crate `regex`).
    ///
    /// # Errors
    /// [`GuidedError::Grammar`] if the expression is wrong.
    pub fn regex(&self, expression: &str) -> Result<Constraint, GuidedError> {
        self.constraint("regex", TopLevelGrammar::from_regex(expression))
    }

    /// The text `lead`, then prose of one line that contains each of these texts as whole words, and may end with a
    /// full stop, a question mark or an exclamation mark; then the text `end`. Before, between and behind the texts
    /// stand at most `gap` words each: of the list `words`, or any if it is empty. Up to three texts stand in any
    /// order, more in the one given.
    ///
    /// # Errors
    /// [`GuidedError::Grammar`] if a text has a line break or another control character.
    pub fn sentence(
        &self,
        lead: &str,
        texts: &[String],
        gap: usize,
        words: &[String],
        end: &str,
    ) -> Result<Constraint, GuidedError> {
        if let Some(text) = texts.iter().find(|text| text.is_empty() || text.contains(char::is_control)) {
            return Err(GuidedError::Grammar {
                origin: "sentence".to_owned(),
                what: format!("{text:?} is no text of one line"),
            });
        }
        let (lead, end) = (sentence::escape(lead), sentence::escape(end));
        self.regex(&format!("{lead}{}{end}", sentence::expression(texts, gap, words)))
    }

    /// JSON of a schema (draft 2020-12).
    ///
    /// # Errors
    /// [`GuidedError::Grammar`] if the schema is wrong, or has a keyword that is not supported.
    pub fn json_schema(&self, schema: Value) -> Result<Constraint, GuidedError> {
        self.constraint("json_schema", TopLevelGrammar::from_json_schema(schema))
    }

    /// The text `lead`, then JSON of a schema as [`serde_json`] would write it, but with a space behind `,` and `:`.
    ///
    /// # Errors
    /// As [`Guide::json_schema`].
    pub fn json_after(&self, lead: &str, mut schema: Value) -> Result<Constraint, GuidedError> {
        if let Value::Object(schema) = &mut schema {
            schema.insert("x-guidance".to_owned(), calls::json_style());
        }
        self.lark(format!("start: {} json\njson: %json {schema}\n", calls::literal(lead)))
    }

    /// Text of a grammar in llguidance's dialect of Lark.
    ///
    /// # Errors
    /// [`GuidedError::Grammar`] if the grammar is wrong.
    pub fn lark(&self, grammar: impl Into<String>) -> Result<Constraint, GuidedError> {
        self.constraint("lark", TopLevelGrammar::from_lark(grammar.into()))
    }

    /// Calls of these tools, as `grammar` says.
    ///
    /// # Errors
    /// As [`CallGrammar::lark`]; [`GuidedError::Grammar`] names the tool whose schema is not supported.
    pub fn calls(&self, tools: &[ToolSpec], grammar: &CallGrammar) -> Result<Constraint, GuidedError> {
        let whole = self.lark(grammar.lark(tools)?);
        whole.map_err(|error| self.blame(tools, grammar).unwrap_or(error))
    }

    /// The error of the first tool that is wrong by itself.
    fn blame(&self, tools: &[ToolSpec], grammar: &CallGrammar) -> Option<GuidedError> {
        tools.iter().find_map(|tool| {
            let alone = grammar.lark(std::slice::from_ref(tool)).ok()?;
            self.constraint(&tool.name, TopLevelGrammar::from_lark(alone)).err()
        })
    }

    fn constraint(&self, origin: &str, grammar: TopLevelGrammar) -> Result<Constraint, GuidedError> {
        let bad = |error: &dyn fmt::Display| GuidedError::Grammar {
            origin: origin.to_owned(),
            what: error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let parser = self.factory.create_parser(grammar).map_err(|error| bad(&error))?;
        let matcher = Matcher::new(Ok(parser));
        match matcher.get_error() {
            Some(error) => Err(bad(&error)),
            None => Ok(Constraint::new(matcher, Arc::clone(&self.ends))),
        }
    }
}
