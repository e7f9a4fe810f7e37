//! Checkpoints against `transformers` and PEFT: logits, greedy tokens, gradients, adapters.
mod checkpoint;
mod checks;
mod export;
mod reference;
mod scores;

pub(crate) use export::export;

use reference::Reference;
use scores::Scores;
use sparring::core::BoxError;
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

#[cfg(test)]
mod tests {
    use super::{checks, export, reference::Reference, scores::Scores};
    use sparring::candle::{CandlePolicy, PolicyOptions};

    /// What is exported has the logits that lie beside it, and an adapter that changes them.
    #[test]
    fn exports_are_what_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let (base, out) = (folder.path().join("base"), folder.path().join("out"));
        sparring::miniature::write_base(&base).unwrap();
        export(&base, &out).unwrap();
        let policy = CandlePolicy::load(&out, PolicyOptions::default()).unwrap();
        let adapted = policy.load_adapter(out.join("lora")).unwrap();
        let [plain, with_adapter] = [out.clone(), out.join("lora")]
            .map(|folder| Reference::read(&folder.join("ours.safetensors")).unwrap());
        let agrees = |policy: &CandlePolicy, recorded: &Reference| {
            let mut scores = Scores::default();
            scores.begin(&out);
            checks::logits("logits", policy, recorded, recorded, &mut scores).unwrap();
            scores.agrees()
        };
        assert!(agrees(&policy, &plain) && agrees(&adapted, &with_adapter));
        assert!(!agrees(&policy, &with_adapter) && !agrees(&adapted, &plain));
        let before = CandlePolicy::load(&base, PolicyOptions::default()).unwrap();
        assert!(!agrees(&before, &plain), "nothing was trained");
    }

    #[test]
    fn missing_and_broken_numbers_differ() {
        assert!(checks::difference(&[1.0], &[1.0, 2.0]).is_infinite());
        assert!(checks::difference(&[1.0, f32::NAN], &[1.0, 2.0]).is_infinite());
        assert!((checks::difference(&[1.0, -2.0], &[1.5, 1.0]) - 3.0).abs() < 1e-12);
    }
}
