//! GGUF files: what they hold is what a model folder holds, and a broken one is refused.
//!
//! The files are written here, by candle's writer, from models of random weights. One test reads a real model; the
//! environment variable `SPARRING_SMOLLM2` names its file and `SPARRING_SHARED` the folder of recorded references.
#![allow(clippy::unwrap_used)]

mod support;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use sparring_candle::oracle::Oracle;
use sparring_candle::{CandlePolicy, ChatTokenizer, ModelConfig, ModelFamily, PolicyOptions, RopeScaling};
use sparring_core::{
    Encoder, Prompt, SampleRequest, Sampler, SamplingParams, Scorer, Seed, TokenBatch, TokenGroup,
};
use std::collections::BTreeMap;
use std::path::Path;

const PARTS: [(&str, &str); 14] = [
    ("input_layernorm", "attn_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("mlp.gate_up_proj", "ffn_up"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

fn name_in_gguf(family: ModelFamily, name: &str) -> String {
    // Before the feed-forward part, or after attention.
    let after = matches!(family, ModelFamily::Gemma3 | ModelFamily::Olmo2);
    let norm = if after { "post_attention_norm." } else { "ffn_norm." };
    let name = name.replace("post_attention_layernorm.", norm);
    let name = name.replace("model.layers.", "blk.").replace("model.embed_tokens", "token_embd");
    let name = name.replace("model.norm", "output_norm").replace("lm_head", "output");
    PARTS.iter().fold(name, |name, (long, short)| name.replace(&format!("{long}."), &format!("{short}.")))
}

/// llama.cpp's order of the rows of Llama's queries and keys: `[heads, 2, dim / 2]` becomes `[heads, dim / 2, 2]`.
fn permute(tensor: &Tensor, heads: usize) -> Tensor {
    let (rows, width) = (tensor.dim(0).unwrap(), tensor.elem_count() / tensor.dim(0).unwrap());
    let apart = tensor.reshape((heads, 2, rows / heads / 2, width)).unwrap();
    apart.transpose(1, 2).unwrap().contiguous().unwrap().reshape(tensor.shape()).unwrap()
}

/// Byte-level tokens: all bytes, a merge, a control token and a token of the user's.
fn tokens() -> (Vec<Value>, Vec<Value>) {
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    let mut tokens: Vec<String> = ByteLevel::alphabet().into_iter().map(String::from).collect();
    tokens.sort_unstable();
    let mut kinds = vec![1; tokens.len()];
    for (token, kind) in
        [("he", 1), ("Ġhe", 1), ("<|im_start|>", 3), ("<|im_end|>", 3), ("<tool>", 4), ("[PAD]", 5)]
    {
        tokens.push(token.to_owned());
        kinds.push(kind);
    }
    (tokens.into_iter().map(Value::String).collect(), kinds.into_iter().map(Value::I32).collect())
}

/// Families whose queries and keys are in that order.
const PERMUTED: [ModelFamily; 3] = [ModelFamily::Llama, ModelFamily::SmolLM3, ModelFamily::Granite];

/// The content of a GGUF file.
struct Content {
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Tensor>,
}

impl Content {
    /// A model of random weights: as a policy, and as llama.cpp would write it.
    fn of(family: ModelFamily, tied: bool) -> (CandlePolicy, Self) {
        let (words, _) = tokens();
        let config = ModelConfig::new(family, words.len(), 64, 4, 4, 96).with_kv_heads(2);
        Self::of_config(&config.with_tied_embeddings(tied))
    }

    fn of_config(config: &ModelConfig) -> (CandlePolicy, Self) {
        let ((words, kinds), family) = (tokens(), config.family);
        let metadata = metadata(config, words, kinds);
        let dir = tempfile::tempdir().unwrap();
        let policy = CandlePolicy::init(
            config.clone(),
            support::tokenizer(262),
            PolicyOptions::default(),
            Seed::new(3),
        )
        .unwrap();
        policy.save_pretrained(dir.path()).unwrap();
        let saved =
            candle_core::safetensors::load(dir.path().join("model.safetensors"), &Device::Cpu).unwrap();
        let tensors = saved.into_iter().map(|(name, tensor)| {
            let heads = match name {
                _ if !PERMUTED.contains(&family) => None,
                _ if name.contains("q_proj") => Some(4),
                _ if name.contains("k_proj") => Some(2),
                _ => None,
            };
            let tensor = heads.map_or(tensor.clone(), |heads| permute(&tensor, heads));
            let factor = family == ModelFamily::Gemma3 && name.ends_with("norm.weight");
            let tensor = if factor { (tensor + 1.0).unwrap() } else { tensor };
            (name_in_gguf(family, &name), tensor)
        });
        let mut tensors: BTreeMap<String, Tensor> = tensors.collect();
        if let RopeScaling::LongRope { short_factor, long_factor, .. } = &config.rope_scaling {
            for (name, factors) in [("short", short_factor), ("long", long_factor)] {
                let factors: Vec<f32> = factors.iter().map(|factor| *factor as f32).collect();
                let factors = Tensor::new(factors, &Device::Cpu).unwrap();
                tensors.insert(format!("rope_factors_{name}.weight"), factors);
            }
        }
        (policy, Self { metadata, tensors })
    }

    /// Writes the file; matrices as `kind`.
    fn write(&self, path: &Path, kind: GgmlDType) {
        let mut file = std::fs::File::create(path).unwrap();
        let quantised: Vec<_> = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                let kind = if tensor.rank() > 1 { kind } else { GgmlDType::F32 };
                (name.as_str(), QTensor::quantize(tensor, kind).unwrap())
            })
            .collect();
        let metadata: Vec<_> = self.metadata.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let tensors: Vec<_> = quantised.iter().map(|(name, tensor)| (*name, tensor)).collect();
        gguf_file::write(&mut file, &metadata, &tensors).unwrap();
    }
}

