//! Laws that hold for every text, value and list of calls.
mod support;

use proptest::prelude::*;
use sparring_tools::{
    Assignment, CallParser, Comparator, Dialect, Format, Matcher, PythonValues, RobustComparator, StrictJson,
    ToolCall, ToolSpec, match_calls, same_calls,
};
use support::{calls, similar_calls, text, value};

/// The parsers of formats that can hold any value under any key.
fn parsers() -> Vec<Box<dyn CallParser>> {
    let untyped = [
        Format::Qwen3Coder,
        Format::SeedOss,
        Format::Glm,
        Format::Glm47,
        Format::MiniMaxM2,
        Format::Step3,
        Format::Hy3,
        // Its names and keys have no escapes.
        Format::KimiK3,
    ];
    let python = [Format::Pythonic, Format::R1Python, Format::Lfm2];
    let all = Format::ALL.into_iter().filter(|format| !untyped.contains(format) && !python.contains(format));
    all.map(Format::parser).collect()
}

proptest! {
    #[test]
    fn comparators_are_reflexive_and_symmetric(a in value(), b in value()) {
        for comparator in [&RobustComparator as &dyn Comparator, &StrictJson, &PythonValues] {
            prop_assert!(comparator.equal(&a, &a), "{}", a);
            prop_assert_eq!(comparator.equal(&a, &b), comparator.equal(&b, &a));
            if StrictJson.equal(&a, &b) {
                prop_assert!(comparator.equal(&a, &b));
            }
        }
    }

    #[test]
    fn matching_is_reflexive(calls in calls()) {
        for assignment in [Assignment::Greedy, Assignment::Optimal] {
            let report = match_calls(&calls, &calls, &StrictJson, assignment);
            prop_assert!(report.exact(), "{report}");
            prop_assert_eq!((report.mean(), report.extra(), report.to_string()), (1.0, 0, "exact".to_owned()));
        }
    }

    #[test]
    fn score_is_in_the_unit_interval_and_1_means_exact(gold in similar_calls(), found in similar_calls()) {
        for gate in [true, false] {
            for assignment in [Assignment::Greedy, Assignment::Optimal] {
                let matcher = Matcher::default().with_gate_on_name(gate).with_assignment(assignment);
                let report = matcher.match_calls(&gold, &found, &RobustComparator);
                let score = report.score(0.25);
                prop_assert!((0.0..=1.0).contains(&score));
                prop_assert_eq!(score >= 1.0, report.exact());
                prop_assert_eq!(report.exact(), report.to_string() == "exact");
                prop_assert_eq!(report.calls.len(), gold.len());
            }
        }
    }

    #[test]
    fn optimal_does_not_depend_on_order_and_is_never_worse(
        (gold, turned) in similar_calls().prop_flat_map(|c| (Just(c.clone()), Just(c).prop_shuffle())),
        (found, mixed) in similar_calls().prop_flat_map(|c| (Just(c.clone()), Just(c).prop_shuffle())),
    ) {
        let mean = |gold: &[ToolCall], found: &[ToolCall], assignment| {
            match_calls(gold, found, &RobustComparator, assignment).mean()
        };
        let best = mean(&gold, &found, Assignment::Optimal);
        prop_assert!((best - mean(&turned, &mixed, Assignment::Optimal)).abs() < 1e-9);
        prop_assert!(best >= mean(&gold, &found, Assignment::Greedy) - 1e-9);
        prop_assert_eq!(same_calls(&gold, &found), same_calls(&turned, &mixed));
        prop_assert!(same_calls(&gold, &turned));
    }

    #[test]
    fn rendering_reads_back(calls in calls(), thought in "[a-z <]{0,12}") {
        for parser in parsers() {
            let text = parser.render(&calls);
            prop_assert_eq!(parser.parse(&text), Ok(calls.clone()), "{}: {}", parser.name(), &text);
            if parser.name() == Format::Harmony.name() {
                continue; // its text begins with the recipient
            }
            let text = format!("<think>{thought}</think>\n{text}\n");
            prop_assert_eq!(parser.parse(&text), Ok(calls.clone()), "{}: {}", parser.name(), &text);
        }
    }

    /// Python's keywords are identifiers; tags hold text, and what reads as JSON is JSON.
    #[test]
    fn rendering_reads_back_what_was_read(calls in calls(), typed in value(), key in "[a-z_]{1,6}") {
        let python = ToolCall::new("f.g", [(key.clone(), typed)]);
        for format in [Format::Pythonic, Format::R1Python, Format::Llama4, Format::Lfm2] {
            let text = format.parser().render(std::slice::from_ref(&python));
            prop_assert_eq!(format.parser().parse(&text), Ok(vec![python.clone()]), "{}", text);
        }
        for format in Format::ALL {
            if let Ok(read) = format.parser().parse(&format.parser().render(&calls)) {
                let text = format.parser().render(&read);
                prop_assert_eq!(format.parser().parse(&text), Ok(read), "{}: {}", format.name(), text);
            }
        }
    }

    #[test]
    fn parsers_never_panic_and_point_into_the_text(
        any in ".*",
        pieces in prop::collection::vec(text(), 0..8),
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        calls in calls(),
        cut in 0.0..1.0_f64,
    ) {
        for parser in parsers() {
            let whole = parser.render(&calls);
            let end = (0..=(whole.len() as f64 * cut) as usize).rev().find(|i| whole.is_char_boundary(*i));
            let broken = &whole[..end.unwrap_or(0)];
            for text in [&any, &pieces.concat(), &String::from_utf8_lossy(&bytes).into_owned(), &broken.to_owned()] {
                if let Err(error) = parser.parse(text) {
                    prop_assert!(error.offset() <= text.len(), "{error}");
                }
            }
        }
    }

    #[test]
    fn reading_never_panics(spec in value(), parameters in value()) {
        for spec in [spec, serde_json::json!({"name": "f", "parameters": parameters})] {
            let _ = ToolSpec::list_from_json(&spec);
            if let Ok(spec) = ToolSpec::from_json(&spec) {
                for dialect in Dialect::ALL {
                    let _ = spec.to_json(*dialect);
                }
            }
        }
    }

    #[cfg(feature = "validate")]
    #[test]
    fn validating_never_panics(parameters in value(), calls in calls()) {
        let spec = serde_json::json!({"name": "f", "parameters": {"a": parameters}});
        if let Ok(spec) = ToolSpec::from_json(&spec) {
            for call in calls {
                let _ = spec.validate(&call);
                let _ = spec.validate(&ToolCall::new("f", [("a", serde_json::Value::Object(call.arguments))]));
            }
        }
    }
}

#[test]
fn deep_nesting_is_an_error() {
    for bomb in ["[".repeat(1_000_000), "{\"a\":".repeat(200_000), "(".repeat(1_000_000)] {
        for text in
            [format!("<tool_call_answer>{bomb}</tool_call_answer>"), format!("<tool_call>{bomb}</tool_call>")]
        {
            assert!(
                parsers().iter().all(|parser| parser.parse(&text).map_or(true, |calls| calls.is_empty()))
            );
        }
    }
}
