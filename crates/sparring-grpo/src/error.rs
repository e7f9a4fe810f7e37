use sparring_core::PolicyError;

/// An error of an update. The step that failed changed no weight.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrpoError {
    /// A setting is out of range, or has no effect with the others.
    #[error("grpo.{field} {why}")]
    Config {
        /// The field of [`GrpoConfig`](crate::GrpoConfig), as a path.
        field: &'static str,
        /// What it must be.
        why: String,
    },
    /// The groups of an update are malformed.
    #[error("group {group}: {what}")]
    Group {
        /// Index of the group in the update, from 0.
        group: usize,
        /// What is wrong, and what to do.
        what: String,
    },
    /// A number of one completion is not finite; its optimiser step was not applied.
    #[error("group {group}, completion {completion}: {what} is not finite; this step was not applied")]
    NonFinite {
        /// Index of the group in the update, from 0.
        group: usize,
        /// Index of the completion in its group, from 0.
        completion: usize,
        /// What is not finite.
        what: &'static str,
    },
    /// There is a KL term but no reference model.
    #[error("grpo.kl.coef is above 0 but no reference model was given; pass one, or set kl.coef to 0")]
    MissingReference,
    /// The backend failed.
    #[error("the policy failed during {during}")]
    Policy {
        /// The call that failed.
        during: &'static str,
        /// The cause.
        #[source]
        source: PolicyError,
    },
}

impl GrpoError {
    pub(crate) fn policy(during: &'static str) -> impl Fn(PolicyError) -> Self {
        move |source| Self::Policy { during, source }
    }
}
