//! Policies with low-rank adapters on a shared base.

use super::CandlePolicy;
use super::frozen::Adapter;
use super::weights::FlatWeights;
use crate::kernels::{Mat, MatMut, Packing, Write, matmul, scale_in_place};
use crate::lora::{self, AdapterLayout, AdapterSpec, LoraConfig};
use crate::model::{Layout, digest};
use sparring_core::{PolicyError, Seed};
use std::path::Path;
use std::sync::Arc;

impl CandlePolicy {
    /// A policy with fresh adapters on this policy's weights, which are shared and not changed. Only the adapter is
    /// trained, saved and restored. It starts equal to the base (the second factor is zero). `seed` determines the
    /// first factor and the dropout.
    ///
    /// ```no_run
    /// # use sparring_candle::{CandlePolicy, LoraConfig, PolicyOptions};
    /// # use sparring_core::Seed;
    /// let base = CandlePolicy::load("models/qwen2.5-1.5b", PolicyOptions::default())?;
    /// let solver = base.with_lora(LoraConfig::new(16), Seed::new(1))?;
    /// let generator = base.with_lora(LoraConfig::new(16), Seed::new(2))?;
    /// // The weights of the base are in memory once.
    /// # Ok::<(), sparring_core::PolicyError>(())
    /// ```
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if a setting is out of range, a target matches nothing, or this policy already has an
    /// adapter.
    pub fn with_lora(&self, config: LoraConfig, seed: Seed) -> Result<Self, PolicyError> {
        let spec = AdapterSpec::new(config, &self.frozen.spec.layout, self.digest()?.to_owned())?;
        let weights = spec.init(seed.child("factors"))?;
        let mut policy = self.with_adapter(spec, weights);
        policy.dropout.seed = seed.child("dropout");
        Ok(policy)
    }

    /// A policy with an adapter written by PEFT or [`CandlePolicy::save_pretrained`], on this policy's weights, which
    /// are shared. Where the adapter has parameters of the base whole (an extended embedding, `modules_to_save`), the
    /// policy has a copy of the base with these in their place; they are saved with the adapter, and not trained.
    ///
    /// An adapter that this crate saved has a digest of the weights that it was trained on, in the metadata of its
    /// safetensors file. One of another program has none, and is taken on trust.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] names the file and the field or tensor that is missing, damaged or not
    /// supported, or says that the adapter was trained on other weights.
    pub fn load_adapter(&self, dir: impl AsRef<Path>) -> Result<Self, PolicyError> {
        let (spec, weights) = lora::read(dir.as_ref(), &self.frozen.spec.layout, self.digest()?)?;
        Ok(self.with_adapter(spec, weights))
    }

    /// The digest of the weights, for an adapter on them.
    fn digest(&self) -> Result<&str, PolicyError> {
        if self.frozen.adapter.is_some() {
            return Err(PolicyError::invalid(
                "the policy already has an adapter; start from the base, or merge the adapter with into_merged",
            ));
        }
        Ok(self.frozen.weights.digest(|flat| digest(&self.frozen.spec.layout, flat)))
    }

    fn with_adapter(&self, spec: Arc<AdapterSpec>, weights: Vec<f32>) -> Self {
        let mut frozen = self.frozen.clone();
        if !spec.whole.is_empty() {
            spec.replace(FlatWeights::change(&mut frozen.weights));
        }
        frozen.adapter = Some(Adapter { spec, weights: FlatWeights::new(weights), unmerged: None });
        Self::from_frozen(frozen)
    }

    /// Sets the seed of the adapter's dropout. The default of a loaded adapter is seed 0; one restored from a
    /// checkpoint continues its sequence.
    #[must_use]
    pub fn with_dropout_seed(mut self, seed: Seed) -> Self {
        self.dropout.seed = seed;
        self
    }

    /// Refuses operations that would change or lose the factors while they are merged.
    pub(super) fn check_unmerged(&self, doing: &str) -> Result<(), PolicyError> {
        if self.is_merged() {
            return Err(PolicyError::invalid(format!(
                "the adapter is merged into the weights; call unmerge_adapter before {doing}"
            )));
        }
        Ok(())
    }

    /// The adapter's settings, if there is one.
    pub fn lora(&self) -> Option<&LoraConfig> {
        self.frozen.adapter.as_ref().map(|a| &a.spec.config)
    }

    /// Whether the adapter is merged into the weights.
    pub fn is_merged(&self) -> bool {
        self.frozen.adapter.as_ref().is_some_and(|a| a.unmerged.is_some())
    }

    /// Adds the adapter to a copy of the base's weights (`w + scale·b·a`), so that sampling is as fast as the base's.
    /// The policy cannot be trained, saved or restored until [`CandlePolicy::unmerge_adapter`].
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if there is no adapter or it is already merged.
    pub fn merge_adapter(&mut self) -> Result<(), PolicyError> {
        let frozen = &mut self.frozen;
        let Some(adapter) = frozen.adapter.as_mut().filter(|a| a.unmerged.is_none()) else {
            return Err(PolicyError::invalid("there is no adapter to merge".to_owned()));
        };
        adapter.unmerged = Some(Arc::clone(&frozen.weights));
        let weights = FlatWeights::change(&mut frozen.weights);
        merge(&adapter.spec.layout, &frozen.spec.layout, &adapter.weights.flat, weights);
        Ok(())
    }

    /// Undoes [`CandlePolicy::merge_adapter`], to the bit.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if no adapter is merged.
    pub fn unmerge_adapter(&mut self) -> Result<(), PolicyError> {
        let base = self.frozen.adapter.as_mut().and_then(|a| a.unmerged.take());
        self.frozen.weights = base.ok_or_else(|| PolicyError::invalid("no adapter is merged".to_owned()))?;
        Ok(())
    }

    /// A policy without adapter whose weights are the base's with the adapter merged, to be saved as a whole model or
    /// trained further.
    ///
    /// # Errors
    /// [`PolicyError::Invalid`] if there is no adapter.
    pub fn into_merged(mut self) -> Result<Self, PolicyError> {
        if !self.is_merged() {
            self.merge_adapter()?;
        }
        self.frozen.adapter = None;
        Ok(Self::from_frozen(self.frozen))
    }
}

/// Adds scale·b·a to the matrices of the base.
fn merge(adapter: &AdapterLayout, base: &Layout, factors: &[f32], weights: &mut [f32]) {
    let mut packing = Packing::default();
    for linear in base.products() {
        for pair in &adapter.products[linear.index] {
            let (a, mut b) = (&factors[pair.a.clone()], factors[pair.b.clone()].to_vec());
            scale_in_place(&mut b, pair.scale);
            let from = linear.weight.start + pair.outputs.start * linear.inputs;
            let w = &mut weights[from..from + pair.outputs.len() * linear.inputs];
            let shape = [pair.outputs.len(), linear.inputs, pair.rank];
            let (b, a) = (Mat::rows(&b, pair.rank), Mat::rows(a, linear.inputs));
            matmul(MatMut::rows(w, linear.inputs), Write::Add, shape, b, a, &mut packing);
        }
    }
}
