//! Shared flat weights, with the packed layout for decoding.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A flat buffer, with lazily derived data.
#[derive(Debug)]
pub(crate) struct FlatWeights<P> {
    pub(crate) flat: Vec<f32>,
    packed: Mutex<Option<Arc<P>>>,
    digest: OnceLock<String>,
    /// Changes with the weights.
    id: u64,
}

fn next_id() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl<P> FlatWeights<P> {
    pub(crate) fn new(flat: Vec<f32>) -> Arc<Self> {
        Arc::new(Self::of(flat))
    }

    fn of(flat: Vec<f32>) -> Self {
        Self { flat, packed: Mutex::default(), digest: OnceLock::new(), id: next_id() }
    }

    /// Identifies these weights among all others, including their earlier values.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The packed weights for decoding, created at the first use after each change.
    pub(crate) fn packed(&self, pack: impl FnOnce(&[f32]) -> P) -> Arc<P> {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(packed.get_or_insert_with(|| Arc::new(pack(&self.flat))))
    }

    /// The digest of the weights, computed at the first use after each change.
    pub(crate) fn digest(&self, of: impl FnOnce(&[f32]) -> String) -> &str {
        self.digest.get_or_init(|| of(&self.flat))
    }

    /// Drops the packed weights; whoever needs it makes it again.
    pub(crate) fn forget_packed(&self) {
        *self.packed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Mutable access to the buffer, which is copied if shared. Drops the derived data.
    pub(crate) fn change(this: &mut Arc<Self>) -> &mut Vec<f32> {
        let weights = Arc::make_mut(this);
        weights.forget_packed();
        weights.digest.take();
        weights.id = next_id();
        &mut weights.flat
    }
}

impl<P> Clone for FlatWeights<P> {
    fn clone(&self) -> Self {
        Self::of(self.flat.clone())
    }
}
