//! Reading and judging tool calls: `cargo bench -p sparring-benches --bench tools`.

use divan::{Bencher, counter::BytesCount};
use sparring_core::Seed;
use sparring_miniature::{Split, TaskShape, World};
use sparring_tools::{Assignment, CallParser, RobustComparator, ToolR0Tags, ToolTask, match_calls};

fn main() {
    divan::main();
}

fn task() -> ToolTask {
    World::new().task(Split::Training, TaskShape::new(4, 2), Seed::new(1))
}

/// Text to calls.
#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let parser = ToolR0Tags::default();
    let text = parser.render(&task().calls);
    bencher.counter(BytesCount::of_str(&text)).bench(|| parser.parse(divan::black_box(&text)));
}

/// Calls to a verdict.
#[divan::bench(args = [Assignment::Greedy, Assignment::Optimal])]
fn matching(bencher: Bencher<'_, '_>, assignment: Assignment) {
    let calls = task().calls;
    bencher.bench(|| match_calls(&calls, divan::black_box(&calls), &RobustComparator, assignment));
}
