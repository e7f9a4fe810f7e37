//! Properties of any bytes as files of a model, shared by the fuzz targets and the test over their corpora.
#![allow(dead_code, clippy::unwrap_used)] // Each target uses one of the checks.

use serde_json::{Value, json};
use sparring_candle::{CandlePolicy, ChatTokenizer, PolicyOptions};
use sparring_core::{Conversation, Message};
use std::fs;
use std::path::Path;

const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{"id": 0,
    "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
    "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
    "model": {"type": "WordLevel", "vocab": {"</s>": 0, "a": 1, "b": 2, "c": 3}, "unk_token": "a"}}"#;

/// Most bytes of weights that a header is given.
const MOST: u64 = 1 << 16;

/// The bytes are a GGUF file at `path`.
///
/// # Panics
/// If an error is not one line that names the file, or a weight that was read is no number.
pub(crate) fn check_gguf(data: &[u8], path: &Path) {
    // candle divides by this number, and a fuzz target cannot catch what it does if it is 0.
    if data.windows(9).any(|part| part == b"alignment") {
        return;
    }
    fs::write(path, data).unwrap();
    check_load(path);
}

/// The bytes are `config.json` up to the first NUL, and then `model.safetensors`: without its length, the header of a
/// file whose weights are zeros, or the whole file if another NUL stands before it. The folder `dir` is written anew.
///
/// # Panics
/// As for [`check_gguf`].
pub(crate) fn check_weights(data: &[u8], dir: &Path) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (config, weights) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let file = match weights {
        [0, file @ ..] => file.to_vec(),
        header => with_zeros(header),
    };
    fs::create_dir_all(dir).unwrap();
    for (name, bytes) in
        [("tokenizer.json", TOKENIZER.as_bytes()), ("config.json", config), ("model.safetensors", &file)]
    {
        fs::write(dir.join(name), bytes).unwrap();
    }
    check_load(dir);
}

/// A whole file with this header.
fn with_zeros(header: &[u8]) -> Vec<u8> {
    let tensors: Value = serde_json::from_slice(header).unwrap_or_default();
    let ends = tensors.as_object().into_iter().flatten().map(|(_, info)| info["data_offsets"][1].as_u64());
    let len = ends.flatten().max().unwrap_or(0).min(MOST);
    [&(header.len() as u64).to_le_bytes(), header, &vec![0; len as usize]].concat()
}

fn check_load(path: &Path) {
    match CandlePolicy::load(path, PolicyOptions::default().with_threads(1)) {
        Ok(policy) => assert!(policy.parameters().all(|(_, _, w)| w.iter().all(|w| w.is_finite()))),
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains(&path.display().to_string()) && !error.contains('\n'), "{error}");
        }
    }
}

/// The bytes are a chat template, which renders two conversations.
///
/// # Panics
/// If an error does not say that it is about the template.
pub(crate) fn check_template(data: &[u8]) {
    let source = String::from_utf8_lossy(data);
    let about = |error: String| assert!(error.contains("chat_template"), "{error}");
    let tokenizer = match ChatTokenizer::from_text(TOKENIZER, Some(&source), Some("</s>")) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return about(error.to_string()),
    };
    let plain =
        [Message::system("a"), Message::user("b {{ c }}"), Message::assistant("c"), Message::user("")];
    let tool = json!({"type": "function", "function": {"name": "f", "description": "g", "parameters": {
        "type": "object", "properties": {"x": {"type": "string", "enum": ["1", "2"]}}, "required": ["x"]}}});
    for conversation in [Conversation::new(plain.clone()), Conversation::new(plain).with_tools([tool])] {
        if let Err(error) = tokenizer.render(&conversation) {
            about(error.to_string());
        }
    }
}
