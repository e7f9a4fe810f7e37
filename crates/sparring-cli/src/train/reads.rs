//! What a reward reads of a completion, and how a prompt asks for it.

use crate::asking::Notation;
use serde_json::Value;
use sparring::eval::AnswerReader;
use sparring::reward::RewardConfig;
use sparring::reward::extract::Extract;
use sparring::tools::Format;
use std::fmt::Write;

/// The parts of a completion that the rewards of a preset look for.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// The format of calls; `None` where calls are not read.
    format: Option<Format>,
    /// Tags, in order.
    pub(crate) tags: Vec<String>,
    /// Whether the answer is in `\boxed{}`.
    pub(crate) boxed: bool,
    /// The answer that a majority is counted of.
    pub(crate) answer: Extract,
    /// The question of a proposal.
    pub(crate) question: Extract,
}

impl Reads {
    /// What this reward reads: found in its settings, wherever they are nested.
    pub(crate) fn of(reward: &RewardConfig) -> Self {
        let mut reads = Self::default();
        let settings = serde_json::to_value(reward).unwrap_or_default();
        reads.visit(&settings);
        if reads.answer == Extract::Text {
            reads.answer = Extract::Calls { format: reads.format.unwrap_or(Format::Hermes).into() };
        }
        if let (Extract::Text, Some(last)) = (&reads.question, reads.tags.last()) {
            reads.question = Extract::tag(last);
        }
        reads
    }

    fn visit(&mut self, settings: &Value) {
        for part in settings.as_array().into_iter().flatten() {
            self.visit(part);
        }
        let Some(table) = settings.as_object() else { return };
        let extract = |key: &str| table.get(key).and_then(|part| serde_json::from_value(part.clone()).ok());
        let tags = match table.get("kind").and_then(Value::as_str) {
            Some("tags") => table.get("tags").and_then(Value::as_array).cloned().unwrap_or_default(),
            Some("tag") => table.get("tag").cloned().into_iter().collect(),
            Some("reference_format") => vec!["think".into()],
            _ => Vec::new(),
        };
        for tag in tags.iter().filter_map(Value::as_str) {
            if !self.tags.iter().any(|known| known == tag) {
                self.tags.push(tag.to_owned());
            }
        }
        match table.get("kind").and_then(Value::as_str) {
            Some("boxed") => self.boxed = true,
            Some("majority") => self.answer = extract("answer").unwrap_or_default(),
            Some("repetition") => self.question = extract("question").unwrap_or_default(),
            _ => {}
        }
        let format = table.get("format").and_then(Value::as_str).and_then(Format::from_name);
        self.format = self.format.or(format);
        for part in table.values() {
            self.visit(part);
        }
    }

    /// The format in which the model is asked for calls.
    pub(crate) fn notation(&self) -> Notation {
        match self.format {
            Some(format) => Notation::Required(AnswerReader::Format(format)),
            None => Notation::Guessed { fallback: AnswerReader::Format(Format::Hermes) },
        }
    }

    /// What a prompt adds, so that a solver's answer has the form that is rewarded; empty where nothing is missing.
    pub(crate) fn instruction(&self) -> String {
        // The example of the format shows its own tags.
        let shown = self.format.map(|format| format.parser().render(&[])).unwrap_or_default();
        let mut text = String::new();
        for tag in self.tags.iter().filter(|tag| !shown.contains(&format!("<{tag}>"))) {
            let _ = match tag.as_str() {
                "think" => write!(text, "Before the calls, reason between <think> and </think>. "),
                "answer" => write!(text, "Write the calls between <answer> and </answer>. "),
                other => write!(text, "Your answer also needs the block <{other}>...</{other}>. "),
            };
        }
        if self.boxed {
            text.push_str("Put your final answer, with the calls, in \\boxed{}.");
        }
        text.trim_end().to_owned()
    }

    /// What a prompt adds to ask for a new question instead of an answer, in the form that is rewarded.
    pub(crate) fn proposal(&self) -> String {
        let mut text = String::from(
            "Do not answer this request. Invent a new request, unlike this one, that the same tools can serve and \
             that is hard, but not impossible, to get right.",
        );
        if self.tags.iter().any(|tag| tag == "think") {
            text.push_str(" First reason between <think> and </think>.");
        }
        if let Extract::Tag { tag } = &self.question {
            let _ = write!(text, " Write the new request between <{tag}> and </{tag}>.");
        }
        if self.boxed {
            text.push_str(" After it, give your own answer to it in \\boxed{}.");
        }
        text
    }
}
