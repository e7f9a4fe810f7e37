//! Rotary frequencies, and how published models scale them beyond their training lengths.

use super::json::Fields;
use serde_json::{Map, Value, json};
use sparring_core::PolicyError;
use std::f64::consts::TAU;

/// How the rotary frequencies of a model are scaled (Hugging Face's `rope_type`).
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum RopeScaling {
    /// No scaling: frequency i is theta^(−2i/head_dim) (arXiv:2104.09864, section 3.2.2).
    #[default]
    Plain,
    /// Position interpolation (arXiv:2306.15595): every frequency is divided by `factor`.
    Linear {
        /// At least 1.
        factor: f64,
    },
    /// Llama 3.1's scaling: long wavelengths are divided by `factor`, short ones kept, with a ramp between.
    Llama3 {
        /// At least 1.
        factor: f64,
        /// Wavelengths above `original_positions / low_freq_factor` are divided.
        low_freq_factor: f64,
        /// Wavelengths below `original_positions / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Original training length.
        original_positions: usize,
    },
    /// YaRN (arXiv:2309.00071, section 3): a ramp over the dimensions, and a temperature on the scores.
    Yarn {
        /// At least 1.
        factor: f64,
        /// Dimensions that turn more often than this over the original length are kept.
        beta_fast: f64,
        /// Dimensions that turn less often than this are divided by `factor`.
        beta_slow: f64,
        /// Factor of cosines and sines.
        attention_factor: f64,
        /// Whether the ramp's ends are rounded to whole dimensions.
        truncate: bool,
        /// Original training length.
        original_positions: usize,
    },
    /// LongRoPE (arXiv:2402.13753): a divisor for each frequency, and a temperature on the scores. Sequences up to the
    /// original length have one list of divisors, longer ones another. A token's keys would then depend on how long its
    /// sequence becomes, so that they could not be kept or shared: this backend computes sequences up to the original
    /// length only ([`ModelConfig::longest_sequence`](super::ModelConfig::longest_sequence)).
    LongRope {
        /// Divisors up to the original length, at least as many as a head has frequencies.
        short_factor: Vec<f64>,
        /// Divisors beyond it, which are kept and saved.
        long_factor: Vec<f64>,
        /// Factor of cosines and sines.
        attention_factor: f64,
        /// Original training length.
        original_positions: usize,
    },
}

impl RopeScaling {
    /// Reads `rope_parameters` or `rope_scaling` of a `config.json`. `original` is its
    /// `original_max_position_embeddings`, if that is given outside of them.
    pub(crate) fn read(
        rope: Fields<'_>,
        max_positions: usize,
        original: Option<usize>,
    ) -> Result<Self, PolicyError> {
        const ORIGINAL: &str = "original_max_position_embeddings";
        let kind = rope.text("rope_type")?.or(rope.text("type")?).unwrap_or("default");
        let number = |field: &str| {
            rope.positive(field)?
                .ok_or_else(|| rope.bad(field, format_args!("is missing (rope_type \"{kind}\")")))
        };
        let outside = original;
        let original = || Ok(rope.count(ORIGINAL)?.unwrap_or(max_positions));
        match kind {
            // Older names in Phi-3's files.
            "longrope" | "su" => Self::read_long(rope, max_positions, outside),
            "yarn" if rope.get("short_factor").is_some() => Self::read_long(rope, max_positions, outside),
            "default" => Ok(Self::Plain),
            "linear" => Ok(Self::Linear { factor: number("factor")? }),
            "llama3" => Ok(Self::Llama3 {
                factor: number("factor")?,
                low_freq_factor: number("low_freq_factor")?,
                high_freq_factor: number("high_freq_factor")?,
                original_positions: original()?,
            }),
            "yarn" => {
                let original_positions = original()?;
                let stretch = max_positions as f64 / original_positions as f64;
                let factor = rope.positive("factor")?.unwrap_or(stretch);
                Ok(Self::Yarn {
                    factor,
                    beta_fast: rope.positive("beta_fast")?.unwrap_or(32.0),
                    beta_slow: rope.positive("beta_slow")?.unwrap_or(1.0),
                    attention_factor: attention_factor(rope, factor)?,
                    truncate: rope.flag("truncate")?.unwrap_or(true),
                    original_positions,
                })
            }
            other => Err(rope.bad(
                "rope_type",
                format_args!(
                    "is \"{other}\"; this backend knows \"default\", \"linear\", \"llama3\", \"yarn\" and \"longrope\""
                ),
            )),
        }
    }

