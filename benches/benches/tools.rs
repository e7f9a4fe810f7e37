//! Speed of reading and judging tool calls: `cargo bench -p sparring-benches --bench tools`.

use divan::{Bencher, counter::BytesCount};
use sparring_core::Seed;
use sparring_miniature::{Split, TaskShape, World};
use sparring_tools::{Assignment, CallParser, Format, RobustComparator, ToolTask, match_calls};
use std::fmt::Write;

fn main() {
    divan::main();
}

fn task() -> ToolTask {
    World::new().task(Split::Training, TaskShape::new(4, 2), Seed::new(1))
}

/// Text to calls, every format.
#[divan::bench(args = Format::ALL.map(Format::name))]
fn parse(bencher: Bencher<'_, '_>, format: &str) {
    let Some(format) = Format::from_name(format) else { return };
    let parser = format.parser();
    let text = parser.render(&task().calls);
    bencher.counter(BytesCount::of_str(&text)).bench(|| parser.parse(divan::black_box(&text)));
}

/// Ten megabytes of Hermes text.
const LONG: usize = 10_000_000;

fn hermes(call: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(LONG);
    for i in 0.. {
        if text.len() >= LONG {
            break;
        }
        let _ = write!(text, "{}", call(i));
    }
    text
}

/// Nothing but short calls: 100 bytes each.
fn dense() -> String {
    hermes(|i| {
        format!(
            "<tool_call>\n{{\"name\": \"get_weather\", \"arguments\": {{\"city\": \"Paris\", \"days\": {i}}}}}\n</tool_call>\n"
        )
    })
}

/// A typical agent: a thought of three sentences, then a call that writes a file of 2 kB.
fn agent() -> String {
    let line = "    let total = values.iter().map(|v| v * 2).sum::<u64>(); // keep \\\"exact\\\"\\n";
    let code = line.repeat(26);
    hermes(|i| {
        format!(
            "The test still fails in case {i}. The sum is taken before the values are doubled, so it is too small. \
             I will write the file again and run the tests.\n<tool_call>\n{{\"name\": \"write_file\", \"arguments\": \
             {{\"path\": \"src/sum_{i}.rs\", \"content\": \"{code}\"}}}}\n</tool_call>\n"
        )
    })
}

/// Mostly prose, with an occasional call.
fn prose() -> String {
    let words =
        "It rains in the north, and in the south the sun comes out (for 3 < 5 hours, they say). ".repeat(40);
    hermes(|i| {
        format!(
            "{words}\n<tool_call>\n{{\"name\": \"look\", \"arguments\": {{\"place\": {i}}}}}\n</tool_call>\n"
        )
    })
}

/// Long texts, whole and in pieces of 16 bytes.
#[divan::bench(args = ["dense", "agent", "prose"], sample_count = 10)]
fn hermes_10_mb(bencher: Bencher<'_, '_>, kind: &str) {
    let text = long(kind);
    let parser = Format::Hermes.parser();
    bencher.counter(BytesCount::of_str(&text)).bench(|| parser.parse(divan::black_box(&text)));
}

#[divan::bench(args = ["dense", "agent", "prose"], sample_count = 10)]
fn hermes_10_mb_streamed(bencher: Bencher<'_, '_>, kind: &str) {
    let text = long(kind);
    let parser = Format::Hermes.parser();
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let mut stream = parser.stream();
        let mut deltas = 0;
        // Sixteen bytes are four tokens; the texts are ASCII.
        for piece in text.as_bytes().chunks(16) {
            deltas += std::str::from_utf8(piece).map_or(0, |piece| stream.feed(piece).len());
        }
        (deltas, stream.finish())
    });
}

fn long(kind: &str) -> String {
    match kind {
        "dense" => dense(),
        "agent" => agent(),
        _ => prose(),
    }
}

/// Calls to a verdict.
#[divan::bench(args = [Assignment::Greedy, Assignment::Optimal])]
fn matching(bencher: Bencher<'_, '_>, assignment: Assignment) {
    let calls = task().calls;
    bencher.bench(|| match_calls(&calls, divan::black_box(&calls), &RobustComparator, assignment));
}
