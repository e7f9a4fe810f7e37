use crate::PoolTask;
use sparring_core::{Game, Player, Rollout};
use sparring_grpo::UpdateReport;
use sparring_train::Scored;
use std::fmt;

/// One update of a player, as a recorder gets it ([`SelfPlay::with_recorder`](crate::SelfPlay::with_recorder)).
#[non_exhaustive]
pub struct PlayerStep<'s, G: Game> {
    /// Iteration, from 1.
    pub iteration: usize,
    /// Update of the phase, from 0.
    pub step: usize,
    /// What the player was prompted with, one entry a group.
    pub input: StepInput<'s, G>,
    /// The completions.
    pub groups: &'s [Vec<Rollout>],
    /// Their rewards.
    pub scored: &'s Scored,
    /// Report of the update.
    pub update: &'s UpdateReport,
}

/// What a player was prompted with.
#[non_exhaustive]
pub enum StepInput<'s, G: Game> {
    /// The Generator: specifications.
    Specs(&'s [G::Spec]),
    /// The Solver: tasks of the pool.
    Tasks(Vec<&'s PoolTask<G::Task>>),
}

impl<G: Game> PlayerStep<'_, G> {
    /// The player that was updated.
    pub fn player(&self) -> Player {
        match self.input {
            StepInput::Specs(_) => Player::Generator,
            StepInput::Tasks(_) => Player::Solver,
        }
    }
}

impl<G: Game> fmt::Debug for PlayerStep<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlayerStep")
            .field("iteration", &self.iteration)
            .field("step", &self.step)
            .field("input", &self.input)
            .field("update", &self.update)
            .finish_non_exhaustive()
    }
}

impl<G: Game> fmt::Debug for StepInput<'_, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Specs(specs) => f.debug_tuple("Specs").field(&specs.len()).finish(),
            Self::Tasks(tasks) => f.debug_tuple("Tasks").field(&tasks.len()).finish(),
        }
    }
}
