//! FlatWeights that policies share, with the layout that decoding reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// A flat buffer, and what was derived from it when first needed.
#[derive(Debug)]
pub(crate) struct FlatWeights<P> {
    pub(crate) flat: Vec<f32>,
    packed: OnceLock<P>,
    /// Another one after each change.
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

    /// What tells these weights from all others, and from what they were.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// What decoding reads; packed once after each change, by whoever asks first.
    pub(crate) fn packed(&self, pack: impl FnOnce(&[f32]) -> P) -> &P {
        self.packed.get_or_init(|| pack(&self.flat))
    }

    /// Drops what was derived from the buffer, unless others share it.
    pub(crate) fn forget_packed(this: &mut Arc<Self>) {
        if let Some(weights) = Arc::get_mut(this) {
            weights.packed.take();
        }
    }

    /// The buffer, to change; copied where others share it. What was derived from it is forgotten.
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
