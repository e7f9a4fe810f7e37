//! Every seam can be used as a trait object: that the following compiles is the test.

use sparring::core::*;
use sparring::tools::{CallParser, Comparator};

struct Seams<'a> {
    _sampler: &'a dyn Sampler,
    _scorer: &'a dyn Scorer,
    _learner: &'a mut dyn Learner,
    _loss: &'a dyn TokenLoss,
    _policy: Box<dyn Policy>,
    _checkpoint: &'a dyn Checkpoint,
    _reward: Box<dyn Reward<String>>,
    _advantage: &'a dyn Advantage,
    _game: &'a dyn Game<Spec = u8, Task = String>,
    _source: Box<dyn TaskSource<String>>,
    _observer: &'a mut dyn Observer,
    _parser: Box<dyn CallParser>,
    _comparator: &'a dyn Comparator,
}

#[test]
fn every_seam_is_object_safe() {
    assert!(size_of::<Option<Seams<'_>>>() > 0);
}
