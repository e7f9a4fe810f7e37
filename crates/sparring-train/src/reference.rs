use serde::{Deserialize, Serialize};

/// The reference model of the KL term.
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

impl ReferenceKind {
    /// Whether the policy is frozen as the reference before update `step` (from 0).
    ///
    /// ```
    /// use sparring_train::ReferenceKind;
    /// let refreshed = ReferenceKind::Refreshed { every: 3 };
    /// assert_eq!([0, 1, 2, 3].map(|step| refreshed.due(step)), [true, false, false, true]);
    /// assert_eq!([0, 1].map(|step| ReferenceKind::Fixed.due(step)), [true, false]);
    /// ```
    pub fn due(self, step: usize) -> bool {
        match self {
            Self::None => false,
            Self::Fixed => step == 0,
            Self::Refreshed { every } => step.is_multiple_of(every.max(1)),
        }
    }
}