fn metadata(config: &ModelConfig, words: Vec<Value>, kinds: Vec<Value>) -> BTreeMap<String, Value> {
    let arch = config.family.model_type().trim_end_matches("_text");
    let count = |n: usize| Value::U32(n as u32);
    let text = |text: &str| Value::String(text.to_owned());
    let mut all: BTreeMap<String, Value> = [
        ("block_count", count(config.num_hidden_layers)),
        ("context_length", count(config.max_position_embeddings)),
        ("embedding_length", count(config.hidden_size)),
        ("feed_forward_length", count(config.intermediate_size)),
        ("attention.head_count", count(config.num_attention_heads)),
        ("attention.head_count_kv", count(config.num_key_value_heads)),
        ("attention.key_length", count(config.head_dim)),
        ("attention.layer_norm_rms_epsilon", Value::F32(1e-6)),
        ("rope.freq_base", Value::F32(10_000.0)),
    ]
    .into_iter()
    .map(|(name, value)| (format!("{arch}.{name}"), value))
    .collect();
    let turned = (config.head_dim as f64 * config.partial_rotary_factor) as usize;
    let scaling = match config.rope_scaling {
        RopeScaling::LongRope { attention_factor, original_positions, .. } => {
            [Some(attention_factor), Some(original_positions as f64)]
        }
        _ => [None; 2],
    };
    for (name, value) in [
        ("rope.dimension_count", (turned < config.head_dim).then_some(turned as f64)),
        ("attention.sliding_window", config.sliding_window.map(|window| window as f64)),
        ("rope.scaling.original_context_length", scaling[1]),
    ] {
        all.extend(value.map(|value| (format!("{arch}.{name}"), count(value as usize))));
    }
    // Gemma's factor is that of its heads.
    let factor = config.attention_multiplier.filter(|_| config.family == ModelFamily::Granite);
    for (name, value) in [
        ("rope.scaling.attn_factor", scaling[0]),
        ("attention.scale", factor),
        ("embedding_scale", config.embedding_multiplier),
        ("residual_scale", config.residual_multiplier),
        ("logit_scale", config.logits_scaling),
    ] {
        all.extend(value.map(|value| (format!("{arch}.{name}"), Value::F32(value as f32))));
    }
    let merges = ["h e", "Ġ he"].map(text).to_vec();
    for (name, value) in [
        ("general.architecture", text(arch)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("qwen2")),
        ("tokenizer.ggml.tokens", Value::Array(words)),
        ("tokenizer.ggml.token_type", Value::Array(kinds)),
        ("tokenizer.ggml.merges", Value::Array(merges)),
        ("tokenizer.ggml.bos_token_id", Value::U32(258)),
        ("tokenizer.ggml.eos_token_id", Value::U32(259)),
        (
            "tokenizer.chat_template",
            text("{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"),
        ),
    ] {
        all.insert(name.to_owned(), value);
    }
    all
}

