//! Any bytes, in any format, cut anywhere: no panic, and the stream reads what the whole text reads.
#![no_main]

#[path = "../../crates/sparring-tools/tests/support/fuzzed.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::check(data));
