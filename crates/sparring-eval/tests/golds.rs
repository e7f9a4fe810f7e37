//! Golds, rendered in a call format, read back and scored: everything between a text and its verdict.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // A failed step is a failed test.

use sparring_eval::{AnswerReader, Defect, Suite, gold_answers, score};
use sparring_tools::Format;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn data(folder: &str) -> PathBuf {
    PathBuf::from(std::env::var("SPARRING_SHARED").unwrap()).join("benchmarks").join(folder)
}

/// The ids whose gold does not score, in each format. They must be the same in all.
fn failing(suite: Suite, folder: &str) -> (usize, BTreeSet<String>) {
    let benchmark = suite.load(&data(folder), &[]).unwrap();
    let formats = [Format::Hermes, Format::ToolR0, Format::Llama3Json, Format::Hammer];
    let mut results = formats.into_iter().map(|format| {
        let reader = AnswerReader::Format(format);
        let (report, failures) = score(&benchmark, &reader, &gold_answers(&benchmark, &reader));
        assert_eq!((report.unanswered, report.total.tally.total), (0, benchmark.items.len()));
        for failure in &failures {
            println!("{}: {} {}\n   {}", failure.id, failure.error, failure.why, failure.text);
        }
        (report.total.tally.valid, failures.into_iter().map(|failure| failure.id).collect::<BTreeSet<_>>())
    });
    let first = results.next().unwrap();
    assert!(results.all(|other| other == first), "the formats disagree");
    first
}

/// 2,484 of 2,501, with the 17 that nobody who writes natural literals can satisfy, and all of the categories without
/// answers.
#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn bfcl() {
    let (valid, failing) = failing(Suite::Bfcl, "bfcl");
    let java = [35, 36, 64, 65, 78, 83, 85, 86, 89, 90, 91].map(|n| format!("simple_java_{n}"));
    let others = [
        // The only gold of a required parameter is the empty list of acceptable values.
        "live_simple_106-63-0",
        "live_simple_112-68-0",
        // A parameter that the gold demands and the function does not have.
        "live_multiple_862-181-3",
        "live_multiple_964-207-0",
        "parallel_multiple_12",
        "parallel_multiple_26",
    ];
    let known: BTreeSet<_> = java.into_iter().chain(others.map(str::to_owned)).collect();
    assert_eq!(failing, known);
    assert_eq!(valid, 2484 + 240 + 884 + 16);
}

#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn the_others_score_all_that_can_be_read() {
    for (suite, folder) in [
        (Suite::ToolAlpaca, "toolalpaca"),
        (Suite::SealTools, "seal_tools"),
        (Suite::ApiBank, "api_bank/lv1-lv2-samples"),
        (Suite::Hammer, "hammer_eval/original"),
        (Suite::Snips, "snips/validate"),
        (Suite::Unified, "unified"),
    ] {
        let (_, failing) = failing(suite, folder);
        let items = suite.load(&data(folder), &[]).unwrap().items;
        let unreadable = items.iter().filter(|item| item.defects.contains(&Defect::UnreadableGold));
        assert_eq!(failing, unreadable.map(|item| item.id.clone()).collect(), "{suite}");
    }
}