fn load(path: &Path) -> CandlePolicy {
    CandlePolicy::load(path, PolicyOptions::default()).unwrap()
}

fn refused(path: &Path) -> String {
    CandlePolicy::load(path, PolicyOptions::default()).unwrap_err().to_string()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_file_holds_what_a_folder_holds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let ids: Vec<u32> = (0..40).map(|i| i * 7 % 250).collect();
    let others =
        [ModelFamily::Gemma3, ModelFamily::Phi3, ModelFamily::Olmo2, ModelFamily::Granite].map(|family| {
            let (words, _) = tokens();
            let config = ModelConfig::new(family, words.len(), 64, 2, 4, 96).with_kv_heads(2);
            let mut config = support::with_options(config, false, Some(9));
            // Which layers have a window is not in the file.
            config.layer_kinds.iter_mut().for_each(|kind| kind.slides = config.sliding_window.is_some());
            if family == ModelFamily::Phi3 {
                config.rope_scaling = RopeScaling::LongRope {
                    short_factor: vec![1.0, 1.5, 2.5, 3.1],
                    long_factor: vec![2.0, 5.0, 7.5, 9.0],
                    attention_factor: 1.19,
                    original_positions: 512,
                };
            }
            Content::of_config(&config)
        });
    let models = [
        Content::of(ModelFamily::Llama, true),
        Content::of(ModelFamily::Llama, false),
        Content::of(ModelFamily::Qwen2, true),
        Content::of(ModelFamily::Qwen3, false),
        Content::of(ModelFamily::SmolLM3, true),
    ];
    for (policy, content) in models.into_iter().chain(others) {
        let family = policy.config().family;
        content.write(&path, GgmlDType::F32);
        let read = load(&path);
        assert_eq!(read.config().family, family);
        assert_eq!(read.logits(&ids).unwrap(), policy.logits(&ids).unwrap(), "{family:?}");
        // Saved as a folder, it is the same model.
        read.save_pretrained(dir.path().join("saved")).unwrap();
        let saved = load(&dir.path().join("saved"));
        assert_eq!(saved.logits(&ids).unwrap(), policy.logits(&ids).unwrap());
        assert_eq!(
            saved.tokenizer().encode(" he<tool>").unwrap(),
            read.tokenizer().encode(" he<tool>").unwrap()
        );
    }
}

/// A model of quantised weights is the model of the numbers that they stand for.
#[test]
fn quantised_types_are_widened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let (_, mut content) = Content::of(ModelFamily::Qwen3, true);
    // K-quants take rows of 256.
    let shapes = [
        ("token_embd", 262),
        ("attn_q", 256),
        ("attn_k", 128),
        ("attn_v", 128),
        ("attn_output", 256),
        ("ffn_gate", 256),
        ("ffn_up", 256),
        ("ffn_down", 256),
    ];
    for (name, tensor) in &mut content.tensors {
        let rows =
            shapes.iter().find(|(part, _)| name.contains(&format!("{part}.weight"))).map(|(_, rows)| *rows);
        let shape = match rows {
            Some(rows) => vec![rows, 256],
            None => vec![if name.contains("_q_norm") || name.contains("_k_norm") { 64 } else { 256 }],
        };
        let values =
            (0..shape.iter().product()).map(|i: usize| ((i * 37 % 101) as f32 - 50.0) / 500.0).collect();
        *tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
    }
    for (field, value) in
        [("embedding_length", 256), ("feed_forward_length", 256), ("attention.key_length", 64)]
    {
        content.metadata.insert(format!("qwen3.{field}"), Value::U32(value));
    }
    let ids: Vec<u32> = (0..12).collect();
    let logits = |content: &Content, kind| {
        content.write(&path, kind);
        load(&path).logits(&ids).unwrap()
    };
    let exact = logits(&content, GgmlDType::F32);
    for kind in [
        GgmlDType::F16,
        GgmlDType::BF16,
        GgmlDType::Q8_0,
        GgmlDType::Q6K,
        GgmlDType::Q5K,
        GgmlDType::Q4K,
        GgmlDType::Q4_0,
        GgmlDType::Q4_1,
    ] {
        let mut widened = Content { metadata: content.metadata.clone(), tensors: content.tensors.clone() };
        for tensor in widened.tensors.values_mut().filter(|tensor| tensor.rank() > 1) {
            *tensor = QTensor::quantize(tensor, kind).unwrap().dequantize(&Device::Cpu).unwrap();
        }
        let (ours, wanted) = (logits(&content, kind), logits(&widened, GgmlDType::F32));
        assert_eq!(ours, wanted, "{kind:?}");
        assert_ne!(ours, exact, "{kind:?} rounds");
    }
}

