//! The contracts of `sparring-core`, as `sparring-testkit` checks them for any backend.
#![allow(clippy::unwrap_used)]

mod support;

use sparring_core::Prompt;
use sparring_testkit::conformance::{self, Options};

fn prompts() -> Vec<Prompt> {
    [vec![5, 6, 7], vec![9], (0..70).map(|i| i % 40).collect::<Vec<u32>>()]
        .map(|ids| Prompt::Tokens(ids.into()))
        .to_vec()
}

#[test]
fn policy() {
    conformance::policy(&support::tiny(31), &prompts(), &Options::default()).unwrap();
}

#[test]
fn learner() {
    conformance::learner(|| support::tiny(32), &prompts(), &Options::default()).unwrap();
}

#[test]
fn checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    conformance::checkpoint(|| support::tiny(33), &prompts(), dir.path(), &Options::default()).unwrap();
}
