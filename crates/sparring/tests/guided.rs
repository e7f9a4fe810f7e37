//! A model under a grammar of calls: whatever its weights say, its answers are calls of the tools.
#![cfg(all(feature = "guided", feature = "candle", feature = "miniature"))]
#![allow(clippy::unwrap_used)]

use sparring::candle::{CandlePolicy, PolicyOptions};
use sparring::core::{Message, SampleRequest, Sampler, SamplingParams, Seed};
use sparring::guided::{CallGrammar, Guide, Vocabulary};
use sparring::tools::{CallParser, Format, ToolSpec};
use std::path::Path;
use std::time::Instant;

fn tools() -> Vec<ToolSpec> {
    let tool = |name: &str, about: &str, parameters: serde_json::Value, required: &[&str]| {
        let schema = serde_json::json!({"type": "object", "properties": parameters, "required": required});
        let tool = serde_json::json!({"name": name, "description": about, "parameters": schema});
        ToolSpec::from_json(&tool).unwrap()
    };
    let text = || serde_json::json!({"type": "string"});
    vec![
        tool("get_forecast", "The weather.", serde_json::json!({"city": text(), "day": text()}), &["city"]),
        tool(
            "send_money",
            "Pays.",
            serde_json::json!({"to": text(), "euros": {"type": "integer"}}),
            &["to", "euros"],
        ),
    ]
}

fn guide(policy: &CandlePolicy) -> Guide {
    let tokenizer = policy.tokenizer();
    Guide::new(&Vocabulary::new(tokenizer.token_bytes(), tokenizer.end_tokens().collect()).unwrap()).unwrap()
}

/// Draws `n` answers under the grammar of one format, and checks that each that ended is one valid call.
fn answers_are_calls(policy: &CandlePolicy, guide: &Guide, format: Format, n: usize) -> usize {
    let tools = tools();
    let grammar = CallGrammar::new(format).with_string_chars(24);
    let constraint = guide.calls(&tools, &grammar).unwrap();
    let params = SamplingParams::default().with_max_tokens(160);
    let prompt = vec![Message::user("Will it rain in Oslo on Friday?")];
    let request = SampleRequest::new(prompt, n, params, Seed::new(3)).with_hook(constraint);
    let rollouts = policy.sample_one(&request).unwrap();
    let ended: Vec<_> = rollouts.iter().filter(|rollout| rollout.tokens.len() < 160).collect();
    for rollout in &ended {
        let calls = format.parser_for(tools.clone()).parse(&rollout.text).unwrap();
        assert_eq!(calls.len(), 1, "{format}: {}", rollout.text);
        let tool = tools.iter().find(|tool| tool.name == calls[0].name).unwrap();
        tool.validate(&calls[0]).unwrap();
    }
    ended.len()
}

#[test]
fn a_small_model_can_only_call_the_tools() {
    let dir = tempfile::tempdir().unwrap();
    sparring::miniature::write_base(dir.path()).unwrap();
    let policy = CandlePolicy::load(dir.path(), PolicyOptions::default()).unwrap();
    let guide = guide(&policy);
    for format in [Format::ToolR0, Format::Hermes, Format::Pythonic, Format::Glm] {
        assert!(answers_are_calls(&policy, &guide, format, 8) >= 6, "{format}");
    }
}

/// The bytes of a real model's tokens spell its texts, and its answers under a grammar are calls.
#[test]
#[ignore = "needs SPARRING_SMOLLM2, the GGUF file of a real model"]
fn a_real_model_can_only_call_the_tools() {
    let Some(model) = std::env::var_os("SPARRING_SMOLLM2") else {
        println!("skipped: SPARRING_SMOLLM2 is not set");
        return;
    };
    let policy = CandlePolicy::load(Path::new(&model), PolicyOptions::default()).unwrap();
    let bytes = policy.tokenizer().token_bytes();
    for text in ["The capital of France", "Überraschung: 東京 🚲", "{\"a\": [1, 2.5]}\n\tdone"] {
        let ids = policy.tokenizer().encode(text).unwrap();
        let spelled: Vec<u8> = ids.iter().flat_map(|&id| bytes[id as usize].clone()).collect();
        assert_eq!(String::from_utf8(spelled).unwrap(), text);
    }
    let began = Instant::now();
    let guide = guide(&policy);
    println!("guide: {:.2} s", began.elapsed().as_secs_f64());
    for format in [Format::Hermes, Format::Qwen3Coder] {
        assert!(answers_are_calls(&policy, &guide, format, 4) >= 3, "{format}");
    }
}
