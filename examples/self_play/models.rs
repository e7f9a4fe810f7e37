//! Who plays, and the evaluations.

use crate::settings::{Args, Settings};
use sparring::candle::{CandlePolicy, LoraConfig, PolicyOptions};
use sparring::core::{BoxError, Policy, Seed};
use sparring::miniature::{self, World};
use sparring::selfplay::{Players, Weights};
use sparring::tools::ToolTask;
use sparring::train::Evaluation;
use sparring_examples::miniature::base_folder;

/// Generator and Solver: two copies of the base model, or two adapters on it, or one model that plays both.
pub(crate) fn load(args: &Args, settings: &Settings) -> Result<Players, BoxError> {
    let mut options = PolicyOptions::default();
    if let Some(threads) = args.threads {
        options = options.with_threads(threads);
    }
    // The folder of the embedded base is needed only until the models are in memory.
    let scratch = tempfile::tempdir()?;
    let folder = base_folder(args.model.as_deref(), scratch.path())?;
    let base = CandlePolicy::load(folder, options)?;
    let policy = |player: &str| -> Result<Box<dyn Policy>, BoxError> {
        Ok(Box::new(match args.lora {
            Some(rank) => {
                let seed = Seed::new(settings.seed).child("lora").child(player);
                base.with_lora(LoraConfig::new(rank), seed)?
            }
            None => base.duplicate(),
        }))
    };
    Ok(match settings.config.self_play.weights {
        Weights::Shared => Players::Shared(policy("both")?),
        _ => Players::Separate { generator: policy("generator")?, solver: policy("solver")? },
    })
}

/// The miniature's test sets, each at temperature 0 and 1.
pub(crate) fn evaluations() -> Vec<Evaluation<ToolTask>> {
    let world = World::new();
    let mut evaluations = Vec::new();
    for evaluation in miniature::TestSet::ALL {
        evaluations.push(Evaluation::greedy(evaluation.name(), evaluation.tasks(&world)));
        evaluations.push(Evaluation::sampled(
            format!("{}_t1", evaluation.name()),
            evaluation.tasks(&world),
            1.0,
            1,
        ));
    }
    evaluations
}
