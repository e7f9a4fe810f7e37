//! Shared flat weights, with the packed layout for decoding.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A flat buffer, with lazily derived data.
#[derive(Debug)]
pub(crate) struct FlatWeights<P> {
    pub(crate) flat: Vec<f32>,
    packed: OnceLock<P>,
    /// Changes with the weights.
    id: u64,
}

fn next_id() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl<P> FlatWeights<P> {
    pub(crate) fn new(flat: Vec<f32>) -> Arc<Self> {
        Arc::new(Self { flat, packed: OnceLock::new(), id: next_id() })
    }

    /// Identifies these weights among all others, including their earlier values.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The packed weights for decoding, created at the first use after each change.
    pub(crate) fn packed(&self, pack: impl FnOnce(&[f32]) -> P) -> &P {
        self.packed.get_or_init(|| pack(&self.flat))
    }

    /// Drops the derived data, unless it is shared.
    pub(crate) fn forget_packed(this: &mut Arc<Self>) {
        if let Some(weights) = Arc::get_mut(this) {
            weights.packed.take();
        }
    }

    /// Mutable access to the buffer, which is copied if shared. Drops the derived data.
    pub(crate) fn change(this: &mut Arc<Self>) -> &mut Vec<f32> {
        let weights = Arc::make_mut(this);
        weights.packed.take();
        weights.id = next_id();
        &mut weights.flat
    }
}

impl<P> Clone for FlatWeights<P> {
    fn clone(&self) -> Self {
        Self { flat: self.flat.clone(), packed: OnceLock::new(), id: next_id() }
    }
}
