//! Decoder families: rows of a table that say what distinguishes each. No other code asks which family a model is of.

use super::config::Activation;

/// Decoder families, by Hugging Face's `model_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelFamily {
    /// Qwen2 and Qwen2.5 (arXiv:2407.10671): biases on queries, keys and values.
    Qwen2,
    /// Qwen3 (arXiv:2505.09388): norms on the heads of queries and keys.
    Qwen3,
    /// Llama 2, 3, 3.1 and 3.2 (arXiv:2407.21783).
    Llama,
    /// Mistral (arXiv:2310.06825): the first version attends within a window.
    Mistral,
    /// SmolLM3: every fourth layer has no rotary embedding (arXiv:2501.18795).
    SmolLM3,
    /// The text models of Gemma 3 (arXiv:2503.19786): norms before and after attention and feed-forward, norms on
    /// heads, scaled embeddings, GELU, and layers that attend within a window and turn by frequencies of their own.
    Gemma3,
    /// Phi-3 and Phi-4-mini (arXiv:2404.14219, arXiv:2503.01743): fused matrices, part of a head turns, LongRoPE.
    Phi3,
    /// OLMo 2 (arXiv:2501.00656): norms after attention and feed-forward, and over all queries and keys of a token.
    Olmo2,
    /// Granite 3: factors of embeddings, scores, residual branches and logits.
    Granite,
}

/// Where a layer has norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Norms {
    /// On what attention and feed-forward read.
    Before,
    /// On what they give.
    After,
    /// On both.
    Around,
}

impl Norms {
    /// Their names in a layer: before and after attention, before and after the feed-forward part.
    pub(crate) fn names(self) -> [Option<&'static str>; 4] {
        const INPUT: Option<&str> = Some("input_layernorm");
        const ATTENTION: Option<&str> = Some("post_attention_layernorm");
        const BEFORE: Option<&str> = Some("pre_feedforward_layernorm");
        const AFTER: Option<&str> = Some("post_feedforward_layernorm");
        match self {
            Self::Before => [INPUT, None, ATTENTION, None],
            Self::After => [None, ATTENTION, None, AFTER],
            Self::Around => [INPUT, ATTENTION, BEFORE, AFTER],
        }
    }
}

/// Norms on queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadNorms {
    Never,
    /// Of each head, with the same weights.
    Each,
    /// Of all heads of a token together.
    Together,
}

/// Biases of attention's matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Biases {
    Never,
    /// On queries, keys and values.
    Inputs,
    /// On all four, if `attention_bias` is true.
    Chosen,
}

/// Which layers attend within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Windows {
    Never,
    /// All, if there is a `sliding_window`.
    All,
    /// If `use_sliding_window` is true, those that `layer_types` names, or from `max_window_layers` on.
    After,
    /// If `use_sliding_window` is true, those that `layer_types` names, or those that do not turn.
    Unturned,
    /// Those that `layer_types` names, or all but each `sliding_window_pattern`-th.
    Pattern,
}

/// What `transformers` takes where `config.json` is silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) head_dim: Option<usize>,
    pub(crate) kv_heads: Option<usize>,
    pub(crate) positions: usize,
    pub(crate) eps: f64,
    pub(crate) theta: f64,
    pub(crate) tied: bool,
    pub(crate) window: Option<usize>,
}

/// How llama.cpp writes a family.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gguf {
    /// The value of `general.architecture`.
    pub(crate) architecture: &'static str,
    /// Whether rows of queries and keys are in the order in which neighbours turn against each other.
    pub(crate) permuted: bool,
}

/// What distinguishes a family.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a column of the table, independent of the others")]
pub(crate) struct Traits {
    pub(crate) family: ModelFamily,
    pub(crate) model_type: &'static str,
    /// The value of `architectures`.
    pub(crate) class: &'static str,
    pub(crate) gguf: Gguf,
    pub(crate) norms: Norms,
    /// Whether a norm multiplies by 1 + w, where w are its weights.
    pub(crate) norms_from_one: bool,
    pub(crate) head_norms: HeadNorms,
    pub(crate) biases: Biases,
    /// Whether queries, keys and values are one matrix of the checkpoint, and gate and up another.
    pub(crate) fused: bool,
    pub(crate) windows: Windows,
    /// Whether some layers may have no rotary embedding (`no_rope_layers`).
    pub(crate) may_not_turn: bool,
    /// Whether layers within a window have rotary frequencies of their own.
    pub(crate) local_rotation: bool,
    /// Whether only a part of each head may turn (`partial_rotary_factor`).
    pub(crate) partial_rotation: bool,
    /// Whether `config.json` has `embedding_multiplier` and its like.
    pub(crate) multipliers: bool,
    /// Whether embeddings are multiplied by √hidden_size.
    pub(crate) scaled_embedding: bool,
    /// Whether scores are divided by the root of `query_pre_attn_scalar`.
    pub(crate) query_scalar: bool,
    /// The usual activation, and the field that names it.
    pub(crate) activation: Activation,
    pub(crate) activation_field: &'static str,
    pub(crate) defaults: Defaults,
}

const LLAMA: Traits = Traits {
    family: ModelFamily::Llama,
    model_type: "llama",
    class: "LlamaForCausalLM",
    gguf: Gguf { architecture: "llama", permuted: true },
    norms: Norms::Before,
    norms_from_one: false,
    head_norms: HeadNorms::Never,
    biases: Biases::Chosen,
    fused: false,
    windows: Windows::Never,
    may_not_turn: false,
    local_rotation: false,
    partial_rotation: false,
    multipliers: false,
    scaled_embedding: false,
    query_scalar: false,
    activation: Activation::Silu,
    activation_field: "hidden_act",
    defaults: Defaults {
        head_dim: None,
        kv_heads: None,
        positions: 32_768,
        eps: 1e-6,
        theta: 10_000.0,
        tied: false,
        window: None,
    },
};

