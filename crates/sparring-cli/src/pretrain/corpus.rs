//! Documents of the miniature world as the texts that a base model reads.

use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use sparring::core::{Game, Message, Prompt, Seed};
use sparring::miniature::{Document, DocumentMix, World, plan};
use sparring::recipes::tool_r0::{
    Context, TaskSpec, ToolListStyle, ToolR0Game, render_answer, render_proposal,
};
use sparring::tools::ToolSpec;

/// Share of proposals and answers that lose one of their tags.
const BROKEN_SHARE: f64 = 0.08;
/// Ends of blocks that noise may drop.
const CLOSING: [&str; 4] = ["</think>", "</question>", "</available_tools>", "</tool_call_answer>"];

/// A document: a conversation (absent for plain text) and what follows it.
pub(crate) struct Text {
    pub(crate) prompt: Vec<Message>,
    pub(crate) completion: String,
}

/// Writes documents in the words and tags of the game that the two roles will play.
pub(crate) struct Corpus<'a> {
    pub(crate) world: World,
    pub(crate) mix: DocumentMix,
    pub(crate) game: &'a ToolR0Game,
}

impl Corpus<'_> {
    /// The document of this seed.
    pub(crate) fn text(&self, seed: Seed) -> Text {
        match self.world.document(&self.mix, seed) {
            Document::Catalogue(tools) => {
                let index: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
                let completion = format!("{}\n{}", index.join(", "), ToolListStyle::Compact.write(&tools));
                Text { prompt: Vec::new(), completion }
            }
            Document::Index { tools, entries } => {
                page(&tools, entries.iter().map(|(wish, intents)| format!("{wish} = {}", plan(intents))))
            }
            Document::Manual { tools, examples } => page(
                &tools,
                examples
                    .iter()
                    .map(|(said, intents, calls)| format!("{said}\n{}\n{}", plan(intents), json!(calls))),
            ),
            Document::Requests(requests) => {
                let lines =
                    requests.into_iter().map(|(said, details)| format!("{said}\n{}", Value::Object(details)));
                Text { prompt: Vec::new(), completion: lines.collect::<Vec<_>>().join("\n") }
            }
            Document::Proposal { shape, arguments, task, think } => {
                let context = if shape.multi_turn { Context::MultiTurn } else { Context::SingleTurn };
                let spec = TaskSpec {
                    domain: task.domain.clone(),
                    context,
                    tools: shape.tools,
                    calls: shape.calls,
                    arguments: Some(arguments),
                };
                let completion = break_sometimes(render_proposal(&task, &think), seed);
                Text { prompt: messages(self.game.generator_prompt(&spec)), completion }
            }
            Document::Answer { task, calls, think } => {
                let completion = break_sometimes(render_answer(&calls, &think), seed);
                Text { prompt: self.game.solver_prompt(&task), completion }
            }
            Document::Prose { task, text } => {
                Text { prompt: self.game.solver_prompt(&task), completion: text }
            }
            _ => Text { prompt: Vec::new(), completion: String::new() },
        }
    }
}

/// Tools, and lines about them.
fn page(tools: &[ToolSpec], lines: impl Iterator<Item = String>) -> Text {
    let page = std::iter::once(ToolListStyle::Compact.write(tools)).chain(lines);
    Text { prompt: Vec::new(), completion: page.collect::<Vec<_>>().join("\n") }
}

fn break_sometimes(text: String, seed: Seed) -> String {
    let mut rng = seed.child("broken").rng();
    if !rng.random_bool(BROKEN_SHARE) {
        return text;
    }
    let tag = CLOSING.choose(&mut rng).copied().unwrap_or("</think>");
    text.replacen(tag, "", 1)
}

/// The messages of a conversation.
fn messages(prompt: Prompt) -> Vec<Message> {
    match prompt {
        Prompt::Conversation(conversation) => conversation.messages,
        _ => Vec::new(),
    }
}
