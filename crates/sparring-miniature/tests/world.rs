//! What the world promises: enough tools, clean splits, sound labels, fixed test sets.

use proptest::prelude::*;
use sparring_core::Seed;
use sparring_miniature::{Document, DocumentMix, Intent, Part, Split, TaskFamily, TaskShape, TestSet, World};
use sparring_tools::{ToolTask, structure};
use std::collections::HashSet;

fn names<'a>(tools: impl IntoIterator<Item = &'a sparring_miniature::Action>) -> HashSet<String> {
    tools.into_iter().map(|t| t.name().to_owned()).collect()
}

#[test]
fn there_are_enough_tools_and_the_splits_are_disjoint() {
    let world = World::new();
    let (training, held_out) = (names(world.training()), names(world.held_out()));
    assert!(training.len() > 100 && held_out.len() >= 30, "{} and {}", training.len(), held_out.len());
    assert!(training.is_disjoint(&held_out));
}

#[test]
fn held_out_verbs_and_objects_are_known_from_training_tools() {
    let world = World::new();
    let part = |tools: &HashSet<String>, i: usize| -> HashSet<String> {
        tools.iter().filter_map(|n| n.splitn(2, '_').nth(i).map(str::to_owned)).collect()
    };
    let (training, held_out) = (names(world.training()), names(world.held_out()));
    for i in 0..2 {
        assert!(part(&held_out, i).is_subset(&part(&training, i)));
    }
}

#[test]
fn only_catalogues_show_held_out_tools() {
    let world = World::new();
    let held_out = names(world.held_out());
    let mut catalogued = HashSet::new();
    for i in 0..6000 {
        let tool_list: Vec<String> = match world.document(&DocumentMix::default(), Seed::new(5).index(i)) {
            Document::Catalogue(tools) => {
                catalogued.extend(tools.into_iter().map(|t| t.name));
                continue;
            }
            Document::Proposal { task, .. }
            | Document::Answer { task, .. }
            | Document::Prose { task, .. } => task
                .tools
                .iter()
                .map(|t| t.name.clone())
                .chain(task.calls.iter().map(|c| c.name.clone()))
                .collect(),
            Document::Manual { tools, examples } => {
                let called = examples.into_iter().flat_map(|(.., calls)| calls).map(|call| call.name);
                tools.into_iter().map(|tool| tool.name).chain(called).collect()
            }
            Document::Index { tools, entries } => {
                let named = entries.into_iter().flat_map(|(_, intents)| intents).filter_map(|i| i.tool);
                tools.into_iter().map(|tool| tool.name).chain(named).collect()
            }
            // Words and values, no names of tools.
            Document::Requests(_) => continue,
            other => panic!("a kind of document that this test does not know: {other:?}"),
        };
        assert!(tool_list.iter().all(|name| !held_out.contains(name)), "{tool_list:?}");
    }
    assert!(held_out.is_subset(&catalogued));
}

fn argument_problems(task: &ToolTask) -> Vec<String> {
    let by_name = |name: &str| task.tools.iter().find(|t| t.name == name);
    task.calls
        .iter()
        .filter_map(|call| match by_name(&call.name) {
            None => Some(format!("{} is not on the tool list", call.name)),
            Some(tool) => tool.validate(call).err().map(|p| format!("{p:?}")),
        })
        .collect()
}

/// A mix of pages alone: this share of indexes, the rest manuals.
fn pages(index: f64) -> DocumentMix {
    let mut mix = DocumentMix::default();
    (mix.catalogue, mix.requests, mix.index, mix.manuals, mix.solver) = (0.0, 0.0, index, 1.0 - index, 0.0);
    mix
}

proptest! {
    #[test]
    fn manuals_are_right(seed: u64) {
        let mix = pages(0.0);
        let Document::Manual { tools, examples } = World::new().document(&mix, Seed::new(seed)) else {
            return Err(TestCaseError::fail("not a manual"));
        };
        prop_assert!(!tools.is_empty() && examples.len() == 4);
        for (question, intents, calls) in examples {
            let planned: Vec<&str> = intents.iter().filter_map(|i| i.tool.as_deref()).collect();
            prop_assert_eq!(planned, calls.iter().map(|c| c.name.as_str()).collect::<Vec<_>>());
            let task = ToolTask { question, tools: tools.clone(), calls, domain: String::new() };
            prop_assert_eq!(argument_problems(&task), Vec::<String>::new());
            let rules = structure::StructureRules::corrected();
            prop_assert!(structure::check(&task, &rules).is_ok(), "{:?}", structure::check(&task, &rules));
        }
    }

    #[test]
    fn indexes_are_right(seed: u64) {
        let mix = pages(1.0);
        let Document::Index { tools, entries } = World::new().document(&mix, Seed::new(seed)) else {
            return Err(TestCaseError::fail("not an index"));
        };
        prop_assert!(entries.len() == 8);
        for (wish, intents) in entries {
            prop_assert_eq!(wish.split(" and ").count(), intents.len());
            for Intent { wanted, tool } in intents {
                // What is wanted is served exactly where a tool of its name is on the page.
                let name = wanted.replace(' ', "_");
                prop_assert_eq!(tool, tools.iter().any(|t| t.name == name).then_some(name));
            }
        }
    }

    #[test]
    fn documents_of_wrong_shares_are_refused_by_name(share in prop_oneof![-9.0..-0.1, 1.1..9.0, Just(f64::NAN)]) {
        let mut mix = DocumentMix::default();
        mix.solver_wrong = share;
        prop_assert!(mix.validate().unwrap_err().to_string().contains("solver_wrong"));
        mix = DocumentMix::default();
        (mix.manuals, mix.solver) = (0.7, 0.7);
        prop_assert!(mix.validate().unwrap_err().to_string().contains("more than 1"));
        prop_assert!(DocumentMix::default().validate().is_ok());
    }

    #[test]
    fn tasks_have_the_shape_asked_for_and_sound_labels(
        seed: u64, tools in 3_usize..6, calls in 0_usize..3, held_out: bool, multi_turn: bool,
    ) {
        let shape = TaskShape::new(tools, calls);
        let shape = if multi_turn && calls == 1 { shape.as_conversation() } else { shape };
        let split = if held_out { Split::HeldOut } else { Split::Training };
        let task = World::new().task(split, shape, Seed::new(seed));
        prop_assert_eq!((task.tools.len(), task.calls.len()), (tools, calls));
        prop_assert_eq!(argument_problems(&task), Vec::<String>::new());
        let distinct: HashSet<&str> = task.tools.iter().map(|t| t.name.as_str()).collect();
        prop_assert_eq!(distinct.len(), tools);
        let rules = structure::StructureRules::corrected();
        prop_assert!(structure::check(&task, &rules).is_ok(), "{:?}", structure::check(&task, &rules));
    }
}

