//! The models that play.

use crate::models::Model;
use crate::play::settings::{Args, Settings};
use sparring::core::{BoxError, Policy, Seed};
use sparring::selfplay::{Players, Seat, Weights};

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
    Ok(match settings.config.self_play.weights {
        Weights::Shared => Players::Shared(policy("both")?),
        _ => Players::Separate { generator: Seat::Learns(policy("generator")?), solver: policy("solver")? },
    })
}