    fn read_long(
        rope: Fields<'_>,
        max_positions: usize,
        original: Option<usize>,
    ) -> Result<Self, PolicyError> {
        let original_positions = match original {
            Some(original) => original,
            None => rope.count("original_max_position_embeddings")?.unwrap_or(max_positions),
        };
        let stretch = max_positions as f64 / original_positions as f64;
        let factor = rope.positive("factor")?.unwrap_or(stretch);
        let attention_factor = match rope.positive("attention_factor")? {
            Some(given) => given,
            None => long_attention_factor(factor, original_positions),
        };
        Ok(Self::LongRope {
            short_factor: rope.positives("short_factor")?,
            long_factor: rope.positives("long_factor")?,
            attention_factor,
            original_positions,
        })
    }

    /// The fields of `rope_parameters`.
    pub(crate) fn to_json(&self, theta: f64) -> Map<String, Value> {
        let value = match self {
            Self::Plain => json!({"rope_type": "default"}),
            Self::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_positions } => json!({
                "rope_type": "llama3", "factor": factor, "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor, "original_max_position_embeddings": original_positions,
            }),
            Self::Yarn { factor, beta_fast, beta_slow, attention_factor, truncate, original_positions } => {
                json!({
                    "rope_type": "yarn", "factor": factor, "beta_fast": beta_fast, "beta_slow": beta_slow,
                    "attention_factor": attention_factor, "truncate": truncate,
                    "original_max_position_embeddings": original_positions,
                })
            }
            Self::LongRope { short_factor, long_factor, attention_factor, original_positions } => json!({
                "rope_type": "longrope", "short_factor": short_factor, "long_factor": long_factor,
                "attention_factor": attention_factor, "original_max_position_embeddings": original_positions,
            }),
        };
        let mut map = match value {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        map.insert("rope_theta".to_owned(), json!(theta));
        map
    }

    /// The problem of the numbers, if any, where so many numbers of a head turn.
    pub(crate) fn fault(&self, rotary_dim: usize) -> Option<&'static str> {
        let (factor, original) = match *self {
            Self::Plain => return None,
            Self::Linear { factor } => (factor, 1),
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_positions } => {
                if !(low_freq_factor > 0.0
                    && high_freq_factor > low_freq_factor
                    && high_freq_factor.is_finite())
                {
                    return Some("needs 0 < low_freq_factor < high_freq_factor");
                }
                (factor, original_positions)
            }
            Self::Yarn { factor, beta_fast, beta_slow, attention_factor, original_positions, .. } => {
                let finite = beta_fast.is_finite() && attention_factor.is_finite();
                if !(beta_slow > 0.0 && beta_fast >= beta_slow && attention_factor > 0.0 && finite) {
                    return Some("needs 0 < beta_slow <= beta_fast and an attention_factor above 0");
                }
                (factor, original_positions)
            }
            Self::LongRope { ref short_factor, ref long_factor, attention_factor, original_positions } => {
                let lists = [short_factor, long_factor];
                if lists.iter().any(|list| list.len() != rotary_dim / 2) {
                    return Some(
                        "needs one short_factor and one long_factor for each pair of a head that turns",
                    );
                }
                let positive = |x: &f64| x.is_finite() && *x > 0.0;
                if !(lists.into_iter().flatten().all(positive) && positive(&attention_factor)) {
                    return Some("needs factors above 0");
                }
                (1.0, original_positions)
            }
        };
        if !(factor.is_finite() && factor >= 1.0) {
            return Some("needs a factor of at least 1");
        }
        (original == 0).then_some("needs an original length of at least 1")
    }

    /// Frequency of each pair of a head, in radians per position, in single precision as in the published models.
    pub(crate) fn frequencies(&self, head_dim: usize, theta: f64) -> Vec<f32> {
        let plain = (0..head_dim / 2).map(|i| 1.0 / theta.powf(2.0 * i as f64 / head_dim as f64));
        let scaled: Vec<f64> = match *self {
            Self::Plain => plain.collect(),
            Self::Linear { factor } => plain.map(|f| f / factor).collect(),
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_positions } => {
                let turns = |f: f64| original_positions as f64 * f / TAU;
                let keep =
                    |f| ((turns(f) - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                plain.map(|f| f * keep(f) + f / factor * (1.0 - keep(f))).collect()
            }
            Self::Yarn { factor, beta_fast, beta_slow, truncate, original_positions, .. } => {
                // The dimension that turns `turns` times over the original length (section 3.2).
                let dimension = |turns: f64| {
                    head_dim as f64 * (original_positions as f64 / (turns * TAU)).ln() / (2.0 * theta.ln())
                };
                let (mut low, mut high) = (dimension(beta_fast), dimension(beta_slow));
                if truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                (low, high) = (low.max(0.0), high.min(head_dim as f64 - 1.0));
                // A ramp of no length is a step.
                let length = if (high - low).abs() > 0.0 { high - low } else { 0.001 };
                let divide = |i: usize| ((i as f64 - low) / length).clamp(0.0, 1.0);
                plain.enumerate().map(|(i, f)| f * (1.0 - divide(i)) + f / factor * divide(i)).collect()
            }
            Self::LongRope { ref short_factor, .. } => {
                plain.zip(short_factor).map(|(f, by)| f / by).collect()
            }
        };
        scaled.into_iter().map(|f| f as f32).collect()
    }

    /// Factor of cosines and sines.
    pub(crate) fn attention_factor(&self) -> f64 {
        match self {
            Self::Yarn { attention_factor, .. } | Self::LongRope { attention_factor, .. } => {
                *attention_factor
            }
            _ => 1.0,
        }
    }

    /// Longest sequence for which the frequencies hold, if there is one.
    pub(crate) fn longest_sequence(&self) -> Option<usize> {
        match self {
            Self::LongRope { original_positions, .. } => Some(*original_positions),
            _ => None,
        }
    }
}

