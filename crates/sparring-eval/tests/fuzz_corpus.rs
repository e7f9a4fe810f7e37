//! The corpus of the fuzz target `benchmark`, as a plain test: for every suite, whole, cut and changed.

#![allow(clippy::unwrap_used, clippy::panic)] // A failed step is a failed test.

#[path = "support/fuzzed.rs"]
mod fuzzed;

use std::fs;
use std::path::Path;

#[test]
fn any_bytes_are_items_or_an_error_that_names_a_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/benchmark");
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 5, "{}", files.len());
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("data");
    for file in files {
        let seed = fs::read(&file).unwrap();
        for suite in (0..8).chain([0x80, 0x87]) {
            fuzzed::check(&[&[suite], &seed[1..]].concat(), &dir);
        }
        for i in (1..seed.len()).step_by(11) {
            fuzzed::check(&seed[..i], &dir);
            let mut changed = seed.clone();
            changed[i] ^= 0x90;
            fuzzed::check(&changed, &dir);
        }
    }
}
