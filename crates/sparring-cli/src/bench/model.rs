//! The policy that is measured.

use crate::bench::settings::Settings;
use sparring::candle::{CandlePolicy, LoraConfig, PolicyOptions};
use sparring::core::{BoxError, Seed};

/// Loads the model; with `--lora`, adapters on top of it.
pub(crate) fn load(settings: &Settings) -> Result<CandlePolicy, BoxError> {
    let mut options =
        PolicyOptions::default().with_threads(settings.threads).with_shards(settings.threads.max(2));
    options.recall_mib = settings.recall_mib.unwrap_or(options.recall_mib);
    let base = CandlePolicy::load(&settings.model, options)?;
    settings.check_length(base.config().max_position_embeddings)?;
    match settings.lora {
        Some(rank) => Ok(base.with_lora(LoraConfig::new(rank), Seed::new(settings.seed).child("lora"))?),
        None => Ok(base),
    }
}
