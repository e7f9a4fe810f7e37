//! The published data: every file loads, with the counts that are known of it.

#![allow(clippy::unwrap_used, clippy::panic)] // A failed step is a failed test.

use serde_json::Value;
use sparring_core::Role;
use sparring_eval::{Defect, Expected, Item, Suite};
use sparring_tools::ToolCall;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn items(suite: Suite, folder: &str) -> Vec<Item> {
    let shared = PathBuf::from(std::env::var_os("SPARRING_SHARED").unwrap());
    suite.load(&shared.join("benchmarks").join(folder), &[]).unwrap().items
}

fn counts(items: &[Item]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item.category.as_str()).or_insert(0) += 1;
    }
    counts
}

fn with(items: &[Item], defect: &Defect) -> Vec<String> {
    items.iter().filter(|item| item.defects.contains(defect)).map(|item| item.id.clone()).collect()
}

fn gold(item: &Item) -> Option<&[ToolCall]> {
    match &item.expected {
        Expected::Calls(calls) => Some(calls),
        _ => None,
    }
}

#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn bfcl() {
    let items = items(Suite::Bfcl, "bfcl");
    let counts = counts(&items);
    for category in sparring_eval::bfcl::Category::ALL {
        assert_eq!(counts[category.name()], category.entries(), "{category}");
    }
    let with_answers = items.iter().filter(|item| match &item.expected {
        Expected::Bfcl(entry) => !entry.ground_truth.is_empty(),
        _ => false,
    });
    assert_eq!(with_answers.count(), 2501);
    assert_eq!(items.len(), 2501 + 240 + 884 + 16);
    // The types of the tool lists are JSON Schema's, and Java's arguments are texts.
    let java = items.iter().find(|item| item.id == "simple_java_1").unwrap();
    assert!(java.tools[0].parameters.values().all(|schema| schema["type"] == "string"));
    let python = items.iter().find(|item| item.id == "simple_python_0").unwrap();
    assert_eq!(python.tools[0].parameters_schema()["type"], "object");
    assert_eq!(
        items.iter().filter(|item| item.messages[0].role == Role::System).count(),
        41 + 1 + 37 + 1 + 1 + 11
    );
}

#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn toolalpaca() {
    let items = items(Suite::ToolAlpaca, "toolalpaca");
    assert_eq!(counts(&items), BTreeMap::from([("toolalpaca_real", 114), ("toolalpaca_simulated", 100)]));
    assert_eq!(with(&items, &Defect::UnreadableGold).len(), 6);
    let not_offered = with(&items, &Defect::NotOffered);
    assert_eq!(not_offered.iter().filter(|id| id.starts_with("toolalpaca_real")).count(), 6);
}

#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn seal_tools() {
    let items = items(Suite::SealTools, "seal_tools");
    let counts = counts(&items);
    assert_eq!(counts["in_domain_single"] + counts["out_domain_single"], 294);
    assert_eq!(counts["in_domain_single"] + counts["in_domain_multiple"], 700);
    assert_eq!(counts["out_domain_single"] + counts["out_domain_multiple"], 654);
    assert!(items.iter().all(|item| item.tools.len() >= 5));
    assert_eq!(with(&items, &Defect::Placeholder).len(), 57);
}

#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn api_bank() {
    let items = items(Suite::ApiBank, "api_bank/lv1-lv2-samples");
    assert_eq!(counts(&items), BTreeMap::from([("apibank_l1", 389), ("apibank_l2", 119)]));
    // On level 1 every call is on the tool list, by construction.
    assert!(with(&items, &Defect::NotOffered).iter().all(|id| id.starts_with("apibank_l2")));
    assert!(items.iter().any(|item| item.messages.iter().any(|turn| turn.role == Role::Tool)));
}

#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn hammer_and_unified_say_the_same() {
    let (hammer, unified) = (items(Suite::Hammer, "hammer_eval/original"), items(Suite::Unified, "unified"));
    let expected = [("apibank_l1", 399), ("apibank_l2", 127), ("sealtool", 294), ("toolalpaca", 114)];
    assert_eq!(counts(&hammer), BTreeMap::from(expected));
    assert_eq!(counts(&unified), BTreeMap::from(expected).into_iter().chain([("snips", 700)]).collect());
    let not_offered = with(&hammer, &Defect::NotOffered);
    assert_eq!(not_offered.iter().filter(|id| id.starts_with("apibank_l2")).count(), 6);
    assert_eq!(not_offered.iter().filter(|id| id.starts_with("toolalpaca")).count(), 6);
    assert_eq!(not_offered.len(), 12);
    let by_id: BTreeMap<_, _> = unified.iter().map(|item| (&item.id, item)).collect();
    for item in &hammer {
        let other = by_id[&item.id];
        assert_eq!(&item.expected, &other.expected, "{}", item.id);
        // Calls that were made before are fenced text in the unified form.
        for (turn, other) in item.messages.iter().zip(&other.messages) {
            assert!(
                turn == other || !turn.tool_calls.is_empty() && other.content.starts_with("```"),
                "{}",
                item.id
            );
        }
        assert_eq!(item.messages.len(), other.messages.len(), "{}", item.id);
        let tool_list = |item: &Item| -> Vec<(String, Vec<String>, Vec<Value>)> {
            let tool = |t: &sparring_tools::ToolSpec| {
                let schema = t.parameters_schema();
                let types =
                    t.parameters.keys().map(|name| schema["properties"][name]["type"].clone()).collect();
                (t.name.clone(), t.required.clone(), types)
            };
            item.tools.iter().map(tool).collect()
        };
        assert_eq!(tool_list(item), tool_list(other), "{}", item.id);
    }
}

#[test]
#[ignore = "needs SPARRING_SHARED, the folder of recorded references"]
fn snips_as_in_the_unified_form() {
    let (snips, unified) = (items(Suite::Snips, "snips/validate"), items(Suite::Unified, "unified"));
    assert_eq!(snips.len(), 700);
    let unified: Vec<_> = unified.iter().filter(|item| item.category == "snips").collect();
    for (item, other) in snips.iter().zip(unified) {
        assert_eq!((&item.id, gold(item), &item.messages), (&other.id, gold(other), &other.messages));
    }
}
