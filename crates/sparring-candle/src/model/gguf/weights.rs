//! The weights of a GGUF file, in the order and under the names of Hugging Face's layout.

use super::file::GgufFile;
use crate::model::config::ModelConfig;
use crate::model::layout::{Layout, zeros};
use sparring_core::PolicyError;
use std::collections::HashSet;

/// llama.cpp's names of the norms of what attention reads and gives, and of what the feed-forward part does.
const NORMS: [&str; 4] = ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"];

/// Names of a layer's other parts: Hugging Face's, and llama.cpp's.
const PARTS: [(&str, &str); 11] = [
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

/// Tensors that say how frequencies are scaled: read with the shape.
const OTHERS: [&str; 4] =
    ["rope_freqs.weight", "rope_freqs.bias", "rope_factors_short.weight", "rope_factors_long.weight"];

/// Reads all parameters.
pub(super) fn read(
    file: &mut GgufFile,
    config: &ModelConfig,
    layout: &Layout,
) -> Result<Vec<f32>, PolicyError> {
    let names: Vec<String> = layout.parameters.iter().map(|p| gguf_name(config, &p.name)).collect();
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    if let Some(other) = file.names().find(|name| !OTHERS.contains(name) && !known.contains(name)) {
        return Err(file.bad(other, "has no place in the model that the metadata describes"));
    }
    // Before memory is taken.
    for (parameter, name) in layout.parameters.iter().zip(&names) {
        file.check(name, &parameter.shape)?;
    }
    let mut weights = zeros(layout.len)?;
    for (parameter, name) in layout.parameters.iter().zip(&names) {
        let values = file.tensor(name, &parameter.shape)?;
        let out = &mut weights[parameter.at.clone()];
        let rotated = parameter.name.contains(".q_proj.") || parameter.name.contains(".k_proj.");
        if config.family.traits().gguf.permuted && rotated {
            unpermute(&values, config.head_dim, parameter.shape[0], out);
        } else {
            out.copy_from_slice(&values);
        }
        if config.norms_from_one() && parameter.name.ends_with("norm.weight") {
            // llama.cpp has the factor itself.
            for w in out {
                *w -= 1.0;
            }
        }
    }
    Ok(weights)
}

/// llama.cpp's name of a parameter.
fn gguf_name(config: &ModelConfig, name: &str) -> String {
    match name {
        "model.embed_tokens.weight" => return "token_embd.weight".to_owned(),
        "model.norm.weight" => return "output_norm.weight".to_owned(),
        "lm_head.weight" => return "output.weight".to_owned(),
        _ => {}
    }
    let named = || {
        let (layer, part) = name.strip_prefix("model.layers.")?.split_once('.')?;
        let (part, kind) = part.rsplit_once('.')?;
        let norms = config.family.traits().norms.names().into_iter().zip(NORMS);
        let mut norms = norms.filter_map(|(long, short)| Some((long?, short)));
        let found = norms.find(|(long, _)| *long == part);
        let (_, short) = found.or_else(|| PARTS.into_iter().find(|(long, _)| *long == part))?;
        Some(format!("blk.{layer}.{short}.{kind}"))
    };
    named().unwrap_or_else(|| name.to_owned())
}

/// In the files of Llama and some others, the rows of a query or key head alternate between the two halves of Hugging
/// Face's order: llama.cpp rotates neighbours, Hugging Face rows that lie half a head apart.
fn unpermute(values: &[f32], head_dim: usize, rows: usize, out: &mut [f32]) {
    let width = values.len() / rows.max(1);
    for (row, values) in values.chunks_exact(width.max(1)).enumerate() {
        let (head, within) = (row / head_dim, row % head_dim);
        let place = head * head_dim + (within % 2) * (head_dim / 2) + within / 2;
        out[place * width..(place + 1) * width].copy_from_slice(values);
    }
}