/// 0.1·ln(factor) + 1 (arXiv:2309.00071, equation 22), unless the file has another value.
fn attention_factor(rope: Fields<'_>, factor: f64) -> Result<f64, PolicyError> {
    if let Some(given) = rope.positive("attention_factor")? {
        return Ok(given);
    }
    let scale = |m: f64| if factor <= 1.0 { 1.0 } else { 0.1 * m * factor.ln() + 1.0 };
    Ok(match (rope.positive("mscale")?, rope.positive("mscale_all_dim")?) {
        (Some(m), Some(all)) => scale(m) / scale(all),
        _ => scale(1.0),
    })
}

/// √(1 + ln(factor)/ln(original)) (arXiv:2404.14219, section 2), where a model is stretched.
pub(super) fn long_attention_factor(factor: f64, original_positions: usize) -> f64 {
    if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / (original_positions as f64).ln()).sqrt() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    // Made by transformers 5.23, for the fields in `json!` and max_position_embeddings = 512:
    //
    // c = LlamaConfig(hidden_size=32, num_attention_heads=2, head_dim=16, max_position_embeddings=512,
    //                 rope_parameters=dict(rope_type=kind, rope_theta=10000.0, **fields))
    // f, a = ROPE_INIT_FUNCTIONS[kind](c, "cpu"); print(kind, ["%.7g" % x for x in f], "%.9g" % a)
    #[test]
    fn frequencies_are_those_of_transformers() {
        let cases = [
            (
                json!({"type": "linear", "factor": 3.0}),
                [
                    0.333_333_3,
                    0.105_409_3,
                    0.033_333_34,
                    0.010_540_93,
                    0.003_333_333,
                    0.001_054_093,
                    0.000_333_333_4,
                    0.000_105_409_3,
                ],
                1.0,
            ),
            (
                json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 64}),
                [
                    1.0,
                    0.244_384_6,
                    0.013_042_26,
                    0.003_952_847,
                    0.001_25,
                    0.000_395_284_7,
                    0.000_125,
                    3.952_847e-5,
                ],
                1.0,
            ),
            (
                json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}),
                [1.0, 0.237_170_8, 0.05, 0.007_905_695, 0.002_5, 0.000_790_569_5, 0.000_25, 7.905_695e-5],
                1.138_629_44,
            ),
            (
                json!({"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 32, "beta_fast": 8.0,
                    "truncate": false, "mscale": 1.0, "mscale_all_dim": 0.5}),
                [1.0, 0.120_534, 0.012_5, 0.003_952_847, 0.001_25, 0.000_395_284_7, 0.000_125, 3.952_847e-5],
                1.094_179_99,
            ),
        ];
        for (fields, want, factor) in cases {
            let map = fields.as_object().unwrap();
            let rope = Fields { file: Path::new("config.json"), map };
            let scaling = RopeScaling::read(rope, 512, None).unwrap();
            for (got, want) in scaling.frequencies(16, 10_000.0).iter().zip(want) {
                assert!((f64::from(*got) / want - 1.0).abs() < 1e-6, "{fields}: {got} {want}");
            }
            assert!((scaling.attention_factor() - factor).abs() < 1e-8, "{fields}");
            let written = scaling.to_json(10_000.0);
            let again = Fields { file: Path::new("config.json"), map: &written };
            assert_eq!(RopeScaling::read(again, 512, None).unwrap(), scaling);
        }
    }
}
