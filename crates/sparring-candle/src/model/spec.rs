//! A model without its weights.

use super::config::ModelConfig;
use super::folder::check_vocabulary;
use super::layout::Layout;
use super::tokenizer::ChatTokenizer;
use sparring_core::PolicyError;
use std::path::Path;
use std::sync::Arc;

/// The parts of a model that training does not change.
#[derive(Debug, Clone)]
pub(crate) struct ModelSpec {
    pub(crate) config: ModelConfig,
    pub(crate) layout: Layout,
    pub(crate) tokenizer: ChatTokenizer,
}

impl ModelSpec {
    pub(crate) fn new(config: ModelConfig, tokenizer: ChatTokenizer) -> Self {
        Self { layout: Layout::new(&config), config, tokenizer }
    }

    /// The same model with another tokenizer, whose ids must be in the vocabulary.
    pub(crate) fn set_tokenizer(this: &mut Arc<Self>, tokenizer: ChatTokenizer) -> Result<(), PolicyError> {
        check_vocabulary(&this.config, &tokenizer, Path::new("tokenizer.json"))?;
        Arc::make_mut(this).tokenizer = tokenizer;
        Ok(())
    }
}
