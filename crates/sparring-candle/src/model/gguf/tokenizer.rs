//! The tokenizer in the metadata of a GGUF file, as the files of a model folder.

use super::file::{GgufFile, integer};
use super::pieces::Pieces;
use crate::model::templates::TemplateFiles;
use crate::model::tokenizer::{ChatTokenizer, Files};
use candle_core::quantized::gguf_file::Value as Field;
use serde_json::{Map, Value, json};
use sparring_core::PolicyError;
use std::collections::HashMap;

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const MERGES: &str = "tokenizer.ggml.merges";

/// llama.cpp's kinds of token that matter here.
const UNKNOWN: u64 = 2;
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
const UNUSED: u64 = 5;

/// The vocabulary: texts and kinds, by id.
struct Vocabulary {
    tokens: Vec<String>,
    kinds: Vec<u64>,
}

impl Vocabulary {
    fn read(file: &GgufFile) -> Result<Self, PolicyError> {
        let tokens = file.list(TOKENS, text)?.ok_or_else(|| file.missing(TOKENS))?;
        let kinds = file.list("tokenizer.ggml.token_type", integer)?.unwrap_or_else(|| vec![1; tokens.len()]);
        if kinds.len() != tokens.len() {
            let why =
                format_args!("has {} entries, but there are {} kinds of token", tokens.len(), kinds.len());
            return Err(file.bad(TOKENS, why));
        }
        Ok(Self { tokens, kinds })
    }

    fn used(&self) -> impl Iterator<Item = (usize, &String, u64)> {
        let all = self.tokens.iter().zip(&self.kinds).enumerate();
        all.map(|(id, (token, kind))| (id, token, *kind)).filter(|(.., kind)| *kind != UNUSED)
    }

    fn text(&self, id: u32) -> Option<&String> {
        self.tokens.get(id as usize)
    }

    /// `model.vocab` of `tokenizer.json`.
    fn ids(&self) -> Value {
        self.used().map(|(id, token, _)| (token.clone(), id.into())).collect::<Map<_, _>>().into()
    }

    /// `added_tokens` of `tokenizer.json`: they are found in a text before it is cut.
    fn added(&self) -> Value {
        let added = self.used().filter(|(.., kind)| [UNKNOWN, CONTROL, USER_DEFINED].contains(kind));
        let entry = |(id, token, kind): (usize, &String, u64)| {
            json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": kind != USER_DEFINED})
        };
        added.map(entry).collect()
    }
}

/// Reads the tokenizer and the chat template.
pub(super) fn read(file: &GgufFile) -> Result<ChatTokenizer, PolicyError> {
    let vocabulary = Vocabulary::read(file)?;
    let parts = match file.text(MODEL)? {
        Some("gpt2") => byte_level(file, &vocabulary)?,
        Some("llama") => sentence_piece(file, &vocabulary)?,
        Some(other) => {
            let why = format_args!(
                "is \"{other}\"; this backend reads \"gpt2\" and \"llama\": use the model's folder"
            );
            return Err(file.bad(MODEL, why));
        }
        None => return Err(file.missing(MODEL)),
    };
    let mut tokenizer = json!({"version": "1.0", "truncation": null, "padding": null, "post_processor": null,
        "added_tokens": vocabulary.added()});
    if let (Value::Object(all), Value::Object(parts)) = (&mut tokenizer, parts) {
        all.extend(parts);
    }
    let mut config = Map::new();
    for (name, field) in [("bos_token", "bos_token_id"), ("eos_token", "eos_token_id")] {
        let field = format!("tokenizer.ggml.{field}");
        if let Some(id) = file.token(&field)? {
            let token = vocabulary
                .text(id)
                .ok_or_else(|| file.bad(&field, format_args!("is {id}, which is no token")))?;
            config.insert(name.to_owned(), json!(token));
        }
    }
    if let Some(template) = file.text("tokenizer.chat_template")? {
        config.insert("chat_template".to_owned(), json!(template));
    }
    // Further templates have their names in their keys.
    if let Some(names) = file.list("tokenizer.chat_templates", text)? {
        let mut named: Vec<Value> = Vec::new();
        for name in names {
            if let Some(template) = file.text(&format!("tokenizer.chat_template.{name}"))? {
                named.push(json!({"name": name, "template": template}));
            }
        }
        named.extend(config.get("chat_template").map(|whole| json!({"name": "default", "template": whole})));
        config.insert("chat_template".to_owned(), named.into());
    }
    let ends = ["eos", "eot", "eom"].map(|name| file.token(&format!("tokenizer.ggml.{name}_token_id")));
    let ends = ends.into_iter().filter_map(Result::transpose).collect::<Result<Vec<u32>, _>>()?;
    let generation = Map::from_iter([("eos_token_id".to_owned(), json!(ends))]);
    let files =
        Files { tokenizer: tokenizer.to_string(), config, generation, templates: TemplateFiles::default() };
    ChatTokenizer::from_files(files, file.path(), file.path())
}

