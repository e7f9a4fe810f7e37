//! The models of every command: a folder, one of the hub or the embedded miniature, on a device, with or without
//! adapters.

use crate::errors::at;
use crate::eval::identity::model_digest;
use crate::hub;
use crate::numbers;
use serde::{Serialize, Serializer};
use serde_json::Value;
use sparring::candle::{
    CandlePolicy, ChatTokenizer, DeviceKind, DeviceOptions, DevicePolicy, LoraConfig, ModelConfig,
    PolicyOptions,
};
use sparring::core::files::check_own_folder;
use sparring::core::{
    BoxError, Policy, PolicyError, Prompt, Rollout, SampleRequest, Sampler, Scorer, Seed, TokenBatch,
};
use sparring::miniature;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a model computes, as `--device` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    /// Our own CPU engine, [`CandlePolicy`].
    Cpu,
    /// candle's operations, [`DevicePolicy`].
    Candle(DeviceKind),
}

impl FromStr for Device {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().map(DeviceKind::Cuda);
        match name {
            "cpu" => Some(Self::Cpu),
            "candle-cpu" => Some(Self::Candle(DeviceKind::Cpu)),
            "cuda" => Some(Self::Candle(DeviceKind::Cuda(0))),
            _ => name.strip_prefix("cuda:").and_then(number).map(Self::Candle),
        }
        .ok_or_else(|| "choose cpu, cuda:N (a GPU, from 0) or candle-cpu".to_owned())
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Candle(DeviceKind::Cuda(index)) => write!(f, "cuda:{index}"),
            Self::Candle(_) => f.write_str("candle-cpu"),
        }
    }
}

impl Serialize for Device {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A variable of the chat template: `NAME=VALUE`, where VALUE is JSON or else a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TemplateVariable {
    name: String,
    value: Value,
}

impl FromStr for TemplateVariable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("give NAME=VALUE, such as enable_thinking=false")?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        Ok(Self { name: name.trim().to_owned(), value })
    }
}

impl fmt::Display for TemplateVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl Serialize for TemplateVariable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The options that say where a model computes, and how it is asked.
#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct ModelArgs {
    /// Where to compute: `cpu` is the engine written for CPUs, `cuda:0` the first NVIDIA GPU (needs a build with
    /// `--features cuda`), `candle-cpu` the GPU code on the CPU, for comparison.
    #[arg(long, default_value_t = Device::Cpu, value_name = "DEVICE")]
    pub(crate) device: Device,
    /// CPU threads [default: one for each core]; results do not depend on it.
    #[arg(long, default_value_t = cores(), hide_default_value = true, value_name = "N", value_parser = numbers::threads)]
    pub(crate) threads: usize,
    /// A variable of the model's chat template, such as `enable_thinking=false`; any number of times. VALUE is JSON, or
    /// else a text.
    #[arg(long = "template-variable", value_name = "NAME=VALUE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) template_variables: Vec<TemplateVariable>,
}

/// The cores of this machine.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl ModelArgs {
    /// The settings of a policy on the CPU.
    pub(crate) fn options(&self) -> PolicyOptions {
        PolicyOptions::default().with_threads(self.threads)
    }
}

/// A model as it was loaded: the base of the policies that learn, and a sampler itself.
#[derive(Debug)]
pub(crate) enum Model {
    Cpu(Box<CandlePolicy>),
    Device(Box<DevicePolicy>),
}

impl Sampler for Model {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        self.sampler().sample(requests)
    }

    fn rest(&self) {
        self.sampler().rest();
    }
}

impl Scorer for Model {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        self.scorer().score(batch)
    }
}

impl Model {
    /// Loads a model as these options say.
    pub(crate) fn load_with(model: Option<&Path>, args: &ModelArgs) -> Result<Self, BoxError> {
        Self::load_tuned(model, args, args.options())
    }

    /// The same with other settings of a policy on the CPU.
    pub(crate) fn load_tuned(
        model: Option<&Path>,
        args: &ModelArgs,
        options: PolicyOptions,
    ) -> Result<Self, BoxError> {
        let mut loaded = Self::load(model, args.device, options)?;
        if !args.template_variables.is_empty() {
            let of = |tokenizer: ChatTokenizer, variable: &TemplateVariable| {
                tokenizer.with_variable(variable.name.as_str(), variable.value.clone())
            };
            let tokenizer = args.template_variables.iter().fold(loaded.tokenizer().clone(), of);
            match &mut loaded {
                Self::Cpu(policy) => policy.set_tokenizer(tokenizer)?,
                Self::Device(policy) => policy.set_tokenizer(tokenizer)?,
            }
        }
        Ok(loaded)
    }

