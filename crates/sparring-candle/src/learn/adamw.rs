//! Settings of the optimiser.

use crate::model::Parameter;
use serde::{Deserialize, Serialize};
use sparring_core::PolicyError;

/// A group of parameters with separate settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ParamGroup {
    /// One component of the checkpoint names that belong to the group, or several joined by dots, such as
    /// `embed_tokens`, `layers.1` or `lora_B`.
    pub name: String,
    /// Factor of the learning rate, at least 0. 0 freezes the group; its gradient still counts in the clipped norm.
    #[serde(default = "one")]
    pub lr_scale: f64,
    /// Decoupled weight decay of the group's matrices, in place of the optimiser's.
    #[serde(default)]
    pub weight_decay: Option<f64>,
}

fn one() -> f64 {
    1.0
}

impl ParamGroup {
    /// A group with the optimiser's own settings.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), lr_scale: 1.0, weight_decay: None }
    }

    /// Sets the factor of the learning rate.
    #[must_use]
    pub fn with_lr_scale(mut self, scale: f64) -> Self {
        self.lr_scale = scale;
        self
    }

    /// Sets the weight decay.
    #[must_use]
    pub fn with_weight_decay(mut self, decay: f64) -> Self {
        self.weight_decay = Some(decay);
        self
    }
}

/// AdamW (arXiv:1711.05101). Matrices decay; norms and biases do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AdamWConfig {
    /// Decay of the first moment, in [0, 1).
    pub beta1: f64,
    /// Decay of the second moment, in [0, 1).
    pub beta2: f64,
    /// Constant added to the root of the second moment, above 0.
    pub eps: f64,
    /// Decoupled weight decay, at least 0.
    pub weight_decay: f64,
    /// Largest global L2 norm of the gradient; a larger gradient is scaled down to it. `None` disables clipping.
    pub grad_clip: Option<f64>,
    /// Groups of parameters with their own settings; a parameter takes those of the first group that it belongs to.
    pub groups: Vec<ParamGroup>,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.0,
            grad_clip: Some(1.0),
            groups: Vec::new(),
        }
    }
}

impl AdamWConfig {
    /// Sets both decays of the moments.
    #[must_use]
    pub fn with_betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// Sets the constant added to the denominator.
    #[must_use]
    pub fn with_eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets the weight decay.
    #[must_use]
    pub fn with_weight_decay(mut self, decay: f64) -> Self {
        self.weight_decay = decay;
        self
    }

    /// Sets the clipping threshold.
    #[must_use]
    pub fn with_grad_clip(mut self, norm: Option<f64>) -> Self {
        self.grad_clip = norm;
        self
    }

    /// Adds a group of parameters.
    #[must_use]
    pub fn with_group(mut self, group: ParamGroup) -> Self {
        self.groups.push(group);
        self
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the field that is out of range.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let bad = |field: &str, why: &str| Err(PolicyError::invalid(format!("options.adamw.{field} {why}")));
        let AdamWConfig { beta1, beta2, eps, weight_decay, grad_clip, ref groups } = *self;
        for (field, beta) in [("beta1", beta1), ("beta2", beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return bad(field, "must be in [0, 1)");
            }
        }
        if !(eps > 0.0 && eps.is_finite()) {
            return bad("eps", "must be a number above 0");
        }
        if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
            return bad("weight_decay", "must be a number of at least 0");
        }
        if grad_clip.is_some_and(|c| !(c > 0.0 && c.is_finite())) {
            return bad("grad_clip", "must be a number above 0, or null");
        }
        for group in groups {
            let (scale, decay) = (group.lr_scale, group.weight_decay.unwrap_or(0.0));
            let numbers = [scale, decay].into_iter().all(|x| x.is_finite() && x >= 0.0);
            if group.name.is_empty() || !numbers {
                let why = format!(
                    "has a group \"{}\": it needs a name, an lr_scale and a weight_decay of at least 0",
                    group.name
                );
                return bad("groups", &why);
            }
        }
        Ok(())
    }

    /// Learning rate and weight decay of a parameter at the base rate `lr`.
    pub(crate) fn rates(&self, parameter: &Parameter, lr: f64) -> (f64, f64) {
        let group = self.group(&parameter.name);
        let decay = group.and_then(|g| g.weight_decay).unwrap_or(self.weight_decay);
        (lr * group.map_or(1.0, |g| g.lr_scale), if parameter.decays() { decay } else { 0.0 })
    }

    /// The group of a parameter.
    fn group(&self, parameter: &str) -> Option<&ParamGroup> {
        let dotted = format!(".{parameter}.");
        self.groups.iter().find(|g| dotted.contains(&format!(".{}.", g.name)))
    }
}
