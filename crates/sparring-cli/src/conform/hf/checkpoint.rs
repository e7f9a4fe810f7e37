//! Policies of checkpoints that may have no tokenizer.
use sparring::candle::{CandlePolicy, PolicyOptions};
use sparring::core::BoxError;
use std::path::Path;

/// A tokenizer that knows one word: ids need none.
const TOKENIZER: &str =
    r#"{"version": "1.0", "model": {"type": "WordLevel", "vocab": {"?": 0}, "unk_token": "?"}}"#;

/// Loads a model folder; one without a tokenizer through a copy that has one.
pub(super) fn load(folder: &Path) -> Result<CandlePolicy, BoxError> {
    if folder.join("tokenizer.json").exists() {
        return Ok(CandlePolicy::load(folder, PolicyOptions::default())?);
    }
    let copy = tempfile::tempdir()?;
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries {
        let file = entry?.path();
        if file.is_file() && !file.ends_with(super::REFERENCE) {
            std::fs::copy(&file, copy.path().join(file.file_name().unwrap_or_default()))?;
        }
    }
    std::fs::write(copy.path().join("tokenizer.json"), TOKENIZER)?;
    Ok(CandlePolicy::load(copy.path(), PolicyOptions::default())?)
}

/// The policy with the adapter of a folder.
pub(super) fn adapted(base: &CandlePolicy, folder: &Path) -> Result<CandlePolicy, BoxError> {
    Ok(base.load_adapter(folder)?)
}