    /// Loads a Hugging Face folder, a GGUF file, a model of the hub, or the embedded miniature; on the CPU with these
    /// options.
    pub(crate) fn load(
        model: Option<&Path>,
        device: Device,
        options: PolicyOptions,
    ) -> Result<Self, BoxError> {
        // The folder of the embedded model is needed only until its weights are in memory.
        let scratch = tempfile::tempdir()?;
        let folder = base_folder(model, scratch.path())?;
        Ok(match device {
            Device::Cpu => Self::Cpu(Box::new(CandlePolicy::load(folder, options)?)),
            Device::Candle(DeviceKind::Cuda(_)) if !cfg!(feature = "cuda") => {
                let build = "cargo install --path crates/sparring-cli --features cuda";
                return Err(format!(
                    "--device {device}: this program was built without CUDA; build it with `{build}`"
                )
                .into());
            }
            Device::Candle(kind) => {
                let adamw = options.adamw;
                let options = DeviceOptions::default().with_device(kind).with_adamw(adamw);
                Self::Device(Box::new(DevicePolicy::load(folder, options)?))
            }
        })
    }

    /// A model to be trained that starts as this one: a copy, or fresh adapters of this rank on shared weights.
    pub(crate) fn copy(&self, lora: Option<usize>, seed: Seed) -> Result<Self, BoxError> {
        let lora = lora.map(LoraConfig::new);
        Ok(match (self, lora) {
            (Self::Cpu(base), Some(lora)) => Self::Cpu(Box::new(base.with_lora(lora, seed)?)),
            (Self::Cpu(base), None) => Self::Cpu(Box::new(base.duplicate())),
            (Self::Device(base), Some(lora)) => Self::Device(Box::new(base.with_lora(lora, seed)?)),
            (Self::Device(base), None) => Self::Device(Box::new(base.duplicate())),
        })
    }

    /// The model as a policy that learns.
    pub(crate) fn into_policy(self) -> Box<dyn Policy> {
        match self {
            Self::Cpu(policy) => policy,
            Self::Device(policy) => policy,
        }
    }

    /// The model, to train.
    pub(crate) fn policy_mut(&mut self) -> &mut dyn Policy {
        match self {
            Self::Cpu(policy) => &mut **policy,
            Self::Device(policy) => &mut **policy,
        }
    }

    /// A model, with an adapter on it where one is named.
    pub(crate) fn load_adapted(
        folder: &Path,
        adapter: Option<&Path>,
        args: &ModelArgs,
    ) -> Result<Self, BoxError> {
        let base = Self::load_with(Some(folder), args)?;
        match adapter {
            Some(adapter) => base.with_adapter(adapter),
            None => Ok(base),
        }
    }

    /// The model with the adapter in this folder, on shared weights.
    pub(crate) fn with_adapter(&self, folder: &Path) -> Result<Self, BoxError> {
        Ok(match self {
            Self::Cpu(base) => Self::Cpu(Box::new(base.load_adapter(folder)?)),
            Self::Device(base) => Self::Device(Box::new(base.load_adapter(folder)?)),
        })
    }

    /// Writes a model's folder in Hugging Face's layout, or an adapter's in PEFT's.
    pub(crate) fn save_pretrained(&self, folder: &Path) -> Result<(), BoxError> {
        match self {
            Self::Cpu(policy) => policy.save_pretrained(folder)?,
            Self::Device(policy) => policy.save_pretrained(folder)?,
        }
        Ok(())
    }

    /// The model, to score texts with.
    pub(crate) fn scorer(&self) -> &dyn Scorer {
        match self {
            Self::Cpu(policy) => &**policy,
            Self::Device(policy) => &**policy,
        }
    }

    /// The model as a sampler; its weights do not change.
    pub(crate) fn sampler(&self) -> &dyn Sampler {
        match self {
            Self::Cpu(policy) => &**policy,
            Self::Device(policy) => &**policy,
        }
    }

    /// The tokenizer and its chat template.
    pub(crate) fn tokenizer(&self) -> &ChatTokenizer {
        match self {
            Self::Cpu(policy) => policy.tokenizer(),
            Self::Device(policy) => policy.tokenizer(),
        }
    }

