//! How a text is cut before byte pairs are merged, by the name that llama.cpp gives to a tokenizer's rules.
//!
//! The expressions are those of the models' own `tokenizer.json`.

use serde_json::{Value, json};

const GPT2: [&str; 7] = ["gpt-2", "gpt2", "mpt", "olmo", "jais", "phi-2", "trillion"];
const DIGITS: [&str; 7] = ["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"];
const QWEN2: [&str; 5] = ["qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan"];
const LLAMA3: [&str; 7] = ["llama-bpe", "llama3", "llama-v3", "falcon3", "smaug-bpe", "dbrx", "pixtral"];

const QWEN2_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA3_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The rules of one kind of tokenizer, as parts of a `tokenizer.json`.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) normalizer: Value,
    pub(super) pre_tokenizer: Value,
    /// Whether a piece that is a token is taken whole.
    pub(super) ignore_merges: bool,
}

impl Pieces {
    /// The rules of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let bytes = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
        let sequence =
            |first: Value, use_regex| json!({"type": "Sequence", "pretokenizers": [first, bytes(use_regex)]});
        let split = |pattern: &str| {
            let first = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
            sequence(first, false)
        };
        let with = |pre_tokenizer| Self { normalizer: Value::Null, pre_tokenizer, ignore_merges: false };
        if GPT2.contains(&name) {
            Some(with(bytes(true)))
        } else if DIGITS.contains(&name) {
            Some(with(sequence(json!({"type": "Digits", "individual_digits": true}), true)))
        } else if QWEN2.contains(&name) {
            Some(Self { normalizer: json!({"type": "NFC"}), ..with(split(QWEN2_PATTERN)) })
        } else if LLAMA3.contains(&name) {
            Some(Self { ignore_merges: true, ..with(split(LLAMA3_PATTERN)) })
        } else {
            None
        }
    }

    /// Every name, for errors.
    pub(super) fn names() -> String {
        [&GPT2[..], &DIGITS, &QWEN2, &LLAMA3].concat().join(", ")
    }
}
