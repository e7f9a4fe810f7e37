//! A frozen opponent is a shared borrow: it cannot learn while something samples from it.
use sparring_core::{Policy, SampleRequest};

fn probe_and_train(solver: &mut dyn Policy, requests: &[SampleRequest]) {
    let probe = solver.sampler();
    let learner = solver.learner();
    let _ = probe.sample(requests);
    let _ = learner.step(1e-3);
}

fn main() {}
