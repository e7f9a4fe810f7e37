use crate::GuidedError;

/// The tokens of a model, as bytes.
///
/// It is data only, so that the crate that knows the tokenizer can make one: `ChatTokenizer::{token_bytes, end_tokens}`
/// of `sparring-candle` are its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    /// The text of each token, by id. A token without text (a special one) is empty and never written.
    pub(crate) tokens: Vec<Vec<u8>>,
    /// Tokens that end a completion, at least one.
    pub(crate) ends: Vec<u32>,
}

impl Vocabulary {
    /// These tokens.
    ///
    /// # Errors
    /// [`GuidedError::Vocabulary`] if there is no end token, or one beyond the vocabulary.
    pub fn new(tokens: Vec<Vec<u8>>, ends: Vec<u32>) -> Result<Self, GuidedError> {
        let beyond = ends.iter().find(|&&end| end as usize >= tokens.len());
        let what = match (ends.is_empty(), beyond) {
            (true, _) => "it has no token that ends a completion".to_owned(),
            (_, Some(end)) => format!("end token {end} is not one of its {} tokens", tokens.len()),
            (false, None) => return Ok(Self { tokens, ends }),
        };
        Err(GuidedError::Vocabulary { what })
    }

    /// One token for each byte, and token 256 as the end: for tests and examples.
    pub fn bytes() -> Self {
        let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        tokens.push(Vec::new());
        Self { tokens, ends: vec![256] }
    }
}
