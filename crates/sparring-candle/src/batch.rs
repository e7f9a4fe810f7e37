//! Token batches: checks against a model, and the position of each token.

use crate::model::ModelConfig;
use crate::threads::run_parts;
use sparring_core::{PolicyError, TokenBatch, TokenGroup, TokenMask};

/// The input limits of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Ids are below it.
    pub(crate) vocab_size: usize,
    /// Longest sequence, tokens.
    pub(crate) max_positions: usize,
}

impl From<&ModelConfig> for Limits {
    fn from(config: &ModelConfig) -> Self {
        Self { vocab_size: config.vocab_size, max_positions: config.longest_sequence() }
    }
}

/// The non-empty completions of a group, with the flat index of each one's first token in the batch. `flat` is the
/// group's first index, and is advanced to the next group's.
pub(crate) fn completions<'a>(group: &TokenGroup<'a>, flat: &mut usize) -> Vec<(&'a [u32], usize)> {
    let mut found = Vec::with_capacity(group.completions.len());
    for &completion in &group.completions {
        if !completion.is_empty() {
            found.push((completion, *flat));
        }
        *flat += completion.len();
    }
    found
}

/// Checks a batch against a model.
///
/// # Errors
/// [`PolicyError::Invalid`] names the group (and completion) and the problem.
pub(crate) fn check(batch: TokenBatch<'_>, limits: impl Into<Limits>) -> Result<(), PolicyError> {
    let limits = limits.into();
    if !(batch.temperature.is_finite() && batch.temperature > 0.0) {
        return Err(PolicyError::invalid(format!(
            "batch.temperature is {}; it must be a number above 0",
            batch.temperature
        )));
    }
    for (g, group) in batch.groups.iter().enumerate() {
        if group.prompt.is_empty() {
            return Err(PolicyError::invalid(format!(
                "group {g}: the prompt is empty; it needs at least one token"
            )));
        }
        check_ids(group.prompt, limits, || format!("group {g}: prompt"))?;
        for (c, completion) in group.completions.iter().enumerate() {
            check_ids(completion, limits, || format!("group {g}, completion {c}"))?;
            let length = group.prompt.len() + completion.len();
            if length > limits.max_positions {
                return Err(PolicyError::invalid(format!(
                    "group {g}, completion {c}: {length} tokens with its prompt; \
             the model's limit is {} (max_position_embeddings)",
                    limits.max_positions
                )));
            }
        }
    }
    Ok(())
}

/// Checks that every id has a row in the embedding.
pub(crate) fn check_ids(ids: &[u32], limits: Limits, place: impl Fn() -> String) -> Result<(), PolicyError> {
    match ids.iter().position(|&id| id as usize >= limits.vocab_size) {
        None => Ok(()),
        Some(at) => Err(PolicyError::invalid(format!(
            "{}: token {at} has id {}, but the model knows ids below {} (vocab_size); use the model's own tokenizer",
            place(),
            ids[at],
            limits.vocab_size
        ))),
    }
}

/// Checks that every log-probability is a number; the error names the token.
///
/// # Errors
/// [`PolicyError::NonFinite`].
pub(crate) fn check_finite(batch: TokenBatch<'_>, logp: &[f32]) -> Result<(), PolicyError> {
    match logp.iter().position(|l| !l.is_finite()) {
        None => Ok(()),
        Some(flat) => {
            let what = format!("the log-probability of {}", place(batch, flat));
            Err(PolicyError::NonFinite { what })
        }
    }
}

/// Names the sequence that a flat index lies in, for errors.
pub(crate) fn place(batch: TokenBatch<'_>, flat: usize) -> String {
    let mut at = 0;
    for (g, group) in batch.groups.iter().enumerate() {
        for (c, completion) in group.completions.iter().enumerate() {
            if flat < at + completion.len() {
                return format!("group {g}, completion {c}, token {}", flat - at);
            }
            at += completion.len();
        }
    }
    format!("token {flat}")
}

/// The masks of a batch: see [`TokenGroup::masks`].
#[derive(Debug, Default)]
pub(crate) struct Masks(Vec<TokenMask>);

impl Masks {
    /// The masks of a checked batch, computed by several threads. No memory is taken without hooks.
    ///
    /// # Errors
    /// As [`TokenGroup::masks`], with the place of the completion.
    pub(crate) fn of(
        batch: TokenBatch<'_>,
        limits: impl Into<Limits>,
        threads: usize,
    ) -> Result<Self, PolicyError> {
        if batch.groups.iter().all(|group| group.hook.is_none()) {
            return Ok(Self::default());
        }
        let vocab_size = limits.into().vocab_size;
        let parts: Vec<(usize, usize)> = (batch.groups.iter().enumerate())
            .flat_map(|(g, group)| (0..group.completions.len()).map(move |c| (g, c)))
            .collect();
        let one = |_, (g, c): (usize, usize)| {
            batch.groups[g].masks(c, vocab_size).map_err(|error| match error {
                PolicyError::Invalid { what } => {
                    PolicyError::invalid(format!("group {g}, completion {c}: {what}"))
                }
                error => error,
            })
        };
        let masks: Vec<_> = run_parts(threads, parts, one)?.into_iter().collect::<Result<_, _>>()?;
        Ok(Self(masks.into_iter().flatten().collect()))
    }

    /// The mask of a token, by its flat index.
    pub(crate) fn at(&self, flat: usize) -> &TokenMask {
        self.0.get(flat).unwrap_or(&TokenMask::All)
    }
}
