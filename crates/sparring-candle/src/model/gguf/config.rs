//! The shape of a decoder from the metadata of a GGUF file.

use super::file::GgufFile;
use crate::model::config::ModelConfig;
use crate::model::family::{ModelFamily, Windows};
use crate::model::rotary::{RopeScaling, long_attention_factor};
use sparring_core::PolicyError;

/// Reads the shape.
pub(super) fn read(file: &mut GgufFile) -> Result<ModelConfig, PolicyError> {
    if file.number("split.count").is_some_and(|n| n > 1) {
        return Err(
            file.bad("split.count", "is above 1: a part of a model; merge the parts with llama-gguf-split")
        );
    }
    let family = family(file)?;
    let key = |name: &str| format!("{}.{name}", family.traits().gguf.architecture);
    let shape = file
        .shape("token_embd.weight")
        .ok_or_else(|| file.bad("token_embd.weight", "is missing from the tensors"))?;
    let vocab = shape.first().copied().unwrap_or_default();
    let hidden = file.required_count(&key("embedding_length"))?;
    let layers = file.required_count(&key("block_count"))?;
    if layers > file.names().count() {
        return Err(
            file.bad(&key("block_count"), format_args!("is {layers}, more than the file has tensors"))
        );
    }
    let heads = file.required_count(&key("attention.head_count"))?;
    let mut config = ModelConfig::new(
        family,
        vocab,
        hidden,
        layers,
        heads,
        file.required_count(&key("feed_forward_length"))?,
    );
    config.num_key_value_heads = file.count(&key("attention.head_count_kv"))?.unwrap_or(heads);
    config.head_dim = file.count(&key("attention.key_length"))?.unwrap_or(config.head_dim);
    config.max_position_embeddings = file.required_count(&key("context_length"))?;
    config.rms_norm_eps = file.positive(&key("attention.layer_norm_rms_epsilon"))?.unwrap_or(1e-6);
    config.rope_theta = file.positive(&key("rope.freq_base"))?.unwrap_or(10_000.0);
    config.tie_word_embeddings = file.shape("output.weight").is_none();
    config.attention_bias = file.shape("blk.0.attn_q.bias").is_some();
    read_factors(file, &mut config, &key)?;
    if let Some(dim) = file.count(&key("rope.dimension_count"))?.filter(|_| family.traits().partial_rotation)
    {
        config.partial_rotary_factor = dim as f64 / config.head_dim as f64;
    }
    refuse_variants(file, &config, &key)?;
    read_windows(file, &mut config, &key)?;
    config.rope_scaling = scaling(file, &config, &key)?;
    config.check(|field, why| file.bad(field, why))?;
    Ok(config)
}

fn family(file: &GgufFile) -> Result<ModelFamily, PolicyError> {
    const FIELD: &str = "general.architecture";
    let name = file.text(FIELD)?.ok_or_else(|| file.missing(FIELD))?;
    ModelFamily::of_gguf(name).map_err(|why| file.bad(FIELD, why))
}

/// Refuses what the decoder would compute wrongly.
fn refuse_variants(
    file: &GgufFile,
    config: &ModelConfig,
    key: &impl Fn(&str) -> String,
) -> Result<(), PolicyError> {
    for (name, want) in
        [("attention.value_length", config.head_dim), ("rope.dimension_count", config.rotary_dim())]
    {
        if file.count(&key(name))?.is_some_and(|found| found != want) {
            let why = format_args!(
                "is not the width of a head, {}; this backend rotates whole heads",
                config.head_dim
            );
            return Err(file.bad(&key(name), why));
        }
    }
    for name in ["attn_logit_softcapping", "final_logit_softcapping"] {
        if file.positive(&key(name)).is_ok_and(|bound| bound.is_some()) {
            return Err(file.bad(&key(name), "is set; this backend has no bounds on scores and logits"));
        }
    }
    let experts = key("expert_count");
    if file.number(&experts).is_some_and(|n| n > 0) {
        return Err(file.bad(&experts, "is set; this backend has no mixtures of experts"));
    }
    Ok(())
}

/// The factors of Granite's files, and that of Gemma's scores.
fn read_factors(
    file: &GgufFile,
    config: &mut ModelConfig,
    key: &impl Fn(&str) -> String,
) -> Result<(), PolicyError> {
    /// Layers of the model whose scores are scaled by hidden_size over the heads; llama.cpp knows it by them.
    const LARGEST_GEMMA: usize = 62;
    let traits = config.family.traits();
    if traits.query_scalar {
        let largest = config.num_hidden_layers == LARGEST_GEMMA;
        let width = if largest { config.hidden_size / config.num_attention_heads } else { config.head_dim };
        config.attention_multiplier = Some((width as f64).powf(-0.5));
    }
    if traits.multipliers {
        config.attention_multiplier = file.positive(&key("attention.scale"))?;
        config.embedding_multiplier = file.positive(&key("embedding_scale"))?;
        config.residual_multiplier = file.positive(&key("residual_scale"))?;
        config.logits_scaling = file.positive(&key("logit_scale"))?;
    }
    Ok(())
}

