//! A model without its weights.

use super::config::ModelConfig;
use super::layout::Layout;
use super::tokenizer::ChatTokenizer;

/// The parts of a model that training does not change.
#[derive(Debug)]
pub(crate) struct ModelSpec {
    pub(crate) config: ModelConfig,
    pub(crate) layout: Layout,
    pub(crate) tokenizer: ChatTokenizer,
}

impl ModelSpec {
    pub(crate) fn new(config: ModelConfig, tokenizer: ChatTokenizer) -> Self {
        Self { layout: Layout::new(&config), config, tokenizer }
    }
}