    /// The last characters of a prompt, as the model reads it: some templates open the reasoning there.
    pub(crate) fn end_of_prompt(&self, prompt: &Prompt) -> Result<String, BoxError> {
        let tokens = self.tokenizer().encode_prompt(prompt)?;
        Ok(self.tokenizer().decode(&tokens[tokens.len().saturating_sub(8)..])?)
    }

    /// The shape of the model.
    pub(crate) fn config(&self) -> &ModelConfig {
        match self {
            Self::Cpu(policy) => policy.config(),
            Self::Device(policy) => policy.config(),
        }
    }

    /// Number of weights that are trained; tied embeddings count once.
    pub(crate) fn parameter_count(&self) -> usize {
        match self {
            Self::Cpu(policy) => policy.parameter_count(),
            Self::Device(policy) => {
                policy.parameters().map(|(_, shape)| shape.iter().product::<usize>()).sum()
            }
        }
    }
}

/// The input of a run that is the rank of its adapters.
pub(crate) const RANK: &str = "rank of the adapters";

/// The input of a run that is the variables of the chat template.
pub(crate) const VARIABLES: &str = "template variables";

/// What a run leaves: a model's folder or an adapter's.
#[derive(Debug)]
pub(crate) struct Exported {
    pub(crate) folder: PathBuf,
    adapter: bool,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, layout) = if self.adapter { ("adapter", "PEFT") } else { ("model", "Hugging Face") };
        write!(f, "{name}: {} ({layout}'s layout)", self.folder.display())
    }
}

/// Writes what was trained into the run's folder: `copy`, with the weights of this checkpoint.
pub(crate) fn export(
    mut copy: Model,
    checkpoint: &Path,
    adapter: bool,
    dir: &Path,
) -> Result<Exported, BoxError> {
    copy.policy_mut().restore(checkpoint)?;
    let folder = dir.join(if adapter { "adapter" } else { "model" });
    check_own_folder(&folder).map_err(at(&folder))?;
    copy.save_pretrained(&folder)?;
    Ok(Exported { folder, adapter })
}

/// What a run depends on beside its settings and seed, by name: the model, the rank of its adapters, the device, the
/// variables of the chat template.
pub(crate) fn inputs(
    model: Option<&Path>,
    lora: Option<usize>,
    args: &ModelArgs,
) -> Result<BTreeMap<String, String>, BoxError> {
    let scratch = tempfile::tempdir()?;
    let model = model_digest(&base_folder(model, scratch.path())?)?;
    let rank = lora.map(|rank| (RANK, rank.to_string()));
    let variables: Vec<String> = args.template_variables.iter().map(TemplateVariable::to_string).collect();
    let variables = (!variables.is_empty()).then(|| (VARIABLES, variables.join(" ")));
    let named = [("model", model), ("device", args.device.to_string())].into_iter().chain(rank);
    Ok(named.chain(variables).map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The folder or GGUF file of the base model: the user's, the hub's, or the embedded one, written into `scratch`.
///
/// # Errors
/// What the file system or the hub says.
pub(crate) fn base_folder(model: Option<&Path>, scratch: &Path) -> Result<PathBuf, BoxError> {
    if let Some(model) = model {
        return hub::resolve(model);
    }
    miniature::write_base(scratch)?;
    Ok(scratch.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_names() {
        for name in ["cpu", "candle-cpu", "cuda:0", "cuda:3"] {
            assert_eq!(name.parse::<Device>().unwrap().to_string(), name);
        }
        assert_eq!("cuda".parse::<Device>().unwrap().to_string(), "cuda:0");
        for name in ["gpu", "cuda:", "cuda:x", ""] {
            assert!(name.parse::<Device>().unwrap_err().contains("cuda:N"), "{name}");
        }
    }

    #[test]
    fn template_variables_are_json_or_texts() {
        let read = |text: &str| text.parse::<TemplateVariable>().unwrap();
        assert_eq!(read("enable_thinking=false").value, Value::Bool(false));
        assert_eq!(read("date=26 July").value, "26 July");
        assert_eq!(read("a=b=c").to_string().parse(), Ok(read("a=b=c")));
        assert!("enable_thinking".parse::<TemplateVariable>().is_err());
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_build_without_cuda_says_how_to_build_one() {
        let error = Model::load(None, "cuda:0".parse().unwrap(), PolicyOptions::default()).unwrap_err();
        assert!(error.to_string().contains("--features cuda"), "{error}");
    }
}