#[test]
fn pages_have_as_many_near_misses_as_the_mix_says() {
    let mix = pages(1.0);
    let (world, mut wishes, mut missing) = (World::new(), 0, 0);
    for i in 0..400 {
        let Document::Index { tools, entries } = world.document(&mix, Seed::new(8).index(i)) else {
            panic!()
        };
        for (_, intents) in entries {
            wishes += 1;
            for intent in intents.iter().filter(|intent| intent.tool.is_none()) {
                missing += 1;
                let (verb, object) = intent.wanted.split_once(' ').unwrap();
                let near = |name: &str| name.starts_with(verb) || name.ends_with(object);
                assert!(tools.iter().any(|tool| near(&tool.name)), "{intent}");
            }
        }
    }
    let share = f64::from(missing) / f64::from(wishes);
    assert!((share - mix.pages_no_call).abs() < 0.04, "{share}");
}

/// FNV-1a over the test sets' JSON: their tasks are part of the interface, so a change must be deliberate.
#[test]
fn test_sets_are_fixed() {
    let world = World::new();
    let digest = |set: TestSet| {
        let text = serde_json::to_string(&set.tasks(&world)).unwrap();
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    };
    let pinned = [5_124_391_374_246_981_387, 12_579_594_864_609_864_676, 10_354_231_307_711_243_174];
    assert_eq!(TestSet::ALL.map(digest), pinned);
}

#[test]
fn test_sets_are_about_what_they_say() {
    let world = World::new();
    let (training, held_out) = (names(world.training()), names(world.held_out()));
    let called = |set: TestSet| -> HashSet<String> {
        set.tasks(&world).into_iter().flat_map(|t| t.calls).map(|c| c.name).collect()
    };
    assert!(called(TestSet::HeldOut).is_subset(&held_out) && called(TestSet::HeldOut).len() >= 30);
    assert!(called(TestSet::Familiar).is_subset(&training));
    assert!(called(TestSet::NoCall).is_empty());
    assert!(TestSet::HeldOut.tasks(&world).len() >= 500);
}

#[test]
fn families_share_neither_tools_nor_wording() {
    let world = World::new();
    let (training, held_out) = (names(world.training()), names(world.held_out()));
    let tools = |family: TaskFamily, part: Part| -> HashSet<String> {
        family.tasks(&world, part, 200).into_iter().flat_map(|t| t.tools).map(|tool| tool.name).collect()
    };
    let called = |family: TaskFamily, part: Part| -> HashSet<String> {
        family.tasks(&world, part, 200).into_iter().flat_map(|t| t.calls).map(|call| call.name).collect()
    };
    for part in [Part::Train, Part::Validation, Part::Test] {
        assert!(tools(TaskFamily::Errands, part).is_disjoint(&tools(TaskFamily::Leisure, part)));
    }
    for family in TaskFamily::ALL {
        assert_eq!(family.other().other(), family);
        assert!(tools(family, Part::Train).is_subset(&training));
        assert!(tools(family, Part::Validation).is_subset(&training));
        assert!(called(family, Part::Test).is_subset(&held_out) && called(family, Part::Test).len() > 20);
        let tasks = |part| family.tasks(&world, part, 100);
        assert!(tasks(Part::Train).iter().all(|task| !tasks(Part::Validation).contains(task)));
        for task in family.tasks(&world, Part::Test, 100) {
            assert_eq!(argument_problems(&task), Vec::<String>::new());
            let rules = structure::StructureRules::corrected();
            assert!(structure::check(&task, &rules).is_ok(), "{task:?}");
        }
        let calls: Vec<usize> = tasks(Part::Test).iter().map(|task| task.calls.len()).collect();
        assert!((0..3).all(|n| calls.contains(&n)));
    }
    let first = |family: TaskFamily| family.tasks(&world, Part::Train, 300);
    let framed =
        |task: &ToolTask| task.question.starts_with("My task for today") || task.question.contains(": ");
    assert!(!first(TaskFamily::Errands).iter().any(framed) && first(TaskFamily::Leisure).iter().any(framed));
}

/// As the test sets', the families' tasks are part of the interface.
#[test]
fn families_are_fixed() {
    let world = World::new();
    let digest = |family: TaskFamily| {
        let text = serde_json::to_string(&family.tasks(&world, Part::Test, 400)).unwrap();
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    };
    assert_eq!(TaskFamily::ALL.map(digest), [1_137_482_110_508_063_723, 10_925_139_877_653_119_727]);
}