/// Each family as it differs from Llama.
const FAMILIES: [Traits; 9] = [
    Traits {
        family: ModelFamily::Qwen2,
        model_type: "qwen2",
        class: "Qwen2ForCausalLM",
        gguf: Gguf { architecture: "qwen2", permuted: false },
        biases: Biases::Inputs,
        windows: Windows::After,
        defaults: Defaults { window: Some(4096), ..LLAMA.defaults },
        ..LLAMA
    },
    Traits {
        family: ModelFamily::Qwen3,
        model_type: "qwen3",
        class: "Qwen3ForCausalLM",
        gguf: Gguf { architecture: "qwen3", permuted: false },
        head_norms: HeadNorms::Each,
        windows: Windows::After,
        defaults: Defaults { head_dim: Some(128), window: Some(4096), ..LLAMA.defaults },
        ..LLAMA
    },
    LLAMA,
    Traits {
        family: ModelFamily::Mistral,
        model_type: "mistral",
        class: "MistralForCausalLM",
        biases: Biases::Never,
        windows: Windows::All,
        defaults: Defaults { kv_heads: Some(8), positions: 131_072, window: Some(4096), ..LLAMA.defaults },
        ..LLAMA
    },
    Traits {
        family: ModelFamily::SmolLM3,
        model_type: "smollm3",
        class: "SmolLM3ForCausalLM",
        gguf: Gguf { architecture: "smollm3", permuted: true },
        windows: Windows::Unturned,
        may_not_turn: true,
        defaults: Defaults { kv_heads: Some(4), theta: 2_000_000.0, tied: true, ..LLAMA.defaults },
        ..LLAMA
    },
    Traits {
        family: ModelFamily::Gemma3,
        model_type: "gemma3_text",
        class: "Gemma3ForCausalLM",
        gguf: Gguf { architecture: "gemma3", permuted: false },
        norms: Norms::Around,
        norms_from_one: true,
        head_norms: HeadNorms::Each,
        windows: Windows::Pattern,
        local_rotation: true,
        scaled_embedding: true,
        query_scalar: true,
        activation: Activation::GeluTanh,
        activation_field: "hidden_activation",
        defaults: Defaults {
            head_dim: Some(256),
            kv_heads: Some(4),
            positions: 131_072,
            theta: 1_000_000.0,
            tied: true,
            window: Some(4096),
            ..LLAMA.defaults
        },
        ..LLAMA
    },
    Traits {
        family: ModelFamily::Phi3,
        model_type: "phi3",
        class: "Phi3ForCausalLM",
        gguf: Gguf { architecture: "phi3", permuted: false },
        biases: Biases::Never,
        fused: true,
        windows: Windows::All,
        partial_rotation: true,
        defaults: Defaults { positions: 4096, eps: 1e-5, ..LLAMA.defaults },
        ..LLAMA
    },
    Traits {
        family: ModelFamily::Olmo2,
        model_type: "olmo2",
        class: "Olmo2ForCausalLM",
        gguf: Gguf { architecture: "olmo2", permuted: false },
        norms: Norms::After,
        head_norms: HeadNorms::Together,
        defaults: Defaults { positions: 2048, eps: 1e-5, ..LLAMA.defaults },
        ..LLAMA
    },
    Traits {
        family: ModelFamily::Granite,
        model_type: "granite",
        class: "GraniteForCausalLM",
        gguf: Gguf { architecture: "granite", permuted: true },
        multipliers: true,
        defaults: Defaults { positions: 2048, ..LLAMA.defaults },
        ..LLAMA
    },
];

/// The first family whose name is this one, by `name_of`; else what to say of it.
fn named(name: &str, name_of: fn(&Traits) -> &'static str) -> Result<ModelFamily, String> {
    if let Some(row) = FAMILIES.iter().find(|row| name_of(row) == name) {
        return Ok(row.family);
    }
    let mut known: Vec<String> = FAMILIES.iter().map(|row| format!("\"{}\"", name_of(row))).collect();
    // Mistral's GGUF files are those of Llama, its neighbour in the table.
    known.dedup();
    Err(format!("is \"{name}\"; this backend loads {}", known.join(", ")))
}

impl ModelFamily {
    /// Every family.
    pub const ALL: [Self; 9] = [
        Self::Qwen2,
        Self::Qwen3,
        Self::Llama,
        Self::Mistral,
        Self::SmolLM3,
        Self::Gemma3,
        Self::Phi3,
        Self::Olmo2,
        Self::Granite,
    ];

    pub(crate) fn traits(self) -> &'static Traits {
        // The order of the table is that of the variants; a test checks it.
        &FAMILIES[self as usize]
    }

    /// The family of this `model_type`; else what to say of it.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        named(name, |row| row.model_type)
    }

    /// The family of this `general.architecture` of a GGUF file; else what to say of it.
    pub(super) fn of_gguf(name: &str) -> Result<Self, String> {
        named(name, |row| row.gguf.architecture)
    }

    /// The value of `model_type`.
    pub fn model_type(self) -> &'static str {
        self.traits().model_type
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_order_of_the_variants() {
        for (row, family) in FAMILIES.iter().zip(ModelFamily::ALL) {
            assert_eq!((row.family, family.traits().family), (family, family));
            assert_eq!(ModelFamily::named(row.model_type), Ok(family));
        }
        assert_eq!(ModelFamily::of_gguf("llama"), Ok(ModelFamily::Llama));
        assert_eq!(ModelFamily::of_gguf("gemma3"), Ok(ModelFamily::Gemma3));
    }
}
