//! Checkpoints against `transformers` and PEFT: logits, greedy tokens, gradients, adapters.
mod checkpoint;
mod checks;
mod export;
mod reference;
mod scores;

pub(crate) use export::export;

use crate::rows::BoxError;
use reference::Reference;
use scores::Scores;
use std::path::{Path, PathBuf};

/// What was recorded of a checkpoint lies beside it, under this name; what was recorded with its adapter, in `lora`.
const REFERENCE: &str = "reference.safetensors";

/// Compares every folder. One that cannot be read is a row of the table like any other failure.
pub(crate) fn compare(folders: &[PathBuf]) -> Scores {
    let mut scores = Scores::default();
    for folder in folders {
        scores.begin(folder);
        if let Err(error) = one(folder, &mut scores) {
            scores.fail(&*error);
        }
    }
    scores
}

fn one(folder: &Path, scores: &mut Scores) -> Result<(), BoxError> {
    let reference = Reference::read(&folder.join(REFERENCE))?;
    let mut policy = checkpoint::load(folder)?;
    checks::logits("logits", &policy, &reference, &reference, scores)?;
    checks::greedy(&policy, &reference, scores)?;
    checks::gradients(&mut policy, &reference, scores)?;
    let adapter = folder.join("lora");
    if adapter.exists() {
        let adapted = Reference::read(&adapter.join(REFERENCE))?;
        checks::logits("adapter", &checkpoint::adapted(&policy, &adapter)?, &reference, &adapted, scores)?;
    }
    Ok(())
}
