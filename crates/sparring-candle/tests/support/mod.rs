//! Tiny models and tokenizers for tests.
#![allow(dead_code, unused_imports, unused_macros, clippy::unwrap_used)]

pub(crate) mod backend;
pub(crate) mod parity;

use serde_json::json;
use sparring_candle::{CandlePolicy, ChatTokenizer, ModelConfig, ModelFamily, PolicyOptions};
use sparring_core::{Hook, Learner, Seed, TokenBatch, TokenGradients, TokenGroup, TokenLoss, TokenStats};

/// Text of a `tokenizer.json` with the words `w0`, `w1`, …, ChatML's special tokens and a tag that is not special.
pub(crate) fn tokenizer_json(words: usize) -> String {
    let specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>"];
    let mut vocab = serde_json::Map::new();
    for (id, word) in
        specials.iter().map(ToString::to_string).chain((4..words).map(|i| format!("w{i}"))).enumerate()
    {
        vocab.insert(word, json!(id));
    }
    let added: Vec<_> = specials
        .iter()
        .enumerate()
        .map(|(id, content)| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": *content != "<think>"})
        })
        .collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "w4"}
    })
    .to_string()
}

pub(crate) fn tokenizer(words: usize) -> ChatTokenizer {
    ChatTokenizer::from_text(&tokenizer_json(words), None, Some("<|im_end|>")).unwrap()
}

/// Grouped queries, tied embeddings, weights large enough that gradients are not tiny.
pub(crate) fn tiny_config() -> ModelConfig {
    let mut config = ModelConfig::qwen2(40, 16, 2, 4, 24).with_kv_heads(2).with_max_positions(96);
    config.initializer_range = 0.3;
    config
}

/// Whether layers of a family may attend within a window.
pub(crate) fn may_have_window(family: ModelFamily) -> bool {
    !matches!(family, ModelFamily::Llama | ModelFamily::Olmo2 | ModelFamily::Granite)
}

/// A configuration with what its family may have and a fresh one has not: biases if `biased`, a window in every second
/// layer, or in all, and factors.
pub(crate) fn with_options(mut config: ModelConfig, biased: bool, window: Option<usize>) -> ModelConfig {
    let family = config.family;
    config.attention_bias |= biased && !matches!(family, ModelFamily::Mistral | ModelFamily::Phi3);
    if may_have_window(family) {
        config.sliding_window = window;
        for (i, kind) in config.layer_kinds.iter_mut().enumerate() {
            kind.slides |= i % 2 == 0;
        }
    }
    if family == ModelFamily::SmolLM3 {
        config.layer_kinds[0].turns = false;
    }
    if family == ModelFamily::Phi3 && config.head_dim >= 4 && config.head_dim.is_multiple_of(4) {
        config.partial_rotary_factor = 0.5;
    }
    if family == ModelFamily::Gemma3 {
        config.attention_multiplier = Some(0.25);
    }
    if family == ModelFamily::Granite {
        config.embedding_multiplier = Some(3.0);
        config.attention_multiplier = Some(0.4);
        config.residual_multiplier = Some(0.3);
        config.logits_scaling = Some(2.0);
    }
    config
}

pub(crate) fn options() -> PolicyOptions {
    PolicyOptions::default().with_threads(2)
}

pub(crate) fn tiny(seed: u64) -> CandlePolicy {
    CandlePolicy::init(tiny_config(), tokenizer(40), options(), Seed::new(seed)).unwrap()
}

/// A prompt and completions.
pub(crate) type Group = (Vec<u32>, Vec<Vec<u32>>);

pub(crate) fn borrow(groups: &[Group]) -> Vec<TokenGroup<'_>> {
    groups
        .iter()
        .map(|(prompt, completions)| TokenGroup::new(prompt, completions.iter().map(Vec::as_slice).collect()))
        .collect()
}

