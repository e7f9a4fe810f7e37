//! The corpus of the fuzz target `events`, as a plain test: whole files, and files cut and changed anywhere.

#![allow(clippy::unwrap_used, clippy::panic)] // A failed step is a failed test.

#[path = "support/fuzzed.rs"]
mod fuzzed;

use std::fs;
use std::path::Path;

#[test]
fn any_bytes_are_records_or_an_error_with_a_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/events");
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 5, "{}", files.len());
    for file in files {
        let seed = fs::read(&file).unwrap();
        fuzzed::check(&seed);
        for i in 0..seed.len() {
            fuzzed::check(&seed[..i]);
            for bit in [0, 4, 7] {
                let mut changed = seed.clone();
                changed[i] ^= 1 << bit;
                fuzzed::check(&changed);
            }
        }
    }
}
