//! An opponent behind a shared reference cannot learn.
use sparring_core::Policy;
use std::sync::Arc;

fn borrowed(opponent: &dyn Policy) {
    let _ = opponent.step(1e-3);
}

fn shared(opponent: Arc<dyn Policy>) {
    let _ = opponent.step(1e-3);
}

fn main() {}