pub(crate) fn with_batch<R>(groups: &[Group], temperature: f32, f: impl FnOnce(TokenBatch<'_>) -> R) -> R {
    f(TokenBatch::new(&borrow(groups), temperature))
}

/// As [`with_batch`], with every second group under a hook that allows its completions: one token here and there, a
/// third of the vocabulary elsewhere.
pub(crate) fn with_hooks<R>(groups: &[Group], temperature: f32, f: impl FnOnce(TokenBatch<'_>) -> R) -> R {
    let hooks: Vec<Option<Hook>> =
        groups.iter().enumerate().map(|(i, group)| (i % 2 == 0).then(|| hook_of(group))).collect();
    let borrowed = borrow(groups).into_iter().zip(&hooks);
    let borrowed: Vec<_> = borrowed.map(|(group, hook)| group.with_hook(hook.as_ref())).collect();
    f(TokenBatch::new(&borrowed, temperature))
}

fn hook_of((_, completions): &Group) -> Hook {
    let completions = completions.clone();
    Hook::new(move |_: &[u32], drawn: &[u32], logits: &mut [f32]| {
        let next: Vec<u32> = completions
            .iter()
            .filter(|c| c.starts_with(drawn))
            .filter_map(|c| c.get(drawn.len()).copied())
            .collect();
        for (token, logit) in (0_u32..).zip(logits) {
            let third = drawn.len() % 3 != 2 && (token as usize + drawn.len()).is_multiple_of(3);
            if !(third || next.contains(&token) || drawn.len() % 5 == 4) {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    })
}

/// How many tokens the completions have.
pub(crate) fn completion_tokens(groups: &[Group]) -> usize {
    groups.iter().flat_map(|(_, c)| c).map(Vec::len).sum()
}

/// Some groups of different shapes, an empty completion and a one-token completion among them.
pub(crate) fn groups(seed: u64, vocab: u32) -> Vec<Group> {
    use rand::Rng;
    let mut rng = Seed::new(seed).rng();
    let mut ids = |n: usize| -> Vec<u32> { (0..n).map(|_| rng.random_range(0..vocab)).collect() };
    vec![
        (ids(5), vec![ids(4), ids(7), ids(1)]),
        (ids(1), vec![ids(3)]),
        (ids(12), vec![ids(6), vec![], ids(6), ids(2), ids(9)]),
    ]
}

/// Prompts that grow out of each other: each begins as one before it does, up to any token, or anew.
pub(crate) fn branching(seed: u64, count: usize, longest: usize) -> Vec<Vec<u32>> {
    use rand::Rng;
    let mut rng = Seed::new(seed).rng();
    let mut prompts: Vec<Vec<u32>> = Vec::new();
    for i in 0..count {
        let from = rng.random_range(0..=i);
        let mut prompt = prompts.get(from).cloned().unwrap_or_default();
        prompt.truncate(rng.random_range(0..=prompt.len()));
        // Some are beginnings of others, or equal to them.
        let rest = if rng.random_range(0..3) == 0 { 0 } else { longest - prompt.len() };
        let rest = rng.random_range(usize::from(prompt.is_empty())..=rest.max(1));
        prompt.extend((0..rest).map(|_| rng.random_range(0..40)));
        prompt.truncate(longest);
        prompts.push(prompt);
    }
    prompts
}

/// Groups of such prompts, some without completions.
pub(crate) fn branching_groups(seed: u64, count: usize, longest: usize) -> Vec<Group> {
    use rand::Rng;
    let mut rng = Seed::new(seed).child("completions").rng();
    let mut completion = || {
        let n = rng.random_range(0..30);
        (0..n).map(|_| rng.random_range(0..40)).collect::<Vec<u32>>()
    };
    let prompts = branching(seed, count, longest).into_iter().enumerate();
    prompts.map(|(i, prompt)| (prompt, (0..(i + 3) % 4).map(|_| completion()).collect())).collect()
}

/// L = Σ wᵢ·logpᵢ + uᵢ·entropyᵢ with fixed weights.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    pub(crate) logp: Vec<f32>,
    pub(crate) entropy: Option<Vec<f32>>,
}

impl Linear {
    pub(crate) fn new(n: usize, entropy: bool) -> Self {
        let wave = |k: f32| (0..n).map(|i| (i as f32 * k + 1.0).sin()).collect::<Vec<f32>>();
        Self { logp: wave(1.3), entropy: entropy.then(|| wave(0.9)) }
    }
}

impl Linear {
    /// The same without some of the completions: bit `i % 64` says whether completion `i` has a gradient.
    pub(crate) fn only(mut self, groups: &[Group], bits: u64) -> Self {
        let mut flat = 0;
        for (i, completion) in groups.iter().flat_map(|(_, completions)| completions).enumerate() {
            let at = flat..flat + completion.len();
            flat = at.end;
            if (bits >> (i % 64)) & 1 == 0 {
                self.logp[at.clone()].fill(0.0);
                if let Some(entropy) = &mut self.entropy {
                    entropy[at].fill(0.0);
                }
            }
        }
        self
    }
}

impl TokenLoss for Linear {
    fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        assert_eq!(stats.logp.len(), self.logp.len());
        gradients.logp.copy_from_slice(&self.logp);
        let mut loss = dot(stats.logp, &self.logp);
        if let Some(weights) = &self.entropy {
            gradients.entropy.unwrap().copy_from_slice(weights);
            loss += dot(stats.entropy.unwrap(), weights);
        }
        loss
    }

    fn needs_entropy(&self) -> bool {
        self.entropy.is_some()
    }
}

/// The gradient of a fixed loss on some batch.
pub(crate) fn accumulate(policy: &mut CandlePolicy, seed: u64) -> f64 {
    let groups = groups(seed, 40);
    let loss = Linear::new(completion_tokens(&groups), true);
    with_batch(&groups, 0.9, |batch| policy.accumulate(batch, &loss).unwrap())
}

/// A step on each of some batches.
pub(crate) fn train(policy: &mut CandlePolicy, steps: std::ops::Range<u64>) {
    for seed in steps {
        accumulate(policy, seed);
        policy.step(1e-2).unwrap();
    }
}

/// All that is trained.
pub(crate) fn bits(policy: &CandlePolicy) -> Vec<u32> {
    policy.parameters().flat_map(|(_, _, w)| w.to_vec()).map(f32::to_bits).collect()
}
