//! The models that play.

use crate::demands::{Planned, measure};
use crate::errors::at;
use crate::models::Model;
use crate::play::recipe::Parts;
use crate::play::settings::{Args, Settings};
use sparring::core::{BoxError, Game, Policy, Prompt, Seed};
use sparring::recipes::own_tools::{Catalogue, ValueKinds};
use sparring::selfplay::{Players, Seat, Weights};
use sparring::train::Demands;
use sparring::train::store::disk::write_atomic;

/// Loads the base model.
pub(crate) fn base(args: &Args) -> Result<Model, BoxError> {
    Model::load(args.model.as_deref(), args.device.device, args.device.options())
}

/// The model of a player as it starts: a copy of the base model, or an adapter on it.
pub(crate) fn start(base: &Model, settings: &Settings, player: &str) -> Result<Model, BoxError> {
    base.copy(settings.lora, Seed::new(settings.seed).child("lora").child(player))
}

/// Generator and Solver: two models, or one that plays both.
pub(crate) fn players(base: &Model, settings: &Settings) -> Result<Players, BoxError> {
    let policy = |player: &str| -> Result<Box<dyn Policy>, BoxError> {
        Ok(start(base, settings, player)?.into_policy())
    };
    Ok(match settings.recipe.self_play().weights {
        Weights::Shared => Players::Shared(policy("both")?),
        _ => Players::Separate { generator: Seat::Learns(policy("generator")?), solver: policy("solver")? },
    })
}

/// Which kinds of values fit the parameters of the tools, as the base model finds: measured once, and kept in the run's
/// folder, since it takes a minute.
pub(crate) fn value_kinds(
    base: &Model,
    catalogue: &Catalogue,
    settings: &Settings,
) -> Result<ValueKinds, BoxError> {
    let (dir, inputs) = (&settings.dir, &settings.inputs);
    let path = dir.join("value-kinds.json");
    let of = serde_json::json!({"model": inputs.get("model"), "tools": inputs.get("tools")});
    if !settings.resume && dir.join("run.json").exists() {
        // The run refuses the folder, and what another run keeps in it stays as it is.
        return Ok(ValueKinds::default());
    }
    if path.exists() {
        let text = std::fs::read_to_string(&path).map_err(at(&path))?;
        let kept: KeptKinds = serde_json::from_str(&text).map_err(at(&path))?;
        // Another model or other tools: a run that failed before it began left the file.
        if kept.of == of && kept.kinds.is_of(catalogue) {
            return Ok(kept.kinds);
        }
    }
    eprintln!("asking the model which values fit the parameters of the tools (about a minute)");
    let kinds = ValueKinds::measure(catalogue, base.scorer(), base.tokenizer())?;
    std::fs::create_dir_all(dir).map_err(at(dir))?;
    let kept = KeptKinds { of, kinds };
    write_atomic(&path, &serde_json::to_vec_pretty(&kept)?)?;
    Ok(kept.kinds)
}

/// The file of [`value_kinds`], with digests of what it was measured of.
#[derive(serde::Serialize, serde::Deserialize)]
struct KeptKinds {
    of: serde_json::Value,
    kinds: ValueKinds,
}

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
    let tasks = parts.evaluations.iter().filter_map(|evaluation| evaluation.tasks.first());
    let prompts = (0..2).map(proposal).chain(tasks.take(2).map(answer)).collect();
    let learners = if c.weights == Weights::Shared { 1 } else { 2 };
    let kl = c.generator.grpo.kl.coef > 0.0 || c.solver.grpo.kl.coef > 0.0;
    let g = &c.generator;
    let update = (g.prompts_per_step, g.prompts_per_step * g.group_size);
    let (lora, references, grpo) = (settings.lora, usize::from(kl), &g.grpo);
    measure(&settings.dir, base, &Planned { prompts, lora, learners, references, update, grpo, threads })
}
