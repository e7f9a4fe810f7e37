//! AdamW on tensors; `cpu` has the version for flat weights.

use crate::error::candle_error;
use crate::learn::AdamWConfig;
use crate::model::Parameter;
use candle_core::{D, DType, Result, Tensor, Var};
use sparring_core::{PolicyError, StepReport};
use std::collections::BTreeMap;

/// Moments by parameter, and the number of steps taken. Missing moments are zero.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    pub(super) m: BTreeMap<String, Tensor>,
    pub(super) v: BTreeMap<String, Tensor>,
    pub(super) steps: u64,
}

/// Global L2 norm of a gradient.
///
/// # Errors
/// [`PolicyError::NonFinite`] names the first parameter whose gradient is not finite.
pub(super) fn norm(
    parameters: &[Parameter],
    gradients: &BTreeMap<String, Tensor>,
) -> std::result::Result<f64, PolicyError> {
    // One vector for the host: reading each number alone would wait for the device each time.
    let squares = |gradient: &Tensor| {
        // Rows first: one long sum in single precision loses small terms.
        gradient.sqr()?.sum(D::Minus1)?.sum_all()
    };
    let found: Vec<_> =
        parameters.iter().filter_map(|p| Some((p.name.as_str(), gradients.get(&p.name)?))).collect();
    if found.is_empty() {
        return Ok(0.0);
    }
    let sums = || {
        let sums = found.iter().map(|(_, gradient)| squares(gradient)).collect::<Result<Vec<_>>>()?;
        Tensor::stack(&sums, 0)?.to_dtype(DType::F32)?.to_vec1::<f32>()
    };
    let sums = sums().map_err(candle_error)?;
    match found.iter().zip(&sums).find(|(_, sum)| !sum.is_finite()) {
        Some(((name, _), _)) => Err(PolicyError::NonFinite { what: format!("the gradient of {name}") }),
        None => Ok(sums.iter().map(|&sum| f64::from(sum)).sum::<f64>().sqrt()),
    }
}

impl Moments {
    /// One step (arXiv:1711.05101, algorithm 2); returns the new weights. A missing gradient counts as zero.
    pub(super) fn step(
        &mut self,
        config: &AdamWConfig,
        lr: f64,
        parameters: &[Parameter],
        (variables, gradients): (&BTreeMap<String, Var>, &BTreeMap<String, Tensor>),
        norm: f64,
    ) -> Result<(BTreeMap<String, Var>, StepReport)> {
        let clip = config.grad_clip.filter(|&most| norm > most);
        let grad_scale = clip.map_or(1.0, |most| most / norm);
        let mut next = Self { steps: self.steps + 1, ..Self::default() };
        let correction = |beta: f64| 1.0 / (1.0 - beta.powf(next.steps as f64));
        let (first, second) = (correction(config.beta1), correction(config.beta2));
        let mut weights = BTreeMap::new();
        for p in parameters {
            let Some(w) = variables.get(&p.name) else { continue };
            let w = w.as_detached_tensor();
            let (lr, decay) = config.rates(p, lr);
            let gradient = match gradients.get(&p.name) {
                Some(gradient) => (gradient * grad_scale)?,
                None => w.zeros_like()?,
            };
            let moment = |old: Option<&Tensor>, beta: f64, x: &Tensor| match old {
                Some(old) => (old * beta)? + (x * (1.0 - beta))?,
                None => x * (1.0 - beta),
            };
            let m = moment(self.m.get(&p.name), config.beta1, &gradient)?;
            let v = moment(self.v.get(&p.name), config.beta2, &gradient.sqr()?)?;
            let update = ((&m * first)? / ((&v * second)?.sqrt()? + config.eps)?)?;
            let w = ((w * (1.0 - lr * decay))? - (update * lr)?)?;
            weights.insert(p.name.clone(), Var::from_tensor(&w)?);
            next.m.insert(p.name.clone(), m);
            next.v.insert(p.name.clone(), v);
        }
        *self = next;
        Ok((weights, StepReport::new(norm, clip.is_some())))
    }
}
