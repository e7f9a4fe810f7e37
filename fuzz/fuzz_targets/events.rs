//! Any bytes as the records of a run: no panic, errors with a line, and what is read reads the same again.
#![no_main]

#[path = "../../crates/sparring-train/tests/support/fuzzed.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::check(data));
