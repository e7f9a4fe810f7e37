//! The models that play.

use crate::demands::{Planned, measure};
use crate::errors::at;
use crate::models::Model;
use crate::play::recipe::Parts;
use crate::play::settings::{Args, Settings};
use sparring::core::{BoxError, Game, Policy, Prompt, Seed};
use sparring::recipes::own_tools::{Catalogue, ParameterValues};
use sparring::selfplay::{Players, Seat, Weights};
use sparring::train::store::disk::write_atomic;
use sparring::train::{Demands, show_time};
use std::sync::Arc;
use std::time::Instant;

/// Loads the base model.
pub(crate) fn base(args: &Args) -> Result<Model, BoxError> {
    Model::load_with(args.model.as_deref(), &args.device)
}

/// The model of a player as it starts: a copy of the base model, or an adapter on it.
pub(crate) fn start(base: &Model, settings: &Settings, player: &str) -> Result<Model, BoxError> {
    base.copy(settings.lora, Seed::new(settings.seed).child("lora").child(player))
}

/// Generator and Solver: two models, or one that plays both. A Generator that never learns is the base itself.
pub(crate) fn players(base: &Arc<Model>, settings: &Settings) -> Result<Players, BoxError> {
    let policy = |player: &str| -> Result<Box<dyn Policy>, BoxError> {
        Ok(start(base, settings, player)?.into_policy())
    };
    let config = settings.recipe.self_play();
    if config.weights == Weights::Shared {
        return Ok(Players::Shared(policy("both")?));
    }
    let generator = if config.trains_generator() {
        Seat::Learns(policy("generator")?)
    } else {
        Seat::FrozenScorer(Box::new(Arc::clone(base)))
    };
    Ok(Players::Separate { generator, solver: policy("solver")? })
}

/// Values that fit the parameters of the tools, as the base model finds: measured once, and kept in the run's folder,
/// since it takes minutes.
pub(crate) fn parameter_values(
    base: &Model,
    catalogue: &Catalogue,
    settings: &Settings,
) -> Result<ParameterValues, BoxError> {
    let (dir, inputs) = (&settings.dir, &settings.inputs);
    let path = dir.join("parameter-values.json");
    let of = serde_json::json!({"model": inputs.get("model"), "tools": inputs.get("tools"), "seed": settings.seed});
    if !settings.resume && dir.join("run.json").exists() {
        // The run refuses the folder, and what another run keeps in it stays as it is.
        return Ok(ParameterValues::default());
    }
    if path.exists() {
        let text = std::fs::read_to_string(&path).map_err(at(&path))?;
        let kept: KeptValues = serde_json::from_str(&text).map_err(at(&path))?;
        // Another model or other tools: a run that failed before it began left the file.
        if kept.of == of && kept.values.is_of(catalogue) {
            return Ok(kept.values);
        }
    }
    let parameters: usize = catalogue.tools().iter().map(|tool| tool.parameters.len()).sum();
    eprintln!(
        "asking the model for values that fit the {parameters} parameters of the tools, before the run"
    );
    let started = Instant::now();
    let mut progress = |done: &str| eprintln!("parameters: {done}, elapsed {}", show_time(started.elapsed()));
    let models = (base.sampler(), base.scorer());
    let seed = Seed::new(settings.seed).child("values");
    let values = ParameterValues::measure(catalogue, models, base.tokenizer(), seed, &mut progress)?;
    std::fs::create_dir_all(dir).map_err(at(dir))?;
    let kept = KeptValues { of, values };
    write_atomic(&path, &serde_json::to_vec_pretty(&kept)?)?;
    Ok(kept.values)
}

/// The file of [`parameter_values`], with digests of what it was measured of.
#[derive(serde::Serialize, serde::Deserialize)]
struct KeptValues {
    of: serde_json::Value,
    values: ParameterValues,
}

/// Most proposals and most tasks of a trial: enough for prompts that begin alike, as those of the run do.
const TRIED: u64 = 10;

/// What the run will need, by a trial on some of its prompts.
pub(crate) fn demands<G: Game>(
    base: &Model,
    settings: &Settings,
    parts: &Parts<G>,
    threads: usize,
) -> Option<Demands> {
    let c = settings.recipe.self_play();
    let seed = Seed::new(settings.seed).child("trial");
    let proposal = |i| {
        let prompt = parts.game.generator_prompt(&parts.game.draw(seed.index(i)));
        (prompt, c.generator.max_tokens)
    };
    let answer = |task| (Prompt::from(parts.game.solver_prompt(task)), c.solver.max_tokens);
    let tasks = parts.evaluations.iter().flat_map(|evaluation| &evaluation.tasks);
    let prompts = (0..TRIED).map(proposal).chain(tasks.take(TRIED as usize).map(answer)).collect();
    let learners = if c.weights == Weights::Shared || !c.trains_generator() { 1 } else { 2 };
    // A model that rests keeps its weights only, unless its optimiser goes on in the next phase.
    let optimizers = if c.fresh_optimizer { 1 } else { learners };
    let kl = c.generator.grpo.kl.coef > 0.0 || c.solver.grpo.kl.coef > 0.0;
    let g = &c.generator;
    let update = (g.prompts_per_step, g.prompts_per_step * g.group_size);
    let (lora, references, grpo) = (settings.lora, usize::from(kl), &g.grpo);
    let planned = Planned { prompts, lora, learners, optimizers, references, update, grpo, threads };
    measure(&settings.dir, base, &planned)
}
