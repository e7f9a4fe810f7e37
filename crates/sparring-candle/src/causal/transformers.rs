//! Models of candle-transformers.
//!
//! Two are provided. Any other works as a [`TensorModel`] in the same way if its `forward` takes ids and one position
//! for all rows and returns the logits of the last token.

use super::{CausalModel, TensorModel};
use candle_core::{DType, Device, Result, Tensor};
use candle_transformers::models::{llama, qwen2};

/// Qwen2 and Qwen2.5.
///
/// ```no_run
/// use candle_core::{DType, Device};
/// use candle_nn::VarBuilder;
/// use candle_transformers::models::qwen2;
/// use sparring_candle::{CausalSampler, ChatTokenizer, transformers};
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let dir = std::path::Path::new("models/qwen2.5-0.5b");
/// let config: qwen2::Config = serde_json::from_slice(&std::fs::read(dir.join("config.json"))?)?;
/// let weights = std::fs::read(dir.join("model.safetensors"))?;
/// let vars = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
/// let (vocab, longest) = (config.vocab_size, config.max_position_embeddings);
/// let model = transformers::qwen2(qwen2::ModelForCausalLM::new(&config, vars)?, Device::Cpu);
/// let sampler = CausalSampler::new(model, ChatTokenizer::from_folder(dir)?, vocab, longest);
/// # Ok(()) }
/// ```
pub fn qwen2(model: qwen2::ModelForCausalLM, device: Device) -> impl CausalModel {
    TensorModel::new(model, device, qwen2::ModelForCausalLM::forward, qwen2::ModelForCausalLM::clear_kv_cache)
}

/// Llama 2 and 3, whose cache is a separate value.
///
/// # Errors
/// If candle cannot create the cache.
pub fn llama(
    model: llama::Llama,
    config: &llama::Config,
    dtype: DType,
    device: Device,
) -> Result<impl CausalModel + use<>> {
    let empty = llama::Cache::new(true, dtype, config, &device)?;
    let forward = |(model, cache): &mut (llama::Llama, llama::Cache), ids: &Tensor, at: usize| {
        model.forward(ids, at, cache)
    };
    let first = empty.clone();
    let reset = move |(_, cache): &mut (llama::Llama, llama::Cache)| *cache = empty.clone();
    Ok(TensorModel::new((model, first), device, forward, reset))
}
