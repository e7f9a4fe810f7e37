//! The contracts of `sparring-core`, as `sparring-testkit` checks them for any backend.
#![allow(clippy::unwrap_used)]

mod support;

use sparring_core::Prompt;
use sparring_testkit::conformance::{self, Options};
use support::backend::{Backend, on_both};

on_both!(policy, learner, checkpoint, policy_with_adapter, learner_with_adapter, checkpoint_with_adapter);

fn prompts() -> Vec<Prompt> {
    [vec![5, 6, 7], vec![9], (0..70).map(|i| i % 40).collect::<Vec<u32>>()]
        .map(|ids| Prompt::Tokens(ids.into()))
        .to_vec()
}

fn policy<B: Backend>() {
    conformance::policy(&B::tiny(31), &prompts(), &Options::default()).unwrap();
}

fn learner<B: Backend>() {
    conformance::learner(|| B::tiny(32), &prompts(), &Options::default()).unwrap();
}

fn checkpoint<B: Backend>() {
    let dir = tempfile::tempdir().unwrap();
    conformance::checkpoint(|| B::tiny(33), &prompts(), dir.path(), &Options::default()).unwrap();
}

fn policy_with_adapter<B: Backend>() {
    conformance::policy(&B::tiny_lora(34), &prompts(), &Options::default()).unwrap();
}

fn learner_with_adapter<B: Backend>() {
    conformance::learner(|| B::tiny_lora(35), &prompts(), &Options::default()).unwrap();
}

fn checkpoint_with_adapter<B: Backend>() {
    let dir = tempfile::tempdir().unwrap();
    conformance::checkpoint(|| B::tiny_lora(36), &prompts(), dir.path(), &Options::default()).unwrap();
}
