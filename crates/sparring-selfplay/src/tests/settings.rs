use super::*;

#[test]
fn defaults_are_checked_and_survive_their_file() {
    let config = SelfPlayConfig::default();
    config.validate().unwrap();
    let text = toml::to_string_pretty(&config).unwrap();
    assert_eq!(SelfPlayConfig::from_toml(&text, "x.toml").unwrap(), config);
}

#[test]
fn every_mistake_names_its_field() {
    let cases = [
        ("iterations = 0", "iterations = 0"),
        ("checkpoint_every = 0", "checkpoint_every = 0"),
        ("[generator]\nsteps = 0", "generator.steps = 0"),
        ("[generator]\ngroup_size = 1", "generator.group_size = 1"),
        ("[generator]\ntemperature = 0.0", "generator.temperature = 0"),
        ("[generator]\nlr = -1.0", "generator.lr = -1"),
        ("[generator.grpo]\nepochs = 0", "generator.grpo"),
        (
            "[generator.grpo]\nmax_completion_tokens = 9",
            "generator.grpo.max_completion_tokens = 9: has no effect",
        ),
        ("[solver.grpo.dynamic_sampling]\nmax_rounds = 2", "does not resample groups"),
        ("[solver]\nprompts_per_step = 0", "solver.prompts_per_step = 0"),
        ("[solver]\nlr = nan", "solver.lr = NaN"),
        ("[pool]\ncandidates = 0", "pool.candidates = 0"),
        ("[pool]\nsize = 0", "pool.size = 0"),
        ("[pool]\ncandidates = 1000000000000", "pool.candidates = 1000000000000: must be at most 1000000"),
        ("[pool]\nverify_samples = 1000000000000", "pool.verify_samples = 1000000000000: must be at most"),
        ("[pool]\ncandidates = 1000000\nverify_samples = 10000", "pool.candidates * pool.verify_samples = "),
        ("[pool]\nmin_likelihood = inf", "pool.min_likelihood = inf"),
        ("iterations = 1000000000000", "iterations = 1000000000000: must be at most"),
        ("[generator]\ngroup_size = 4000000000000", "generator.group_size = 4000000000000: must be at most"),
        (
            "[generator]\nprobe_samples = 1000000000000",
            "generator.probe_samples = 1000000000000: must be at most",
        ),
        (
            "[generator]\nprobe_temperature = 1e300",
            "generator.probe_temperature = inf: must be a number from",
        ),
        ("[solver]\nmax_tokens = 1000000000000", "solver.max_tokens = 1000000000000: must be at most"),
        (
            "[solver.imitation]\ntasks_per_step = 1000000000000",
            "solver.imitation.tasks_per_step = 1000000000000",
        ),
        ("[solver]\ntemperature = nan", "solver.temperature = NaN: must be a number from"),
        ("[pool]\nreplay = 0.5\nderived_share = 0.5", "pool.replay = 0.5"),
        ("[pool.keep]\nmin_rate = 0.9\nmax_rate = 0.1", "pool.keep.min_rate = 0.9"),
        ("[pool.mix]\neasy = 0.0\nmedium = 0.0\nhard = 0.0", "pool.mix.easy = 0"),
        ("[pool.mix]\nhard = -0.1", "pool.mix.hard = -0.1"),
        ("[pool.mix]\nhard_below = 0.9", "pool.mix.hard_below = 0.9"),
    ];
    for (text, wanted) in cases {
        let error = SelfPlayConfig::from_toml(text, "x.toml").unwrap().build().unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?} gave {error:?}");
    }
}

#[test]
fn a_loss_that_needs_the_longest_completion_takes_the_samplers_limit() {
    let text = "[solver]\nmax_tokens = 77\n[solver.grpo]\nloss = \"dr_grpo\"";
    let plan = SelfPlayConfig::from_toml(text, "x.toml").unwrap().build().unwrap();
    assert_eq!(plan.solver_updater.grpo().config().max_completion_tokens, Some(77));
    assert_eq!(plan.generator_updater.grpo().config().max_completion_tokens, None);
}

#[test]
fn an_unknown_field_names_file_and_line() {
    let error = SelfPlayConfig::from_toml("iterations = 2\n[pool]\ncandidate = 3\n", "my.toml").unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("my.toml, line 3: ") && text.contains("candidate"), "{text}");
}

#[test]
fn evaluations_are_checked() {
    let run =
        |evaluation| game(tiny_config()).with_evaluation(evaluation).run("unused").unwrap_err().to_string();
    assert!(run(Evaluation::greedy("heldout", evaluation_tasks())).contains("two evaluations"));
    assert!(run(Evaluation::greedy("held out", evaluation_tasks())).contains("letters, digits"));
    assert!(run(Evaluation::greedy("none", Vec::new())).contains("at least one task"));
    assert!(run(Evaluation::sampled("cold", evaluation_tasks(), -1.0, 1)).contains("temperature"));
}
