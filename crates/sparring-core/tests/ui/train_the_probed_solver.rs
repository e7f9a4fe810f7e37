//! A frozen opponent is a shared borrow: it cannot learn while something samples from it.
use sparring_core::{Policy, SampleRequest, Sampler};

fn probe_and_train(solver: &mut dyn Policy, requests: &[SampleRequest]) {
    let probe: &dyn Sampler = &*solver;
    let learner = &mut *solver;
    let _ = probe.sample(requests);
    let _ = learner.step(1e-3);
}

fn main() {}