/// Which layers slide is not in the files: it is the family's rule.
fn read_windows(
    file: &GgufFile,
    config: &mut ModelConfig,
    key: &impl Fn(&str) -> String,
) -> Result<(), PolicyError> {
    let field = key("attention.sliding_window");
    let window = file.number(&field).filter(|&n| n > 0 && n < config.max_position_embeddings as u64);
    let Some(window) = window else { return Ok(()) };
    if !matches!(config.family.traits().windows, Windows::All | Windows::Pattern) {
        return Err(file.bad(&field, "is set; this backend attends to the whole sequence in this family"));
    }
    config.sliding_window = usize::try_from(window).ok();
    Ok(())
}

/// The divisors of LongRoPE are tensors.
fn long_scaling(
    file: &mut GgufFile,
    config: &ModelConfig,
    key: &impl Fn(&str) -> String,
) -> Result<RopeScaling, PolicyError> {
    let original_positions = file.required_count(&key("rope.scaling.original_context_length"))?;
    let stretch = config.max_position_embeddings as f64 / original_positions as f64;
    let given = file.positive(&key("rope.scaling.attn_factor"))?;
    let mut list = |name: &str| -> Result<Vec<f64>, PolicyError> {
        let factors = file.tensor(name, &[config.rotary_dim() / 2])?;
        // As the decimal numbers that they stand for.
        Ok(factors.iter().map(|x| x.to_string().parse().unwrap_or(f64::from(*x))).collect())
    };
    Ok(RopeScaling::LongRope {
        short_factor: list("rope_factors_short.weight")?,
        long_factor: list("rope_factors_long.weight")?,
        attention_factor: given.unwrap_or_else(|| long_attention_factor(stretch, original_positions)),
        original_positions,
    })
}

fn scaling(
    file: &mut GgufFile,
    config: &ModelConfig,
    key: &impl Fn(&str) -> String,
) -> Result<RopeScaling, PolicyError> {
    if file.shape("rope_factors_short.weight").is_some() {
        return long_scaling(file, config, key);
    }
    if file.shape("rope_freqs.weight").is_some() {
        return llama3(file, config);
    }
    let (field, factor) = (key("rope.scaling.type"), key("rope.scaling.factor"));
    let number = |file: &GgufFile| file.positive(&factor)?.ok_or_else(|| file.missing(&factor));
    match file.text(&field)? {
        None | Some("none") => Ok(RopeScaling::Plain),
        Some("linear") => Ok(RopeScaling::Linear { factor: number(file)? }),
        Some("yarn") => {
            let original = key("rope.scaling.original_context_length");
            let factor = number(file)?;
            let part = |name: &str| file.positive(&key(&format!("rope.scaling.{name}")));
            if part("yarn_ext_factor")?.is_some_and(|part| (part - 1.0).abs() > 1e-6) {
                let field = key("rope.scaling.yarn_ext_factor");
                return Err(
                    file.bad(&field, "is not 1; this backend mixes the frequencies as YaRN's paper does")
                );
            }
            let magnitude = part("yarn_attn_factor")?.or(part("attn_factor")?).unwrap_or(1.0);
            Ok(RopeScaling::Yarn {
                factor,
                beta_fast: part("yarn_beta_fast")?.unwrap_or(32.0),
                beta_slow: part("yarn_beta_slow")?.unwrap_or(1.0),
                attention_factor: magnitude * (0.1 * factor.ln() + 1.0),
                truncate: true,
                original_positions: file.required_count(&original)?,
            })
        }
        Some(other) => Err(file.bad(
            &field,
            format_args!("is \"{other}\"; this backend knows \"none\", \"linear\" and \"yarn\""),
        )),
    }
}

/// Llama 3.1's scaling is a tensor of divisors, one for each frequency; the numbers that it was made from are not in
/// the file. All published models have these, but for the factor, which is the largest divisor.
fn llama3(file: &mut GgufFile, config: &ModelConfig) -> Result<RopeScaling, PolicyError> {
    const TENSOR: &str = "rope_freqs.weight";
    let divisors = file.tensor(TENSOR, &[config.head_dim / 2])?;
    let factor = divisors.iter().copied().fold(1.0, f32::max);
    let scaling = RopeScaling::Llama3 {
        factor: f64::from(factor),
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_positions: 8192,
    };
    let (plain, scaled) = (
        RopeScaling::Plain.frequencies(config.head_dim, config.rope_theta),
        scaling.frequencies(config.head_dim, config.rope_theta),
    );
    let agrees = divisors
        .iter()
        .zip(plain.iter().zip(&scaled))
        .all(|(divisor, (plain, scaled))| (plain / divisor - scaled).abs() <= 1e-4 * scaled);
    if agrees {
        Ok(scaling)
    } else {
        Err(file
            .bad(TENSOR, "does not scale the frequencies as Llama 3.1 does; this backend knows no other way"))
    }
}
