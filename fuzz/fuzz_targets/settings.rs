//! Any bytes as a file of settings: no panic, and what is read reads the same again.
#![no_main]

#[path = "../../crates/sparring-recipes/tests/support/fuzzed.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::check(data));
