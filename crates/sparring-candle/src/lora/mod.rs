//! Low-rank adaptation (LoRA, arXiv:2106.09685): few trained parameters on a frozen base that several
//! policies share.

mod adapter;
mod config;
mod peft;

pub use config::{LoraConfig, LoraTargets};

pub(crate) use adapter::{AdapterLayout, Dropout, DropoutState, Pair};
pub(crate) use peft::{read, save};

use crate::model::{Layout, Parameter, zeros};
use rand::Rng;
use sparring_core::{PolicyError, Seed};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The settings of an adapter, and the layout of its factors.
#[derive(Debug)]
pub(crate) struct AdapterSpec {
    pub(crate) config: LoraConfig,
    pub(crate) layout: AdapterLayout,
    /// Parameters of the base that the adapter replaces.
    pub(crate) whole: Vec<Whole>,
    /// The digest of the base's weights, saved with the factors: on other weights they mean nothing.
    pub(crate) base: String,
}

/// A parameter of the base, saved whole with an adapter. It is not trained here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Whole {
    /// Name and shape, and the place in the base's buffer.
    pub(crate) parameter: Parameter,
    pub(crate) values: Vec<f32>,
}

impl AdapterSpec {
    /// A fresh adapter on a base with this digest. A target that matches nothing is a mistake.
    pub(crate) fn new(config: LoraConfig, base: &Layout, digest: String) -> Result<Arc<Self>, PolicyError> {
        config.validate()?;
        if let Some(name) = config.modules_to_save.first() {
            return Err(PolicyError::invalid(format!(
                "lora.modules_to_save: \"{name}\" cannot be trained beside factors; leave it out, or train the whole \
                 model"
            )));
        }
        let layout = AdapterLayout::new(&config, base, true)?;
        Ok(Arc::new(Self { config, layout, whole: Vec::new(), base: digest }))
    }

    /// An adapter that PEFT accepted: it needs one target that matches.
    pub(crate) fn read(config: LoraConfig, base: &Layout, digest: &str) -> Result<Self, PolicyError> {
        config.validate()?;
        let layout = AdapterLayout::new(&config, base, false)?;
        Ok(Self { config, layout, whole: Vec::new(), base: digest.to_owned() })
    }

    /// Puts the parameters that are saved whole into the base's weights.
    pub(crate) fn replace(&self, base: &mut [f32]) {
        for Whole { parameter, values } in &self.whole {
            base[parameter.at.clone()].copy_from_slice(values);
        }
    }

    /// Fresh factors: a uniform in ±1/√inputs (Kaiming with a = √5, as in PEFT), b zero, so that the adapter has no
    /// effect at first.
    pub(crate) fn init(&self, seed: Seed) -> Result<Vec<f32>, PolicyError> {
        let mut weights = zeros(self.layout.len)?;
        for p in self.layout.parameters.iter().filter(|p| p.name.ends_with("lora_A.weight")) {
            let mut rng = seed.child(&p.name).rng();
            let bound = 1.0 / (p.shape[1] as f32).sqrt();
            weights[p.at.clone()].fill_with(|| rng.random_range(-bound..=bound));
        }
        Ok(weights)
    }

    pub(crate) fn parameters(&self) -> &[Parameter] {
        &self.layout.parameters
    }

    /// Scale of the product of each matrix's factors, by the matrix's name.
    pub(crate) fn scales(&self, base: &Layout) -> BTreeMap<String, f64> {
        let mut scales = BTreeMap::new();
        for linear in base.products() {
            for pair in &self.layout.products[linear.index] {
                let part = linear.parts.iter().find(|(_, outputs)| *outputs == pair.outputs);
                scales.extend(part.map(|(name, _)| (name.clone(), f64::from(pair.scale))));
            }
        }
        scales
    }
}
