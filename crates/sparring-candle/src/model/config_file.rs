//! Reading and writing Hugging Face's `config.json`.

use super::config::{Activation, ModelConfig};
use super::family::{Biases, ModelFamily, Traits};
use super::json::{self, Fields};
use super::layout::Layout;
use super::rotations::Rotations;
use serde_json::{Map, Value, json};
use sparring_core::PolicyError;
use std::path::Path;

const QUANTISED: &str = "quantization_config";

impl ModelConfig {
    /// Reads `config.json`. Unknown keys are kept, not refused.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the file and the field that is missing, wrong or not supported.
    pub fn read(file: &Path) -> Result<Self, PolicyError> {
        let map = json::read_object(file, json::NEEDS)?;
        let fields = Fields { file, map: &map };
        let family = read_family(fields)?;
        refuse_other_heads(family, fields)?;
        refuse_other_options(fields)?;
        let (traits, defaults) = (family.traits(), family.traits().defaults);
        let hidden = fields.required_count("hidden_size")?;
        let heads = fields.required_count("num_attention_heads")?;
        let max_positions = fields.count("max_position_embeddings")?.unwrap_or(defaults.positions);
        let factor = |field| if traits.multipliers { fields.positive(field) } else { Ok(None) };
        let rotations = Rotations::read(family, fields, max_positions)?;
        let config = Self {
            family,
            vocab_size: fields.required_count("vocab_size")?,
            hidden_size: hidden,
            intermediate_size: fields.required_count("intermediate_size")?,
            num_hidden_layers: fields.required_count("num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: fields.count("num_key_value_heads")?.or(defaults.kv_heads).unwrap_or(heads),
            head_dim: fields.count("head_dim")?.or(defaults.head_dim).unwrap_or(hidden / heads),
            max_position_embeddings: max_positions,
            rms_norm_eps: fields.positive("rms_norm_eps")?.unwrap_or(defaults.eps),
            rope_theta: rotations.theta,
            rope_scaling: rotations.scaling,
            rope_local_theta: rotations.local_theta,
            partial_rotary_factor: rotations.partial,
            sliding_window: None,
            layer_kinds: Vec::new(),
            attention_bias: match traits.biases {
                Biases::Never => false,
                Biases::Inputs => true,
                Biases::Chosen => fields.flag("attention_bias")?.unwrap_or(false),
            },
            activation: read_activation(fields, traits)?,
            embedding_multiplier: factor("embedding_multiplier")?,
            attention_multiplier: read_score_factor(family, fields)?,
            residual_multiplier: factor("residual_multiplier")?,
            logits_scaling: factor("logits_scaling")?,
            tie_word_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(defaults.tied),
            initializer_range: fields.positive("initializer_range")?.unwrap_or(0.02),
            other: Map::new(),
        };
        let bad = |field: &str, why: &str| fields.bad(field, why);
        // Before memory is taken for each layer.
        config.check_sizes(&bad)?;
        let config = config.read_layers(fields)?;
        config.check(bad)?;
        Ok(Self { other: map, ..config })
    }

    /// Refuses quantised weights by their name: `other` finds a tensor that is not one of plain weights. A model that
    /// was dequantised may still have the field.
    pub(super) fn refuse_quantised(
        &self,
        file: &Path,
        other: impl FnOnce(&Layout) -> Option<String>,
    ) -> Result<(), PolicyError> {
        let fields = Fields { file, map: &self.other };
        let Some(settings) = fields.get(QUANTISED) else { return Ok(()) };
        let Some(tensor) = other(&Layout::new(self)) else { return Ok(()) };
        let method = settings["quant_method"].as_str().unwrap_or("an unnamed method");
        let why = format_args!(
            "says that the weights are quantised ({method}; see tensor \"{tensor}\"), and this backend reads plain \
             ones: choose the model without quantisation, a GGUF file of it, or save it dequantised with Python's \
             transformers (model.dequantize())"
        );
        Err(fields.bad(QUANTISED, why))
    }

    /// The file's content: what was read, with our fields up to date.
    pub(crate) fn to_json(&self) -> Value {
        let mut map = self.other.clone();
        map.shift_remove("torch_dtype");
        // What is saved is not quantised.
        map.shift_remove(QUANTISED);
        let traits = self.family.traits();
        let ours = json!({
            "architectures": [traits.class],
            "model_type": traits.model_type,
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "max_position_embeddings": self.max_position_embeddings,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tie_word_embeddings,
            "initializer_range": self.initializer_range,
            "dtype": "float32",
        });
        if let Value::Object(ours) = ours {
            map.extend(ours);
        }
        map.insert(traits.activation_field.to_owned(), json!(activation_name(self.activation)));
        if traits.biases == Biases::Chosen {
            map.insert("attention_bias".to_owned(), json!(self.attention_bias));
        }
        for (field, value) in [
            ("embedding_multiplier", self.embedding_multiplier),
            ("residual_multiplier", self.residual_multiplier),
            ("logits_scaling", self.logits_scaling),
        ] {
            map.extend(value.map(|value| (field.to_owned(), json!(value))));
        }
        self.write_score_factor(&mut map);
        self.write_layers(&mut map);
        self.write_rotations(&mut map);
        Value::Object(map)
    }

    fn write_score_factor(&self, map: &mut Map<String, Value>) {
        let factor = self.attention_multiplier.unwrap_or((self.head_dim as f64).powf(-0.5));
        if self.family.traits().query_scalar {
            map.insert(QUERY_SCALAR.to_owned(), json!(factor.powi(-2).round() as u64));
        } else if self.family.traits().multipliers {
            map.insert("attention_multiplier".to_owned(), json!(factor));
        }
    }
}

const QUERY_SCALAR: &str = "query_pre_attn_scalar";

/// The factor of scores, unless it is that of the width of a head.
fn read_score_factor(family: ModelFamily, fields: Fields<'_>) -> Result<Option<f64>, PolicyError> {
    let traits = family.traits();
    Ok(if traits.query_scalar {
        // The default of `transformers`.
        let scalar = fields.count(QUERY_SCALAR)?.unwrap_or(256);
        Some((scalar as f64).powf(-0.5))
    } else if traits.multipliers {
        Some(fields.positive("attention_multiplier")?.unwrap_or(1.0))
    } else {
        None
    })
}

/// The activations that this backend has, by the names of `transformers`.
const ACTIVATIONS: [(&str, Activation); 4] = [
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("gelu_new", Activation::GeluTanh),
];

fn activation_name(activation: Activation) -> &'static str {
    ACTIVATIONS.iter().find(|(_, other)| *other == activation).map_or("silu", |(name, _)| name)
}

