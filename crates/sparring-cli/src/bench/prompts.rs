//! The prompts.

use crate::bench::settings::Settings;
use crate::models::Model;
use rand::Rng;
use sparring::core::{BoxError, Seed};
use std::sync::Arc;

/// The texts of `prompts_P.json` in the model's folder as token ids; random ids where there is no such file.
///
/// # Errors
/// Names the file where it is damaged, or the text that has another length.
pub(crate) fn read(settings: &Settings, model: &Model) -> Result<Vec<Arc<[u32]>>, BoxError> {
    let length = settings.prompt_tokens;
    let file = settings.model.join(format!("prompts_{length}.json"));
    let bad = |why: String| BoxError::from(format!("{}: {why}", file.display()));
    if !file.exists() {
        return Ok(random(settings, model.config().vocab_size));
    }
    let text = std::fs::read(&file).map_err(|error| bad(error.to_string()))?;
    let texts: Vec<String> = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    if texts.is_empty() {
        return Err(bad("has no prompts; remove it, or write some".to_owned()));
    }
    let encode = |(i, text): (usize, &String)| {
        let ids = model.tokenizer().encode(text)?;
        if ids.len() == length {
            return Ok(ids.into());
        }
        Err(bad(format!("prompt {i} has {} tokens, its name says {length}", ids.len())))
    };
    texts.iter().enumerate().map(encode).collect()
}

fn random(settings: &Settings, vocabulary: usize) -> Vec<Arc<[u32]>> {
    let mut rng = Seed::new(settings.seed).child("prompts").rng();
    let mut ids = || (0..settings.prompt_tokens).map(|_| rng.random_range(0..vocabulary as u32)).collect();
    (0..settings.prompts).map(|_| ids()).collect()
}