#[test]
fn the_tokenizer_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let (_, mut content) = Content::of(ModelFamily::Llama, true);
    content.write(&path, GgmlDType::F32);
    let policy = load(&path);
    let tokenizer = policy.tokenizer();
    let id = |token: &str| tokenizer.token_id(token).unwrap();
    assert_eq!(tokenizer.encode("he he").unwrap(), [id("he"), id("Ġhe")]);
    assert_eq!(tokenizer.encode("<|im_end|><tool>").unwrap(), [id("<|im_end|>"), id("<tool>")]);
    assert_eq!(
        tokenizer.decode(&[id("he"), id("Ġhe"), id("<|im_end|>"), id("<tool>")]).unwrap(),
        "he he<tool>"
    );
    assert_eq!(tokenizer.token_id("[PAD]"), None);
    assert_eq!(tokenizer.end_tokens().collect::<Vec<_>>(), [id("<|im_end|>")]);
    let prompt = tokenizer.prompt(&Prompt::from(vec![sparring_core::Message::user("he")])).unwrap();
    assert_eq!(*prompt, [id("<|im_start|>"), id("he"), id("<|im_end|>")]);
    // Digits one by one, or in threes.
    for (pre, pieces) in [("smollm", 4), ("llama-bpe", 4), ("qwen2", 4)] {
        content.metadata.insert("tokenizer.ggml.pre".to_owned(), Value::String(pre.to_owned()));
        content.write(&path, GgmlDType::F32);
        assert_eq!(load(&path).tokenizer().encode("1234").unwrap().len(), pieces, "{pre}");
    }
}

