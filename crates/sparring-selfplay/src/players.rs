use crate::{SelfPlayError, Weights};
use sparring_core::Policy;
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

    /// Each model once, with its folder in a checkpoint and its player in errors.
    pub(crate) fn named(&self) -> Vec<(&'static str, &'static str, &dyn Policy)> {
        match self {
            Self::Separate { generator, solver } => {
                vec![("generator", "generator", generator.as_ref()), ("solver", "solver", solver.as_ref())]
            }
            Self::Shared(policy) => vec![("policy", "shared policy", policy.as_ref())],
        }
    }

    pub(crate) fn named_mut(&mut self) -> Vec<(&'static str, &'static str, &mut dyn Policy)> {
        match self {
            Self::Separate { generator, solver } => {
                vec![("generator", "generator", generator.as_mut()), ("solver", "solver", solver.as_mut())]
            }
            Self::Shared(policy) => vec![("policy", "shared policy", policy.as_mut())],
        }
    }

    pub(crate) fn check(&self, weights: Weights) -> Result<(), SelfPlayError> {
        match (self, weights) {
            (Self::Separate { .. }, Weights::Separate) | (Self::Shared(_), Weights::Shared) => Ok(()),
            _ => Err(SelfPlayError::invalid(
                "weights: the setting and the models differ; give Players::Separate with `separate`, Players::Shared \
                 with `shared`",
            )),
        }
    }
}
