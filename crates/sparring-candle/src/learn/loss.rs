//! Evaluates losses, for every backend.

use crate::batch::place;
use sparring_core::{PolicyError, TokenBatch, TokenGradients, TokenLoss, TokenStats};

/// Checks a learning rate.
///
/// # Errors
/// [`PolicyError::Invalid`] for a learning rate that is negative or not a number.
pub(crate) fn check_learning_rate(lr: f64) -> Result<(), PolicyError> {
    if lr.is_finite() && lr >= 0.0 {
        return Ok(());
    }
    Err(PolicyError::invalid(format!("learning rate {lr}: it must be a number of at least 0")))
}

/// ∂L/∂logp and, if the loss needs entropies, ∂L/∂entropy: one number per completion token, flat.
#[derive(Debug)]
pub(crate) struct LossGradients {
    pub(crate) logp: Vec<f32>,
    pub(crate) entropy: Option<Vec<f32>>,
}

impl LossGradients {
    pub(crate) fn entropy_at(&self, flat: usize) -> f32 {
        self.entropy.as_ref().map_or(0.0, |e| e[flat])
    }
}

/// Evaluates a loss, and checks its value and its gradients.
///
/// # Errors
/// [`PolicyError::NonFinite`] names the value that is not finite.
pub(crate) fn evaluate(
    batch: TokenBatch<'_>,
    loss: &dyn TokenLoss,
    logp: &[f32],
    entropy: &[f32],
) -> Result<(f64, LossGradients), PolicyError> {
    let wanted = loss.needs_entropy();
    let mut gradients =
        LossGradients { logp: vec![0.0; logp.len()], entropy: wanted.then(|| vec![0.0; logp.len()]) };
    let value = loss.evaluate(
        TokenStats::new(logp, wanted.then_some(entropy)),
        TokenGradients::new(&mut gradients.logp, gradients.entropy.as_deref_mut()),
    );
    let parts = [("logp", Some(&gradients.logp)), ("entropy", gradients.entropy.as_ref())];
    for (name, values) in parts {
        if let Some(flat) = values.and_then(|v| v.iter().position(|c| !c.is_finite())) {
            let place = place(batch, flat);
            return Err(PolicyError::NonFinite { what: format!("∂L/∂{name} of {place}") });
        }
    }
    if !value.is_finite() {
        return Err(PolicyError::NonFinite { what: format!("the loss ({value})") });
    }
    Ok((value, gradients))
}
