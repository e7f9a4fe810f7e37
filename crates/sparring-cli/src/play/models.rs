//! The models that play.

use crate::models::Model;
use crate::play::settings::{Args, Settings};
use sparring::core::{BoxError, Policy, Seed};
use sparring::selfplay::{Players, Seat, Weights};

/// Generator and Solver: two copies of the base model, or two adapters on it, or one model that plays both.
pub(crate) fn load(args: &Args, settings: &Settings) -> Result<Players, BoxError> {
    let base = Model::load(args.model.as_deref(), args.device.device, args.device.options())?;
    let policy = |player: &str| -> Result<Box<dyn Policy>, BoxError> {
        let seed = Seed::new(settings.seed).child("lora").child(player);
        Ok(base.copy(args.lora, seed)?.into_policy())
    };
    Ok(match settings.config.self_play.weights {
        Weights::Shared => Players::Shared(policy("both")?),
        _ => Players::Separate { generator: Seat::Learns(policy("generator")?), solver: policy("solver")? },
    })
}
