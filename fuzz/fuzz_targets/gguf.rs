//! Any bytes as a GGUF file: no panic, and errors that name the file.
#![no_main]

#[path = "../../crates/sparring-candle/tests/support/fuzzed.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let path = std::env::temp_dir().join(format!("sparring-fuzz-{}.gguf", std::process::id()));
    fuzzed::check_gguf(data, &path);
});
