use crate::Weights;
use sparring_core::{Player, Policy};
use sparring_train::TrainError;
use std::fmt;

/// The models that play.
pub enum Players {
    /// Generator and Solver each have their own weights.
    Separate {
        /// Invents tasks.
        generator: Box<dyn Policy>,
        /// Solves them.
        solver: Box<dyn Policy>,
    },
    /// One model plays both.
    Shared(Box<dyn Policy>),
}

impl fmt::Debug for Players {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Separate { .. } => "Separate { .. }",
            Self::Shared(_) => "Shared(..)",
        })
    }
}

impl Players {
    /// The Generator.
    pub fn generator(&self) -> &dyn Policy {
        match self {
            Self::Separate { generator: policy, .. } | Self::Shared(policy) => policy.as_ref(),
        }
    }

    /// The Solver.
    pub fn solver(&self) -> &dyn Policy {
        match self {
            Self::Separate { solver: policy, .. } | Self::Shared(policy) => policy.as_ref(),
        }
    }

    /// The Generator, to train it.
    pub fn generator_mut(&mut self) -> &mut dyn Policy {
        match self {
            Self::Separate { generator: policy, .. } | Self::Shared(policy) => policy.as_mut(),
        }
    }

    /// The Solver, to train it.
    pub fn solver_mut(&mut self) -> &mut dyn Policy {
        match self {
            Self::Separate { solver: policy, .. } | Self::Shared(policy) => policy.as_mut(),
        }
    }

    /// Each model once, with its folder in a checkpoint.
    pub(crate) fn named(&self) -> Vec<(&'static str, &dyn Policy)> {
        match self {
            Self::Separate { generator, solver } => {
                vec![("generator", generator.as_ref()), ("solver", solver.as_ref())]
            }
            Self::Shared(policy) => vec![("policy", policy.as_ref())],
        }
    }

    pub(crate) fn named_mut(&mut self) -> Vec<(&'static str, &mut dyn Policy)> {
        match self {
            Self::Separate { generator, solver } => {
                vec![("generator", generator.as_mut()), ("solver", solver.as_mut())]
            }
            Self::Shared(policy) => vec![("policy", policy.as_mut())],
        }
    }

    /// The folder of a player's model in a checkpoint.
    pub(crate) fn folder(&self, player: Player) -> &'static str {
        match self {
            Self::Separate { .. } => player.as_str(),
            Self::Shared(_) => "policy",
        }
    }

    pub(crate) fn player_mut(&mut self, player: Player) -> &mut dyn Policy {
        match player {
            Player::Generator => self.generator_mut(),
            Player::Solver => self.solver_mut(),
        }
    }

    pub(crate) fn check(&self, weights: Weights) -> Result<(), TrainError> {
        match (self, weights) {
            (Self::Separate { .. }, Weights::Separate) | (Self::Shared(_), Weights::Shared) => Ok(()),
            _ => Err(TrainError::invalid(
                "weights: the setting and the models differ; give Players::Separate with `separate`, Players::Shared \
                 with `shared`",
            )),
        }
    }
}
