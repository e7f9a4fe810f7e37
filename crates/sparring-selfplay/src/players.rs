use crate::{SelfPlayConfig, Weights};
use sparring_core::{Player, Policy, Sampler, Scorer};
use sparring_train::TrainError;
use std::fmt;

/// A player that may be trained or not.
///
/// A frozen model needs only a [`Sampler`]. Wrap one on a server in [`Retry`](sparring_core::Retry): without it, a
/// request that fails for a moment ends the run.
pub enum Seat {
    /// A model that learns.
    Learns(Box<dyn Policy>),
    /// A model that stays as it is. Checkpoints do not hold it.
    Frozen(Box<dyn Sampler>),
    /// A frozen model that can also rank what it writes (`pool.likeliest`): the base model, which the run then holds
    /// once.
    FrozenScorer(Box<dyn SamplerScorer>),
}

/// A model to sample from and to score with; every type that is both.
pub trait SamplerScorer: Sampler + Scorer {}

impl<M: Sampler + Scorer + ?Sized> SamplerScorer for M {}

impl Seat {
    /// The model, to sample from.
    pub fn sampler(&self) -> &dyn Sampler {
        match self {
            Self::Learns(policy) => policy,
            Self::Frozen(sampler) => sampler,
            Self::FrozenScorer(model) => model,
        }
    }

    /// The model, to train, if it learns.
    pub fn policy_mut(&mut self) -> Option<&mut dyn Policy> {
        match self {
            Self::Learns(policy) => Some(policy.as_mut()),
            Self::Frozen(_) | Self::FrozenScorer(_) => None,
        }
    }

    fn scorer(&self) -> Option<&dyn Scorer> {
        match self {
            Self::Learns(policy) => Some(policy.as_ref()),
            Self::FrozenScorer(model) => Some(model),
            Self::Frozen(_) => None,
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Learns(_) => "Learns(..)",
            Self::Frozen(_) => "Frozen(..)",
            Self::FrozenScorer(_) => "FrozenScorer(..)",
        })
    }
}

/// The models that play. The Solver always learns, so it is a [`Policy`].
pub enum Players {
    /// Generator and Solver each have their own weights.
    Separate {
        /// Writes tasks.
        generator: Seat,
        /// Solves them.
        solver: Box<dyn Policy>,
    },
    /// One model plays both.
    Shared(Box<dyn Policy>),
}

impl fmt::Debug for Players {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Separate { generator, .. } => {
                f.debug_struct("Separate").field("generator", generator).finish_non_exhaustive()
            }
            Self::Shared(_) => f.write_str("Shared(..)"),
        }
    }
}

impl Players {
    /// The Generator.
    pub fn generator(&self) -> &dyn Sampler {
        match self {
            Self::Separate { generator, .. } => generator.sampler(),
            Self::Shared(policy) => policy,
        }
    }

    /// The Generator's memory is needed while another model, the Solver, learns.
    pub(crate) fn rest_generator(&self) {
        if let Self::Separate { generator, .. } = self {
            generator.sampler().rest();
        }
    }

    /// The Generator, to score texts with, if it can.
    pub(crate) fn generator_scorer(&self) -> Option<&dyn Scorer> {
        match self {
            Self::Separate { generator, .. } => generator.scorer(),
            Self::Shared(policy) => Some(policy.as_ref()),
        }
    }

    /// The Solver.
    pub fn solver(&self) -> &dyn Policy {
        match self {
            Self::Separate { solver: policy, .. } | Self::Shared(policy) => policy.as_ref(),
        }
    }

    /// Each model that learns once, with its folder in a checkpoint.
    pub(crate) fn named(&self) -> Vec<(&'static str, &dyn Policy)> {
        match self {
            Self::Separate { generator: Seat::Learns(generator), solver } => {
                vec![("generator", generator.as_ref()), ("solver", solver.as_ref())]
            }
            Self::Separate { solver, .. } => vec![("solver", solver.as_ref())],
            Self::Shared(policy) => vec![("policy", policy.as_ref())],
        }
    }

    pub(crate) fn named_mut(&mut self) -> Vec<(&'static str, &mut dyn Policy)> {
        match self {
            Self::Separate { generator: Seat::Learns(generator), solver } => {
                vec![("generator", generator.as_mut()), ("solver", solver.as_mut())]
            }
            Self::Separate { solver, .. } => vec![("solver", solver.as_mut())],
            Self::Shared(policy) => vec![("policy", policy.as_mut())],
        }
    }

    /// The folder of a player's model in a checkpoint.
    pub fn folder(&self, player: Player) -> &'static str {
        match self {
            Self::Separate { .. } => player.as_str(),
            Self::Shared(_) => "policy",
        }
    }

    /// A player's model, to train.
    pub(crate) fn player_mut(&mut self, player: Player) -> Result<&mut dyn Policy, TrainError> {
        match (self, player) {
            (Self::Separate { generator, .. }, Player::Generator) => {
                generator.policy_mut().ok_or_else(frozen_generator)
            }
            (Self::Separate { solver: policy, .. } | Self::Shared(policy), _) => Ok(policy.as_mut()),
        }
    }

    /// Checks that the models match the settings.
    pub(crate) fn check(&self, config: &SelfPlayConfig) -> Result<(), TrainError> {
        match (self, config.weights) {
            (
                Self::Separate { generator: Seat::Frozen(_) | Seat::FrozenScorer(_), .. },
                Weights::Separate,
            ) if config.trains_generator() => Err(frozen_generator()),
            (Self::Separate { .. }, Weights::Separate) | (Self::Shared(_), Weights::Shared) => Ok(()),
            _ => Err(TrainError::invalid(
                "weights: the setting and the models differ; pass Players::Separate with `separate`, Players::Shared \
                 with `shared`",
            )),
        }
    }
}

/// A frozen Generator that the settings train.
fn frozen_generator() -> TrainError {
    let remedy = "must be false for a frozen Generator, or generator.first_iteration beyond the last one; to train it, \
                  pass Seat::Learns(policy)";
    TrainError::setting("generator.train", true, remedy)
}
