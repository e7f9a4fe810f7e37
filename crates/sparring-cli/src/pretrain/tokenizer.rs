//! Trains the miniature's byte-level BPE on what the world writes.

use sparring::core::BoxError;
use std::path::Path;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer, TokenizerBuilder};

/// Tokens with a meaning of their own; decoding for a reader leaves them out.
const SPECIAL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
/// Tool-R0's tags: one token each, but part of the text.
const TAGS: [&str; 8] = [
    "<think>",
    "</think>",
    "<question>",
    "</question>",
    "<available_tools>",
    "</available_tools>",
    "<tool_call_answer>",
    "</tool_call_answer>",
];
/// How Qwen2 splits text before BPE: `transformers` uses this for every model of type `qwen2`, whatever
/// `tokenizer.json` says, so a tokenizer for such a model has to be trained with it.
const QWEN2_SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// `ChatML`, as Qwen2 has it.
const CHAT_TEMPLATE: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Trains a tokenizer of `vocabulary` tokens on `texts` and writes `tokenizer.json` and
/// `tokenizer_config.json` into `dir`.
pub(crate) fn train(texts: Vec<String>, vocabulary: usize, dir: &Path) -> Result<(), BoxError> {
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocabulary - TAGS.len())
        .special_tokens(SPECIAL.map(|t| AddedToken::from(t, true)).to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .show_progress(false)
        .build();
    let split =
        Split::new(SplitPattern::Regex(QWEN2_SPLIT.to_owned()), SplitDelimiterBehavior::Isolated, false)?;
    let byte_level = ByteLevel::new(false, false, false);
    let mut tokenizer = TokenizerBuilder::new()
        .with_model(BPE::default())
        .with_normalizer(Some(NFC))
        .with_pre_tokenizer(Some(Sequence::new(vec![split.into(), byte_level.into()])))
        .with_post_processor(Some(byte_level))
        .with_decoder(Some(byte_level))
        .build()?;
    tokenizer.train(&mut trainer, texts.into_iter())?;
    let mut tokenizer: Tokenizer = tokenizer.into();
    tokenizer.add_tokens(TAGS.map(|t| AddedToken::from(t, false)))?;
    std::fs::create_dir_all(dir)?;
    tokenizer.save(dir.join("tokenizer.json"), false)?;
    let config = serde_json::json!({
        "tokenizer_class": "Qwen2Tokenizer",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": false,
    });
    std::fs::write(dir.join("tokenizer_config.json"), serde_json::to_string_pretty(&config)?)?;
    Ok(())
}
