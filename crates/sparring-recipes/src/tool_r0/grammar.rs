//! The grammars of both players, for models that write broken JSON where they are free to.

use super::tags;
use super::{Proposal, TaskSpec};
use crate::grammar::quotes::Quotes;
use crate::grammar::{simple, texts};
use serde_json::{Map, Value};
use sparring_guided::{CallGrammar, Constraint, Guide, GuidedError, Staged};
use sparring_tools::{Format, ToolSpec};

/// Largest number of words between two values of a question, and before and behind them.
const GAP: usize = 8;
/// Largest number of characters of a string in a call: that the Generator invents, and that the Solver writes.
const VALUE_CHARS: usize = 32;
const ANSWER_CHARS: usize = 200;
/// Largest number of parameters of an invented tool.
const PARAMETERS: usize = 3;

/// What the Generator writes: the tools of the specification, then calls of the tools that it wrote, then a question
/// in which every value of the calls stands.
pub(super) fn proposal(guide: &Guide, spec: &TaskSpec) -> Result<Staged, GuidedError> {
    let (of_calls, of_question) = (guide.clone(), guide.clone());
    let calls = spec.calls;
    let answer = move |text: &str| {
        let grammar = CallGrammar::new(Format::ToolR0).with_calls(calls..=calls);
        of_calls.calls(&written_tools(text), &grammar)
    };
    let question = move |text: &str| {
        let calls = Proposal::parse(text).calls.unwrap_or_default();
        let arguments: Vec<Map<String, Value>> = calls.into_iter().map(|call| call.arguments).collect();
        let (open, close) = (format!("\n<{}>", tags::QUESTION), format!("</{}>", tags::QUESTION));
        of_question.sentence(&open, &texts(&arguments), GAP, &[], &close)
    };
    Ok(Staged::new(guide.lark(tools(spec.tools))?, answer).then(question))
}

/// Calls of the tools, or an empty list; the values of free strings are texts of the question.
pub(super) fn answer(
    guide: &Guide,
    tools: &[ToolSpec],
    question: &str,
    most: usize,
) -> Result<Constraint, GuidedError> {
    let tools = Quotes::of(&[sparring_core::Message::user(question)]).tools(tools);
    let grammar = CallGrammar::new(Format::ToolR0).with_calls(0..=most).with_string_chars(ANSWER_CHARS);
    guide.calls(&tools, &grammar)
}

/// The tools that a text holds, with values that people say.
fn written_tools(text: &str) -> Vec<ToolSpec> {
    let mut tools = Proposal::parse(text).tools.unwrap_or_default();
    for tool in &mut tools {
        tool.parameters.values_mut().for_each(|schema| *schema = simple(schema, VALUE_CHARS));
        // An optional parameter may be left out, and a small model leaves out all.
        tool.required = tool.parameters.keys().cloned().collect();
    }
    tools
}

/// A grammar in Lark of a list of `n` tools.
fn tools(n: usize) -> String {
    let more = |what: &str, most: usize| format!("(\", \" {what}){{0,{most}}}");
    let list = vec!["tool"; n].join(" \", \" ");
    [
        format!("start: \"<{0}>[\" {list} \"]</{0}>\\n\"", tags::TOOLS),
        format!(
            r#"tool: "{{\"name\": \"" NAME "\", \"description\": \"" TEXT "\", \"parameters\": {{" parameter {} "}}}}""#,
            more("parameter", PARAMETERS - 1)
        ),
        r#"parameter: "\"" NAME "\": {\"type\": \"" TYPE "\", \"description\": \"" TEXT "\"}""#.to_owned(),
        r"NAME: /[a-z]{2,14}(_[a-z]{2,14}){0,2}/".to_owned(),
        r"TEXT: /[A-Z][a-z]{1,14}( [a-zA-Z]{1,14}){1,9}\.?/".to_owned(),
        "TYPE: /string|integer|number|boolean/".to_owned(),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::{Context, Preset};
    use super::*;
    use sparring_core::{Game, LogitHook, Rollout, Seed};
    use sparring_guided::Vocabulary;

    fn spec(tools: usize, calls: usize) -> TaskSpec {
        TaskSpec { domain: "weather".into(), context: Context::SingleTurn, tools, calls, arguments: None }
    }

    /// A text that the hook allows, with random bytes where it leaves a choice.
    fn walk(hook: &dyn LogitHook, seed: u64) -> String {
        let mut rng = Seed::new(seed).rng();
        let mut state = hook.start(&[]);
        let mut bytes = Vec::new();
        while bytes.len() < 5000 {
            let mut logits = vec![0.0; 257];
            state.apply(&mut logits).unwrap();
            let allowed: Vec<u32> = (0..257).filter(|&t| logits[t as usize] == 0.0).collect();
            // The marks that end a text or a list, more often than their share of the bytes.
            let ends: Vec<u32> =
                allowed.iter().copied().filter(|t| [34, 93, 125, 60, 256].contains(t)).collect();
            let from = if !ends.is_empty() && rng.below(3) == 0 { &ends } else { &allowed };
            let token = from[rng.below(from.len())];
            if token == 256 {
                break;
            }
            bytes.push(token as u8);
            state.accept(token).unwrap();
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_proposal_has_its_tools_calls_and_values() {
        let guide = Guide::new(&Vocabulary::bytes()).unwrap();
        let game = Preset::load("constrained").unwrap().build().unwrap().game.with_guide(guide).unwrap();
        let mut read = 0;
        for seed in 0..20 {
            let spec = spec(1 + seed as usize % 3, 1);
            let hook = game.generator_hook(&spec).unwrap();
            let text = walk(&hook, seed);
            let parsed = Proposal::parse(&text);
            assert_eq!(parsed.tools.as_ref().map(Vec::len), Ok(spec.tools), "{text}");
            assert_eq!(parsed.calls.as_ref().map(Vec::len), Ok(1), "{text}");
            match game.read(&spec, &Rollout::from_text(&text)) {
                Ok(task) => {
                    read += 1;
                    let hook = game.solver_hook(&task).unwrap();
                    let gold = game.gold_answer(&task).unwrap();
                    assert!(game.solved(&task, &Rollout::from_text(&gold)), "{gold}");
                    let mut state = hook.start(&[]);
                    for byte in gold.bytes() {
                        let mut logits = vec![0.0; 257];
                        state.apply(&mut logits).unwrap();
                        assert!(logits[byte as usize] == 0.0, "{gold} for {text}");
                        state.accept(u32::from(byte)).unwrap();
                    }
                }
                // What a grammar cannot forbid: two tools of one name, a value that is said in other words.
                Err(why) => assert!(
                    !why.rule.ends_with("json") && !why.rule.starts_with("missing"),
                    "{why:?}: {text}"
                ),
            }
        }
        assert!(read > 5, "{read} of 20 were read");
    }
}
