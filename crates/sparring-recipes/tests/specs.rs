//! The specification distribution has the marginals of Tool-R0.

// Helpers of tests may fail loudly.
#![allow(clippy::unwrap_used)]

use sparring_core::Seed;
use sparring_recipes::tool_r0::{CallsWeight, Context, CountRange, DOMAINS, SpecDistribution, TaskSpec};

const DRAWS: usize = 40_000;

fn draws(distribution: &SpecDistribution) -> Vec<TaskSpec> {
    distribution.validate().unwrap();
    (0..DRAWS as u64).map(|i| distribution.draw(Seed::new(5).index(i))).collect()
}

fn share(specs: &[TaskSpec], holds: impl Fn(&TaskSpec) -> bool) -> f64 {
    specs.iter().filter(|s| holds(s)).count() as f64 / specs.len() as f64
}

/// Within five standard errors of a binomial share.
#[track_caller]
fn assert_share(found: f64, expected: f64) {
    let error = (expected * (1.0 - expected) / DRAWS as f64).sqrt();
    assert!((found - expected).abs() < 5.0 * error, "{found} is not {expected}");
}

#[test]
fn marginals_are_those_of_the_paper() {
    let specs = draws(&SpecDistribution::default());
    assert_share(share(&specs, |s| s.context == Context::MultiTurn), 0.1);
    assert_share(share(&specs, |s| s.calls == 2), 0.18);
    // P(m = 2..8): .18 x {3: .3, 4: .4, 5: .3} + .82 x (.4/3 on 2..4, .6/4 on 5..8).
    let expected = [0.10933, 0.16333, 0.18133, 0.177, 0.123, 0.123, 0.123];
    for (m, p) in (2..=8).zip(expected) {
        assert_share(share(&specs, |s| s.tools == m), p);
    }
    for domain in DOMAINS {
        assert_share(share(&specs, |s| s.domain == domain), 1.0 / 32.0);
    }
    let mean = specs.iter().map(|s| s.tools as f64).sum::<f64>() / DRAWS as f64;
    assert!((mean - 4.90).abs() < 0.05, "{mean}");
}

#[test]
fn conditions_hold_in_every_draw() {
    for spec in draws(&SpecDistribution::default()) {
        assert!((2..=8).contains(&spec.tools));
        match (spec.context, spec.calls) {
            (Context::MultiTurn, n) => assert_eq!(n, 1),
            (_, 2) => assert!((3..=5).contains(&spec.tools)),
            (_, n) => assert_eq!(n, 1),
        }
    }
}

#[test]
fn domain_weights_and_no_call_specs_are_drawn_by_their_weight() {
    let mut distribution =
        SpecDistribution::default().with_domains(["a", "b", "c"]).with_multi_turn(0.0).with_calls(vec![
            CallsWeight {
                calls: 0,
                single_turn: 1.0,
                multi_turn: 0.0,
                tools: vec![CountRange::new(2, 2, 1.0)],
                arguments: Vec::new(),
            },
            CallsWeight {
                calls: 1,
                single_turn: 3.0,
                multi_turn: 0.0,
                tools: vec![CountRange::new(3, 4, 1.0)],
                arguments: vec![CountRange::new(1, 1, 3.0), CountRange::new(3, 3, 1.0)],
            },
        ]);
    distribution.domain_weights = vec![1.0, 0.0, 1.0];
    let specs = draws(&distribution);
    assert_share(share(&specs, |s| s.calls == 0), 0.25);
    assert_share(share(&specs, |s| s.domain == "a"), 0.5);
    assert!(specs.iter().all(|s| s.domain != "b" && (s.calls != 0 || s.tools == 2)));
    // Numbers of arguments are drawn if a row has any, and not requested otherwise.
    assert!(specs.iter().all(|s| s.arguments.is_some() == (s.calls == 1)));
    let sized: Vec<TaskSpec> = specs.into_iter().filter(|s| s.calls == 1).collect();
    assert_share(share(&sized, |s| s.arguments == Some(1)), 0.75);
    assert_share(share(&sized, |s| s.arguments == Some(3)), 0.25);
}

#[test]
fn a_draw_depends_on_its_seed_only() {
    let distribution = SpecDistribution::default();
    assert_eq!(distribution.draw(Seed::new(3)), distribution.draw(Seed::new(3)));
    let first = distribution.draw(Seed::new(0));
    assert!((1..50).any(|i| distribution.draw(Seed::new(i)) != first));
}

#[test]
fn wrong_distributions_are_named() {
    let row = |weight, from, to| CallsWeight {
        calls: 1,
        single_turn: weight,
        multi_turn: 1.0,
        tools: vec![CountRange::new(from, to, 1.0)],
        arguments: Vec::new(),
    };
    let mut sized = row(1.0, 1, 2);
    sized.arguments = vec![CountRange::new(2, 1, 1.0)];
    let base = SpecDistribution::default;
    let mut sized_without_calls = row(1.0, 1, 2);
    (sized_without_calls.calls, sized_without_calls.arguments) = (0, vec![CountRange::new(1, 1, 1.0)]);
    let cases: Vec<(SpecDistribution, &str)> = vec![
        (base().with_calls(vec![sized_without_calls]), "spec.calls.arguments"),
        (base().with_domains(Vec::<String>::new()), "spec.domains"),
        (base().with_multi_turn(1.5), "spec.multi_turn"),
        (base().with_calls(vec![row(-1.0, 1, 2)]), "spec.calls.single_turn"),
        (base().with_calls(vec![row(0.0, 1, 2)]), "spec.calls.single_turn"),
        (base().with_calls(vec![row(1.0, 3, 2)]), "spec.calls.tools"),
        (base().with_calls(vec![row(1.0, 0, 2)]), "spec.calls.tools"),
        (base().with_calls(vec![sized]), "spec.calls.arguments"),
        (base().with_calls(Vec::new()), "spec.calls"),
    ];
    for (distribution, field) in cases {
        let error = distribution.validate().unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
}
