//! Collecting gradients from candle's tapes.

use candle_core::backprop::GradStore;
use candle_core::{DType, Error, Result, Tensor, Var};
use std::collections::BTreeMap;

/// A leaf with these values, for which gradients are collected.
pub(super) fn track(x: &Tensor) -> Result<Tensor> {
    Ok(Var::from_tensor(&x.detach())?.into_inner())
}

/// The gradient of Σ ⟨gradient, output⟩.
pub(super) fn differentiate(outputs: &[(&Tensor, &Tensor)]) -> Result<GradStore> {
    let mut total: Option<Tensor> = None;
    for (output, gradient) in outputs {
        // The sum may overflow a narrow type; its derivative does not.
        let term = (*output * gradient.detach())?.sum_all()?.to_dtype(DType::F32)?;
        total = Some(match total {
            Some(total) => (total + term)?,
            None => term,
        });
    }
    total.ok_or_else(|| Error::Msg("nothing to differentiate".to_owned()))?.backward()
}

/// Sums of gradients by parameter, in the type that the parameters are stored in.
#[derive(Debug)]
pub(super) struct GradientSums<'a> {
    variables: &'a BTreeMap<String, Var>,
    sums: BTreeMap<String, Tensor>,
}

impl<'a> GradientSums<'a> {
    pub(super) fn new(variables: &'a BTreeMap<String, Var>) -> Self {
        Self { variables, sums: BTreeMap::new() }
    }

    /// Whether the parameter is trained.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// Adds the gradients found for the parameters that `part` names. Each of them must have one: candle's operations
    /// without a backward pass cut the gradient silently.
    pub(super) fn add(&mut self, found: &GradStore, part: impl Fn(&str) -> bool) -> Result<()> {
        for (name, variable) in self.variables.iter().filter(|(name, _)| part(name)) {
            let gradient = Self::of(found, variable.as_tensor(), name)?;
            let sum = match self.sums.remove(name) {
                Some(sum) => (sum + gradient)?,
                None => gradient,
            };
            // Without the tape of its inputs.
            self.sums.insert(name.clone(), sum.detach());
        }
        Ok(())
    }

    /// The gradient of one tensor.
    pub(super) fn of(found: &GradStore, tensor: &Tensor, name: &str) -> Result<Tensor> {
        found.get(tensor).cloned().ok_or_else(|| Error::Msg(format!("{name} got no gradient")))
    }

    /// The sums, by parameter.
    pub(super) fn into_sums(self) -> BTreeMap<String, Tensor> {
        self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_parameter_without_a_gradient_is_named() {
        let variable = || Var::new(&[1.0_f32, 2.0], &Device::Cpu).unwrap();
        let variables = BTreeMap::from([("used".to_owned(), variable()), ("cut".to_owned(), variable())]);
        // The effect of an operation without a backward pass: its result has no tape.
        let cut = variables["cut"].sqr().unwrap().detach();
        let output = (variables["used"].sqr().unwrap() + cut).unwrap();
        let found = differentiate(&[(&output, &output.ones_like().unwrap())]).unwrap();
        let mut sums = GradientSums::new(&variables);
        sums.add(&found, |name| name == "used").unwrap();
        let error = sums.add(&found, |_| true).unwrap_err();
        assert!(error.to_string().contains("cut got no gradient"), "{error}");
        assert_eq!(sums.into_sums()["used"].to_vec1::<f32>().unwrap(), [2.0, 4.0]);
    }
}