/// Byte pairs, as of GPT-2.
fn byte_level(file: &GgufFile, vocabulary: &Vocabulary) -> Result<Value, PolicyError> {
    let name = match file.text(PRE)? {
        Some(name) => name,
        // Older files of Qwen models do not say it.
        None if file.text("general.architecture")?.is_some_and(|name| name.starts_with("qwen")) => "qwen2",
        None => return Err(file.missing(PRE)),
    };
    let pieces = Pieces::named(name).ok_or_else(|| {
        let names = Pieces::names();
        file.bad(PRE, format_args!("is \"{name}\"; this backend knows {names}: use the model's folder"))
    })?;
    let merges = file.list(MERGES, text)?.ok_or_else(|| file.missing(MERGES))?;
    Ok(json!({
        "normalizer": pieces.normalizer,
        "pre_tokenizer": pieces.pre_tokenizer,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": pieces.ignore_merges, "vocab": vocabulary.ids(), "merges": merges},
    }))
}

/// SentencePiece's byte pairs, as of Llama 2: a merge of two tokens is as early as the score of the result is high.
fn sentence_piece(file: &GgufFile, vocabulary: &Vocabulary) -> Result<Value, PolicyError> {
    const SCORES: &str = "tokenizer.ggml.scores";
    let scores = file.list(SCORES, number)?.ok_or_else(|| file.missing(SCORES))?;
    if scores.len() != vocabulary.tokens.len() {
        return Err(file.bad(SCORES, format_args!("has {} entries, not one a token", scores.len())));
    }
    let unknown = file.token("tokenizer.ggml.unknown_token_id")?.unwrap_or(0);
    let prefix = file.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
    let normalizer = if prefix {
        json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace]})
    } else {
        replace
    };
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    Ok(json!({
        "normalizer": normalizer,
        "pre_tokenizer": null,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {"type": "BPE", "dropout": null, "unk_token": vocabulary.text(unknown),
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true,
            "ignore_merges": false, "vocab": vocabulary.ids(), "merges": merges(vocabulary, &scores)},
    }))
}

/// Every way to make a token of two others, by falling score; of one score, longer left parts first.
fn merges(vocabulary: &Vocabulary, scores: &[f64]) -> Vec<[String; 2]> {
    let known: HashMap<&str, usize> = vocabulary.used().map(|(id, token, _)| (token.as_str(), id)).collect();
    let mut merges = Vec::new();
    for (id, token, _) in vocabulary.used() {
        let cuts = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
        let mut cuts: Vec<_> =
            cuts.filter_map(|(left, right)| Some((*known.get(left)?, *known.get(right)?))).collect();
        cuts.sort_unstable();
        merges.extend(cuts.into_iter().map(|cut| (scores[id], cut)));
    }
    let text = |id: usize| &vocabulary.tokens[id];
    let lengths = |(left, right): (usize, usize)| (text(left).chars().count(), text(right).chars().count());
    merges.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| lengths(*y).cmp(&lengths(*x))));
    merges.into_iter().map(|(_, (left, right))| [text(left).clone(), text(right).clone()]).collect()
}

fn text(value: &Field) -> Option<String> {
    match value {
        Field::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn number(value: &Field) -> Option<f64> {
    match value {
        Field::F32(x) => Some(f64::from(*x)),
        Field::F64(x) => Some(*x),
        _ => None,
    }
}