/// SentencePiece's pairs are merged by the score of what they make, and unknown characters fall back to bytes.
#[test]
fn scores_order_the_merges_of_a_sentence_piece_model() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let (_, mut content) = Content::of(ModelFamily::Llama, true);
    let mut pieces: Vec<(String, f32, i32)> =
        [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)].map(|(t, s, k)| (t.to_owned(), s, k)).to_vec();
    pieces.extend((0..=255).map(|b| (format!("<0x{b:02X}>"), 0.0, 6)));
    for (i, piece) in ["▁", "a", "b", "c", "ab", "bc", "▁a"].into_iter().enumerate() {
        // "bc" has a better score than "ab".
        let score = [-10.0, -11.0, -12.0, -13.0, -3.0, -2.0, -4.0][i];
        pieces.push((piece.to_owned(), score, 1));
    }
    let insert = |content: &mut Content, name: &str, value| {
        content.metadata.insert(format!("tokenizer.ggml.{name}"), value)
    };
    insert(&mut content, "model", Value::String("llama".to_owned()));
    insert(&mut content, "tokens", Value::Array(pieces.iter().map(|p| Value::String(p.0.clone())).collect()));
    insert(&mut content, "scores", Value::Array(pieces.iter().map(|p| Value::F32(p.1)).collect()));
    insert(&mut content, "token_type", Value::Array(pieces.iter().map(|p| Value::I32(p.2)).collect()));
    insert(&mut content, "bos_token_id", Value::U32(1));
    insert(&mut content, "eos_token_id", Value::U32(2));
    let rows = Tensor::ones((pieces.len(), 64), candle_core::DType::F32, &Device::Cpu).unwrap();
    content.tensors.insert("token_embd.weight".to_owned(), rows);
    content.write(&path, GgmlDType::F32);
    let policy = load(&path);
    let tokenizer = policy.tokenizer();
    let texts =
        |ids: &[u32]| ids.iter().map(|&id| pieces[id as usize].0.as_str()).collect::<Vec<_>>().join(" ");
    let ids = tokenizer.encode("abc é").unwrap();
    assert_eq!(texts(&ids), "▁a bc ▁ <0xC3> <0xA9>");
    assert_eq!(tokenizer.decode(&ids).unwrap(), "abc é");
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let broken = |change: &dyn Fn(&mut Content)| {
        let (_, mut content) = Content::of(ModelFamily::Llama, true);
        change(&mut content);
        content.write(&path, GgmlDType::F32);
        refused(&path)
    };
    let set = |field: &'static str, value: Value| {
        broken(&move |content| {
            content.metadata.insert(field.to_owned(), value.clone());
        })
    };
    let text = |text: &str| Value::String(text.to_owned());
    for (error, parts) in [
        (set("general.architecture", text("mamba")), ["general.architecture", "mamba", "qwen2"]),
        (set("tokenizer.ggml.model", text("bert")), ["tokenizer.ggml.model", "bert", "folder"]),
        (set("tokenizer.ggml.pre", text("tekken")), ["tokenizer.ggml.pre", "tekken", "smollm"]),
        (set("llama.block_count", Value::U32(1 << 30)), ["llama.block_count", "1073741824", "1048576"]),
        (set("llama.block_count", Value::U32(1 << 20)), ["llama.block_count", "1048576", "tensors"]),
        (set("llama.embedding_length", Value::U32(32)), ["shape [262, 64]", "[262, 32]", "damaged"]),
        (set("llama.feed_forward_length", Value::U32(1 << 20)), ["ffn_gate", "[1048576, 64]", "damaged"]),
        (set("llama.feed_forward_length", Value::U64(1 << 60)), ["feed_forward_length", "1048576", ""]),
        (set("llama.attention.head_count", Value::U32(1 << 20)), ["shape", "attn_q", "damaged"]),
        (set("llama.attention.key_length", Value::U64(1 << 62)), ["key_length", "1048576", ""]),
        (set("llama.context_length", Value::U64(1 << 40)), ["context_length", "1048576", ""]),
        (set("llama.attention.head_count", Value::F32(0.5)), ["head_count", "0.5", "whole number"]),
        (set("llama.expert_count", Value::U32(8)), ["expert_count", "mixtures", ""]),
        (set("llama.rope.scaling.type", text("longrope")), ["rope.scaling.type", "longrope", "yarn"]),
        (set("tokenizer.ggml.eos_token_id", Value::U32(9999)), ["eos_token_id", "9999", "no token"]),
        (set("general.alignment", Value::U32(0)), ["alignment", "0", ""]),
        (set("split.count", Value::U16(3)), ["split.count", "part", "merge"]),
        (broken(&|c| drop(c.metadata.remove("llama.context_length"))), ["context_length", "missing", ""]),
        (broken(&|c| drop(c.tensors.remove("blk.1.ffn_up.weight"))), ["blk.1.ffn_up.weight", "missing", ""]),
        (
            broken(&|c| {
                let extra = c.tensors["output_norm.weight"].clone();
                c.tensors.insert("blk.0.attn_sinks.weight".to_owned(), extra);
            }),
            ["blk.0.attn_sinks.weight", "no place", ""],
        ),
    ] {
        assert!(
            error.contains("model.gguf") && parts.iter().all(|part| error.contains(part)),
            "{error}: {parts:?}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_file_that_was_cut_is_refused_wherever_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let (_, content) = Content::of(ModelFamily::Llama, true);
    content.write(&path, GgmlDType::F32);
    let whole = std::fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(whole.len() / 60) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = refused(&path);
        assert!(error.contains("model.gguf"), "{length} bytes: {error}");
    }
}

