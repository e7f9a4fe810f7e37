//! What tests ask of every backend of this crate, so that one text tests them all.

use sparring_candle::{CandlePolicy, DeviceKind, DeviceOptions, DevicePolicy};
use sparring_core::{Policy, Seed};

pub(crate) trait Backend: Policy + Sized {
    /// A policy with the weights (and the adapter) of this one.
    fn of(policy: CandlePolicy) -> Self;

    fn logits(&self, tokens: &[u32]) -> Vec<f32>;

    /// Each trained parameter with its gradient.
    fn gradients(&self) -> Vec<(String, Vec<f32>)>;

    /// Each trained parameter with its value.
    fn weights(&self) -> Vec<(String, Vec<f32>)>;

    fn tiny(seed: u64) -> Self {
        Self::of(super::tiny(seed))
    }

    /// With fresh factors on every matrix.
    fn tiny_lora(seed: u64) -> Self {
        let config = sparring_candle::LoraConfig::new(3);
        Self::of(super::tiny(seed).with_lora(config, Seed::new(seed)).unwrap())
    }
}

/// With the feature `cuda`, the suite runs on the CUDA device that the environment variable `SPARRING_CUDA` numbers.
pub(crate) fn device_options() -> DeviceOptions {
    let index = std::env::var("SPARRING_CUDA").ok().map(|index| index.parse().unwrap());
    let device = index.filter(|_| cfg!(feature = "cuda")).map_or(DeviceKind::Cpu, DeviceKind::Cuda);
    DeviceOptions::default().with_device(device)
}

impl Backend for CandlePolicy {
    fn of(policy: CandlePolicy) -> Self {
        policy
    }

    fn logits(&self, tokens: &[u32]) -> Vec<f32> {
        self.logits(tokens).unwrap()
    }

    fn gradients(&self) -> Vec<(String, Vec<f32>)> {
        self.parameters().map(|(name, ..)| name.to_owned()).zip(self.gradients()).collect()
    }

    fn weights(&self) -> Vec<(String, Vec<f32>)> {
        self.parameters().map(|(name, _, values)| (name.to_owned(), values.to_vec())).collect()
    }
}

impl Backend for DevicePolicy {
    fn of(policy: CandlePolicy) -> Self {
        let adamw = policy.options().adamw.clone();
        Self::new(&policy, device_options().with_adamw(adamw)).unwrap()
    }

    fn logits(&self, tokens: &[u32]) -> Vec<f32> {
        self.logits(tokens).unwrap()
    }

    fn gradients(&self) -> Vec<(String, Vec<f32>)> {
        let names = self.parameters().map(|(name, _)| name.to_owned());
        names.zip(self.gradients().unwrap()).collect()
    }

    fn weights(&self) -> Vec<(String, Vec<f32>)> {
        let names = self.parameters().map(|(name, _)| name.to_owned());
        names.zip(self.weights().unwrap()).collect()
    }
}

/// A test of each function, for each backend: `on_both!(policy, learner)` makes `engine::policy` and so on.
macro_rules! on_both {
    ($($(#[$attribute:meta])* $test:ident),* $(,)?) => {
        mod engine {
            $(#[test] $(#[$attribute])* fn $test() { super::$test::<sparring_candle::CandlePolicy>(); })*
        }
        mod device {
            $(#[test] $(#[$attribute])* fn $test() { super::$test::<sparring_candle::DevicePolicy>(); })*
        }
    };
}
pub(crate) use on_both;
