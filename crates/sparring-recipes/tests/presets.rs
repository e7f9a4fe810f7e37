//! Every preset loads, builds and has the right settings; errors in extending files keep their position.

// Helpers of tests may fail loudly.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Numbers are read from text, not computed.
#![allow(clippy::float_cmp)]

use sparring_recipes::RecipeError;
use sparring_recipes::tool_r0::{Preset, ToolR0Config, Verifier};
use sparring_reward::solve_rate::Shoulders;
use sparring_selfplay::{Order, Weights};

fn load(name: &str) -> ToolR0Config {
    Preset::load(name).expect(name)
}

#[test]
fn every_preset_loads_builds_and_survives_a_round_trip() {
    assert_eq!(Preset::all().len(), 10);
    for preset in Preset::all() {
        let config = load(preset.name());
        config.clone().build().unwrap();
        let text = config.to_toml().unwrap();
        let again = ToolR0Config::from_toml(&text, "again.toml").unwrap();
        assert_eq!(again, config, "{}", preset.name());
    }
}

#[test]
fn the_corrected_preset_is_the_default() {
    let (corrected, mut default) = (load("corrected"), ToolR0Config::default());
    assert_eq!(corrected.game, default.game);
    assert_eq!(corrected.generator_reward, default.generator_reward);
    assert_eq!(corrected.solver_reward, default.solver_reward);
    default.spec.validate().unwrap();
    default.spec.domains.clear();
    assert!(default.validate().is_err());
}

/// Section 10 of the specification: where paper and released code differ.
#[test]
fn paper_released_and_corrected_differ_where_they_should() {
    let (paper, released, corrected) = (load("paper"), load("released"), load("corrected"));
    let kl = |c: &ToolR0Config| (c.self_play.generator.grpo.kl.coef, c.self_play.solver.grpo.kl.coef);
    assert_eq!([kl(&paper), kl(&released)], [(0.01, 0.01), (0.0, 0.0)]);
    assert_eq!([paper.self_play.iterations, released.self_play.iterations], [3, 5]);
    assert_eq!([paper.self_play.solver.max_tokens, released.self_play.solver.max_tokens], [4096, 2048]);
    assert_eq!(
        [paper.self_play.solver.order, released.self_play.solver.order],
        [Order::EasyToHard, Order::Shuffled]
    );
    let weights = |c: &ToolR0Config| {
        let r = &c.generator_reward;
        [r.format, r.validity, r.difficulty, r.semantic]
    };
    assert_eq!(weights(&paper), [3.0, 1.0, 1.0, 1.0]);
    assert_eq!(weights(&released), [1.0, 1.0, 0.5, 0.5]);
    assert_eq!(weights(&corrected), weights(&released));
    let verifier = |c: &ToolR0Config| c.game.verifier;
    assert_eq!(verifier(&paper), Verifier::EveryCall);
    assert_eq!(verifier(&released), Verifier::FirstCall);
    assert_eq!(verifier(&corrected), Verifier::EveryCall);
    assert!(corrected.game.enforce_spec && !paper.game.enforce_spec && !released.game.enforce_spec);
    assert!(corrected.game.derive_no_call && !paper.game.derive_no_call && !released.game.derive_no_call);
    let sized = |c: &ToolR0Config| c.game.stratify_arguments;
    assert!(sized(&corrected) && !sized(&paper) && !sized(&released));
    assert!(corrected.game.shuffle_tools && !paper.game.shuffle_tools && !released.game.shuffle_tools);
    let gated = |c: &ToolR0Config| c.solver_reward.accuracy_rules.matcher.gate_on_name;
    assert!(gated(&corrected) && !gated(&paper) && !gated(&released));
    assert!(corrected.game.structure.grounding.is_some() && released.game.structure.grounding.is_none());
    assert!(released.game.structure.reject_cjk && !corrected.game.structure.reject_cjk);
    assert_eq!(released.self_play.pool.verify_temperature, 0.001);
    for config in [&paper, &released, &corrected] {
        let pool = &config.self_play.pool;
        assert_eq!(
            (pool.candidates, pool.size, config.self_play.generator.probe_samples),
            (10_000, 2_000, 8)
        );
        let (g, s) = (&config.self_play.generator, &config.self_play.solver);
        assert_eq!((g.steps, g.prompts_per_step, g.group_size), (50, 6, 4));
        assert_eq!((s.steps, s.prompts_per_step, s.group_size), (50, 8, 4));
    }
}

#[test]
fn ablations_change_one_thing() {
    let base = load("corrected");
    let check = |name: &str, undo: fn(&mut ToolR0Config)| {
        let mut config = load(name);
        assert_ne!(config, base, "{name} changes nothing");
        undo(&mut config);
        assert_eq!(config, base, "{name} changes more");
    };
    check("shared-weights", |c| {
        assert_eq!(c.self_play.weights, Weights::Shared);
        c.self_play.weights = Weights::Separate;
    });
    check("frozen-generator", |c| {
        assert!(!c.self_play.generator.train);
        c.self_play.generator.train = true;
    });
    check("no-difficulty", |c| {
        assert_eq!(c.generator_reward.difficulty, 0.0);
        c.generator_reward.difficulty = 0.5;
    });
    check("rectangular-band", |c| {
        assert_eq!(c.generator_reward.band.shoulders, Shoulders::Rectangular);
        c.generator_reward.band.shoulders = Shoulders::Gaussian;
    });
}

#[test]
fn errors_name_file_line_and_field() {
    let cases = [
        ("extends = \"nope\"", "no preset `nope`"),
        ("extends = 3", "my.toml:1: `extends`"),
        ("\n[spec]\ndomain = []", "my.toml:3: "),
        ("[self_play.generator]\n\nsteps = \"ten\"", "my.toml:3: self_play.generator.steps"),
        ("[self_play.generator]\n\nsteps = 0", "my.toml:3: self_play.generator.steps: 0: "),
        ("[generator_reward]\nformat = -1", "my.toml:2: generator_reward.format: -1"),
        ("[generator_reward.band]\nsigma = 0.0", "my.toml:2: generator_reward.band.sigma: must"),
        ("[spec]\nmulti_turn = 2", "my.toml:2: spec.multi_turn"),
        (
            "extends = \"paper\"\n[self_play.solver.grpo.kl]\ncoef = -1",
            "my.toml:3: self_play.solver.grpo.kl.coef: -1.0: must",
        ),
        ("[game\n", "my.toml:1: "),
    ];
    for (text, expected) in cases {
        let error = ToolR0Config::from_toml(text, "my.toml").unwrap_err().to_string();
        assert!(error.starts_with(expected) || error.contains("no preset `nope`"), "{text:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn an_unknown_preset_lists_the_known_ones() {
    let error = Preset::load("papers").unwrap_err();
    assert!(matches!(error, RecipeError::UnknownPreset { .. }));
    assert!(error.to_string().contains("paper, released, corrected"));
}

#[test]
fn a_file_changes_only_what_it_names() {
    let text = "extends = \"released\"\n[self_play.pool]\nsize = 7\n\
        [[prompts.generator]]\nrole = \"user\"\ncontent = \"{{ domain }}\"\n\
        [[prompts.solver]]\nrole = \"user\"\ncontent = \"{{ question }}\"\n";
    let config = ToolR0Config::from_toml(text, "my.toml").unwrap();
    assert_eq!(config.self_play.pool.size, 7);
    assert_eq!(config.self_play.pool.candidates, 10_000);
    assert_eq!(config.self_play.iterations, 5);
    assert_eq!(config.prompts.unwrap().generator.len(), 1);
}