/// Frequencies that are scaled as Llama 3.1 scales them are recognised by their tensor; others are refused.
#[test]
fn llama_3_scaling_is_read_from_its_tensor() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let (_, mut content) = Content::of(ModelFamily::Llama, true);
    // transformers' `_compute_llama3_parameters` for theta 10000, a head of 16, factor 8, 1 and 4 over 8192 positions:
    // the plain frequencies over the scaled ones. The longest wavelength, 2π·10000^(7/8), is 19869: above 8192.
    let smooth = |wavelength: f64| (8192.0 / wavelength - 1.0) / 3.0;
    let divisor = |i: i32| {
        let wavelength = std::f64::consts::TAU * 10_000_f64.powf(f64::from(i) / 8.0);
        let ramp = smooth(wavelength);
        if wavelength > 8192.0 {
            8.0
        } else if wavelength < 2048.0 {
            1.0
        } else {
            1.0 / ((1.0 - ramp) / 8.0 + ramp)
        }
    };
    let divisors: Vec<f32> = (0..8).map(|i| divisor(i) as f32).collect();
    assert!(
        (divisors[7] - 8.0).abs() < 1e-6 && divisors[6] > 1.0 && divisors[5] < 1.0 + 1e-6,
        "{divisors:?}"
    );
    content.tensors.insert("rope_freqs.weight".to_owned(), Tensor::new(divisors, &Device::Cpu).unwrap());
    content.write(&path, GgmlDType::F32);
    let scaled = load(&path).logits(&[1, 2, 3]).unwrap();
    content.tensors.remove("rope_freqs.weight");
    content.write(&path, GgmlDType::F32);
    assert_ne!(scaled, load(&path).logits(&[1, 2, 3]).unwrap());
    let divisors = [1.0_f32, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    content.tensors.insert("rope_freqs.weight".to_owned(), Tensor::new(&divisors, &Device::Cpu).unwrap());
    content.write(&path, GgmlDType::F32);
    assert!(refused(&path).contains("rope_freqs.weight"));
}

/// Token ids, log-probabilities, logits and a greedy continuation of SmolLM2-135M-Instruct, as `transformers` computes
/// them from the same file (`make_smollm2_reference.py` beside the recorded values).
#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references, and SPARRING_SMOLLM2, the model's GGUF file"]
fn a_real_model_agrees_with_transformers() {
    let (Some(shared), Some(model)) =
        (std::env::var_os("SPARRING_SHARED"), std::env::var_os("SPARRING_SMOLLM2"))
    else {
        println!("skipped: SPARRING_SHARED or SPARRING_SMOLLM2 is not set");
        return;
    };
    let recorded = std::fs::read(Path::new(&shared).join("models/smollm2_reference.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&recorded).unwrap();
    let texts: Vec<String> = serde_json::from_str(&header.metadata().as_ref().unwrap()["texts"]).unwrap();
    let file = SafeTensors::deserialize(&recorded).unwrap();
    let numbers = |name: &str| {
        let data = file.tensor(name).unwrap().data().to_vec();
        data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>()
    };
    let ids = |name: &str| {
        let data = file.tensor(name).unwrap().data().to_vec();
        data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as u32).collect::<Vec<_>>()
    };
    let policy = load(Path::new(&model));
    let (tokenizer, exact): (&ChatTokenizer, _) = (policy.tokenizer(), Oracle::new(&policy).unwrap());
    for (i, text) in texts.iter().enumerate() {
        let wanted = ids(&format!("ids.{i}"));
        assert_eq!(tokenizer.encode(text).unwrap(), wanted, "{text}");
        let last = |logits: Vec<f32>| logits[logits.len() - policy.config().vocab_size..].to_vec();
        let recorded = numbers(&format!("last_logits.{i}"));
        // In double precision only the recorded values are rounded; the engine rounds by itself.
        let exact = exact.logits(&wanted).unwrap().into_iter().map(|x| x as f32).collect();
        let in_double = largest_difference(&last(exact), &recorded);
        let ours = largest_difference(&last(policy.logits(&wanted).unwrap()), &recorded);
        let scores =
            policy.score(TokenBatch::new(&[TokenGroup::new(&wanted[..1], vec![&wanted[1..]])], 1.0)).unwrap();
        let logp = largest_difference(&scores, &numbers(&format!("logp.{i}")));
        println!(
            "text {i}: logits differ by {in_double:.1e} in double precision, {ours:.1e} in ours; logp by {logp:.1e}"
        );
        assert!(in_double < 1e-4 && ours < 1e-4 && logp < 1e-4, "{in_double} {ours} {logp}");
    }
    let greedy = ids("greedy.4");
    let params = SamplingParams::default().with_temperature(0.0).with_max_tokens(greedy.len());
    let request = SampleRequest::new(ids("ids.4"), 1, params, Seed::new(1));
    assert_eq!(policy.sample_one(&request).unwrap()[0].tokens, greedy);
}
