use serde::{Deserialize, Serialize};
use sparring_core::{Policy, PolicyError, Scorer};
use std::fmt;

/// Which model the KL term stays close to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ReferenceKind {
    /// None.
    #[default]
    None,
    /// The policy as it was before the first update.
    Fixed,
    /// The policy as it was `every` updates ago, or less.
    Refreshed {
        /// Updates between two copies, at least 1.
        every: usize,
    },
}

/// Keeps the reference model of a run.
///
/// ```
/// use sparring_core::{Policy, Seed};
/// use sparring_grpo::{Reference, ReferenceKind};
/// use sparring_testkit::ToyPolicy;
///
/// let policy = ToyPolicy::new("ab", Seed::new(1));
/// let mut reference = Reference::new(ReferenceKind::Refreshed { every: 2 });
/// for _update in 0..4 {
///     let frozen = reference.before_update(&policy)?;
///     assert!(frozen.is_some()); // for Grpo::update
/// }
/// assert_eq!(reference.copies(), 2);
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
pub struct Reference {
    kind: ReferenceKind,
    frozen: Option<Box<dyn Scorer>>,
    updates: usize,
    copies: usize,
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reference")
            .field("kind", &self.kind)
            .field("updates", &self.updates)
            .finish_non_exhaustive()
    }
}

impl Reference {
    /// A reference of this kind; nothing is copied yet.
    pub fn new(kind: ReferenceKind) -> Self {
        Self { kind, frozen: None, updates: 0, copies: 0 }
    }

    /// To be called before every update: copies the policy where a copy is due, and gives the model to hand to
    /// [`Grpo::update`](crate::Grpo::update).
    ///
    /// # Errors
    /// That of [`Policy::freeze`].
    pub fn before_update(&mut self, policy: &dyn Policy) -> Result<Option<&dyn Scorer>, PolicyError> {
        let due = match self.kind {
            ReferenceKind::None => false,
            ReferenceKind::Fixed => self.frozen.is_none(),
            ReferenceKind::Refreshed { every } => {
                self.frozen.is_none() || self.updates.is_multiple_of(every.max(1))
            }
        };
        if due {
            self.frozen = Some(policy.freeze()?);
            self.copies += 1;
        }
        self.updates += 1;
        Ok(self.frozen.as_deref())
    }

    /// How often the policy was copied.
    pub fn copies(&self) -> usize {
        self.copies
    }
}
