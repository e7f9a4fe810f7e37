//! Any bytes as a chat template: no panic, an end, and errors that name the template.
#![no_main]

#[path = "../../crates/sparring-candle/tests/support/fuzzed.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::check_template(data));
