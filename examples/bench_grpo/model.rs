//! The policy that is measured.

use crate::settings::Settings;
use serde_json::{Map, Value};
use sparring::candle::{CandlePolicy, LoraConfig, PolicyOptions};
use sparring::core::{BoxError, Seed};
use std::path::Path;

/// Loads the model; with `--lora`, adapters on top of it.
pub(crate) fn load(settings: &Settings) -> Result<CandlePolicy, BoxError> {
    let options =
        PolicyOptions::default().with_threads(settings.threads).with_shards(settings.threads.max(2));
    let folder = tempfile::tempdir()?;
    without_ends(&settings.model, folder.path())?;
    let base = CandlePolicy::load(folder.path(), options)?;
    match settings.lora {
        Some(rank) => Ok(base.with_lora(LoraConfig::new(rank), Seed::new(settings.seed).child("lora"))?),
        None => Ok(base),
    }
}

// MIN_TOKENS: until a request can forbid end tokens. Then load `settings.model` itself, and use
// `SamplingParams::with_min_tokens` in step.rs.
/// A copy of a model folder whose tokenizer has no end tokens.
fn without_ends(model: &Path, copy: &Path) -> Result<(), BoxError> {
    let name = |file: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    for entry in std::fs::read_dir(model).map_err(|error| name(model, &error))? {
        let file = entry?.path();
        let to = copy.join(file.file_name().unwrap_or_default());
        if file.file_name().is_some_and(|name| name == "config.json") {
            let text = std::fs::read(&file)?;
            let mut map: Map<String, Value> =
                serde_json::from_slice(&text).map_err(|error| name(&file, &error))?;
            map.remove("eos_token_id");
            std::fs::write(to, serde_json::to_vec(&map)?)?;
        } else if file.is_file() && !file.ends_with("generation_config.json") {
            std::fs::copy(&file, to).map_err(|error| name(&file, &error))?;
        }
    }
    std::fs::write(copy.join("chat_template.jinja"), "{{ messages[0].content }}")?;
    std::fs::write(copy.join("tokenizer_config.json"), "{}")?;
    Ok(())
}
