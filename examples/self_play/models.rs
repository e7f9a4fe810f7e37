//! Who plays, and the exams they sit.

use crate::settings::{Args, Settings};
use sparring::candle::{CandlePolicy, LoraConfig, PolicyOptions};
use sparring::core::{BoxError, Policy, Seed};
use sparring::miniature::{self, World};
use sparring::selfplay::{Exam, Roles, Weights};
use sparring::tools::ToolTask;
use sparring_examples::miniature::base_folder;

/// Generator and Solver: two copies of the base model, or two adapters on it, or one model that plays both.
pub(crate) fn load(args: &Args, settings: &Settings) -> Result<Roles, BoxError> {
    let mut options = PolicyOptions::default();
    if let Some(threads) = args.threads {
        options = options.with_threads(threads);
    }
    // The folder of the embedded base is needed only until the models are in memory.
    let scratch = tempfile::tempdir()?;
    let folder = base_folder(args.model.as_deref(), scratch.path())?;
    let base = CandlePolicy::load(folder, options)?;
    let policy = |role: &str| -> Result<Box<dyn Policy>, BoxError> {
        Ok(Box::new(match args.lora {
            Some(rank) => {
                let seed = Seed::new(settings.seed).child("lora").child(role);
                base.with_lora(LoraConfig::new(rank), seed)?
            }
            None => base.duplicate(),
        }))
    };
    Ok(match settings.config.self_play.weights {
        Weights::Shared => Roles::Shared(policy("both")?),
        _ => Roles::Separate { generator: policy("generator")?, solver: policy("solver")? },
    })
}

/// The miniature's test sets, each at temperature 0 and 1.
pub(crate) fn exams() -> Vec<Exam<ToolTask>> {
    let world = World::new();
    let mut exams = Vec::new();
    for exam in miniature::Exam::ALL {
        exams.push(Exam::greedy(exam.name(), exam.tasks(&world)));
        exams.push(Exam::sampled(format!("{}_t1", exam.name()), exam.tasks(&world), 1.0, 1));
    }
    exams
}
