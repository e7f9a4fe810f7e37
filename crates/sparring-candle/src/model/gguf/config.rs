//! The shape of a decoder from the metadata of a GGUF file.

use super::file::GgufFile;
use crate::model::config::{ModelConfig, ModelFamily};
use crate::model::rotary::RopeScaling;
use sparring_core::PolicyError;

/// Reads the shape.
pub(super) fn read(file: &mut GgufFile) -> Result<ModelConfig, PolicyError> {
    if file.number("split.count").is_some_and(|n| n > 1) {
        return Err(
            file.bad("split.count", "is above 1: a part of a model; merge the parts with llama-gguf-split")
        );
    }
    let family = family(file)?;
    let key = |name: &str| format!("{}.{name}", family.model_type());
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
    refuse_variants(file, &config, &key)?;
    config.rope_scaling = scaling(file, &config, &key)?;
    config.check(|field, why| file.bad(field, why))?;
    Ok(config)
}

fn family(file: &GgufFile) -> Result<ModelFamily, PolicyError> {
    const FIELD: &str = "general.architecture";
    let name = file.text(FIELD)?.ok_or_else(|| file.missing(FIELD))?;
    ModelFamily::named(name).map_err(|why| file.bad(FIELD, why))
}

/// Refuses what the decoder would compute wrongly.
fn refuse_variants(
    file: &GgufFile,
    config: &ModelConfig,
    key: &impl Fn(&str) -> String,
) -> Result<(), PolicyError> {
    for name in ["attention.value_length", "rope.dimension_count"] {
        if file.count(&key(name))?.is_some_and(|found| found != config.head_dim) {
            let why = format_args!(
                "is not the width of a head, {}; this backend rotates whole heads",
                config.head_dim
            );
            return Err(file.bad(&key(name), why));
        }
    }
    let window = key("attention.sliding_window");
    if file.number(&window).is_some_and(|n| n > 0 && n < config.max_position_embeddings as u64) {
        return Err(file.bad(&window, "is set; this backend attends to the whole sequence"));
    }
    let experts = key("expert_count");
    if file.number(&experts).is_some_and(|n| n > 0) {
        return Err(file.bad(&experts, "is set; this backend has no mixtures of experts"));
    }
    Ok(())
}

fn scaling(
    file: &mut GgufFile,
    config: &ModelConfig,
    key: &impl Fn(&str) -> String,
) -> Result<RopeScaling, PolicyError> {
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