fn read_activation(fields: Fields<'_>, traits: &Traits) -> Result<Activation, PolicyError> {
    let field = traits.activation_field;
    let Some(name) = fields.text(field)? else { return Ok(traits.activation) };
    let found = ACTIVATIONS.iter().find(|(known, _)| *known == name).map(|(_, activation)| *activation);
    found.ok_or_else(|| {
        let why = format_args!("is \"{name}\"; this backend knows \"silu\" and \"gelu_pytorch_tanh\"");
        fields.bad(field, why)
    })
}

/// Options of `transformers` that this backend does not have, by what a model with them would need.
fn refuse_other_options(fields: Fields<'_>) -> Result<(), PolicyError> {
    let others = [
        ("mlp_bias", "this backend's feed-forward layers have no biases"),
        ("attn_logit_softcapping", "this backend has no bound on scores"),
        ("final_logit_softcapping", "this backend has no bound on logits"),
        ("use_bidirectional_attention", "in this backend a token sees only what is before it"),
    ];
    let set = |field: &str| fields.get(field).filter(|value| **value != json!(false));
    match others.into_iter().find_map(|(field, why)| Some((field, set(field)?, why))) {
        None => Ok(()),
        Some((field, value, why)) => Err(fields.bad(field, format_args!("is {value}; {why}"))),
    }
}

fn read_family(fields: Fields<'_>) -> Result<ModelFamily, PolicyError> {
    let name = fields.text("model_type")?.ok_or_else(|| fields.bad("model_type", "is missing"))?;
    ModelFamily::named(name).map_err(|why| fields.bad("model_type", why))
}

/// A classifier has the name of a family, and loads as one, but was not made to write text.
fn refuse_other_heads(family: ModelFamily, fields: Fields<'_>) -> Result<(), PolicyError> {
    let architectures = fields.get("architectures").and_then(Value::as_array).into_iter().flatten();
    let others = ["Classification", "QuestionAnswering", "Reward", "ValueHead"];
    let mut names = architectures.filter_map(Value::as_str);
    match names.find(|name| others.iter().any(|other| name.contains(other))) {
        None => Ok(()),
        Some(name) => {
            let causal = family.traits().class;
            let why = format_args!(
                "is \"{name}\", which scores texts and writes none; this backend loads \"{causal}\": choose the \
                 model that it was made from"
            );
            Err(fields.bad("architectures", why))
        }
    }
}
