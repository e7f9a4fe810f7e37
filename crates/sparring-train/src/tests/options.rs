use super::*;
use crate::{Score, Scored, Updater, majority, requests, sample, sample_where_possible};
use sparring_core::{
    BoxError, Component, PolicyError, Prompt, Reward, RewardContext, SampleRequest, Sampler, one_line,
    sum_components,
};
use sparring_grpo::advantage::Baselines;
use sparring_grpo::{Adpo, AdvantageKind, GrpoConfig};

type Scores = Result<Vec<Option<f32>>, BoxError>;

/// Two parts of very different size: the letter, and that there is one.
struct Parts;

impl Reward<String> for Parts {
    fn name(&self) -> &'static str {
        "parts"
    }

    fn score(
        &self,
        task: &String,
        group: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        Ok(sum_components(self.name(), &self.components(task, group, ctx)?, group.len())?)
    }

    fn components(
        &self,
        task: &String,
        group: &[Rollout],
        _: &RewardContext<'_>,
    ) -> Result<Vec<Component>, BoxError> {
        let part = |f: &dyn Fn(&Rollout) -> f32| group.iter().map(|out| Some(f(out))).collect();
        let small = part(&|out| 0.01 * f32::from(repeated(task, out)));
        Ok(vec![("letter".into(), small), ("length".into(), part(&|out| out.text.len() as f32))])
    }
}

#[test]
fn dynamic_sampling_replaces_groups_without_an_advantage() {
    // One letter in two is paid alike whatever the answer: those groups carry nothing.
    let reward = || {
        reward_fn("half", |task: &String, out: &Rollout| {
            Some(f32::from(task < &"c".into() && repeated(task, out)))
        })
    };
    let run = |rounds: usize| {
        let (mut policy, plan) = (toy(), dynamic(config(), rounds).build().unwrap());
        let source = Epochs::new(letters());
        let mut trainer = Trainer::new(plan, &mut policy, source, prompt, reward(), Seed::new(3));
        std::iter::from_fn(|| trainer.step().unwrap()).collect::<Vec<_>>()
    };
    let plain = run(0);
    assert!(plain.iter().all(|step| step.record.drawn == 3 && step.record.rounds == 1));
    assert!(plain.iter().any(|step| step.record.update.zero_advantage_groups > 0));
    let dynamic = run(8);
    assert!(dynamic.iter().all(|step| step.record.update.zero_advantage_groups == 0));
    assert!(dynamic.iter().any(|step| step.record.rounds > 1 && step.record.drawn > 3));
    assert!(dynamic.iter().all(|step| step.tasks.iter().all(|task| task < &"c".into())));
    assert!(
        run(1).iter().all(|step| step.record.rounds == 1 && step.record.drawn == 3),
        "rounds are bounded"
    );
}

/// Two parts that differ within a group, though their sum never does.
#[test]
fn advantages_by_parts_are_judged_by_the_parts() {
    struct Opposed;
    impl Reward<String> for Opposed {
        fn name(&self) -> &'static str {
            "opposed"
        }
        fn score(&self, task: &String, group: &[Rollout], ctx: &RewardContext<'_>) -> Scores {
            Ok(sum_components(self.name(), &self.components(task, group, ctx)?, group.len())?)
        }
        fn components(
            &self,
            task: &String,
            group: &[Rollout],
            _: &RewardContext<'_>,
        ) -> Result<Vec<Component>, BoxError> {
            let part = |sign: f32| {
                group.iter().map(|out| Some(sign * f32::from(repeated(task, out)))).collect::<Vec<_>>()
            };
            Ok(vec![("for".into(), part(1.0)), ("against".into(), part(-1.0))])
        }
    }
    let drawn = |advantage: AdvantageKind| {
        let mut config = dynamic(config(), 2);
        config.grpo.advantage = advantage;
        if advantage == AdvantageKind::NormalizeThenSum {
            config.part_weights.insert("against".into(), 0.5);
        }
        let mut policy = toy();
        let plan = config.build().unwrap();
        let source = Epochs::new(letters());
        let mut trainer = Trainer::new(plan, &mut policy, source, prompt, Opposed, Seed::new(3));
        trainer.step().unwrap().unwrap()
    };
    assert!(drawn(AdvantageKind::NormalizeThenSum).record.update.steps > 0);
    assert_eq!(drawn(AdvantageKind::GroupStd).groups.len(), 0);
}

#[test]
fn an_update_without_any_advantage_changes_nothing() {
    let mut policy = toy();
    let constant = reward_fn("constant", |_: &String, _: &Rollout| Some(2.0));
    let plan = dynamic(config().with_steps(2), 2).build().unwrap();
    let mut trainer = Trainer::new(plan, &mut policy, Epochs::new(letters()), prompt, constant, Seed::new(1));
    let step = trainer.step().unwrap().unwrap();
    assert_eq!(
        (step.groups.len(), step.record.drawn, step.record.reward),
        (0, 6, 2.0),
        "the reward is no collapse"
    );
    assert_eq!(step.record.update.steps, 0);
    drop(trainer);
    assert_eq!(policy, toy());
}

#[test]
fn keyed_advantages_need_a_key_and_use_it() {
    let mut whitening = config();
    whitening.grpo.advantage = AdvantageKind::KeyedWhitening;
    let run = |key: Option<fn(&String) -> String>| {
        let (mut policy, plan) = (toy(), whitening.clone().build().unwrap());
        let reward = reward_fn("r", |task: &String, out: &Rollout| Some(f32::from(repeated(task, out))));
        let mut trainer =
            Trainer::new(plan, &mut policy, Epochs::new(letters()), prompt, reward, Seed::new(3));
        if let Some(key) = key {
            trainer = trainer.with_key(key);
        }
        while trainer.step()?.is_some() {}
        drop(trainer);
        Ok::<_, TrainError>(policy)
    };
    let error = run(None).unwrap_err().to_string();
    assert!(error.contains("grpo.advantage") && error.contains("with_key"), "{error}");
    let (own, one) = (run(Some(Clone::clone)).unwrap(), run(Some(|_| "all".to_owned())).unwrap());
    assert_ne!(own, one);
    assert_ne!(own, toy());
}

#[test]
fn parts_are_normalised_each_by_itself() {
    let run = |kind: AdvantageKind, weights: &[(&str, f64)]| {
        let mut config = config().with_steps(60);
        config.grpo.advantage = kind;
        config.part_weights = weights.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
        let (mut policy, plan) = (toy(), config.build().unwrap());
        let source = Epochs::new(letters());
        let mut trainer =
            Trainer::new(plan, &mut policy, source, prompt, Parts, Seed::new(3)).with_solved(repeated);
        let steps: Vec<_> = std::iter::from_fn(|| trainer.step().unwrap()).collect();
        assert_eq!(steps[0].record.components.keys().collect::<Vec<_>>(), ["letter", "length"]);
        steps[steps.len() - 5..].iter().filter_map(|step| step.record.solve_rate).sum::<f32>() / 5.0
    };
    // In the sum, the letter is a hundredth of the length; normalised, it counts as much.
    let (summed, normalised) =
        (run(AdvantageKind::GroupMean, &[]), run(AdvantageKind::NormalizeThenSum, &[]));
    assert!(normalised > summed + 0.2, "{normalised} and {summed}");
    let off = run(AdvantageKind::NormalizeThenSum, &[("letter", 0.0)]);
    assert!(normalised > off + 0.2, "a weight of 0 takes the letter out: {normalised} and {off}");
}

#[test]
fn a_weight_of_no_component_is_refused() {
    let mut config = config();
    config.grpo.advantage = AdvantageKind::NormalizeThenSum;
    config.part_weights.insert("leter".to_owned(), 0.5);
    let (mut policy, plan) = (toy(), config.build().unwrap());
    let mut trainer = Trainer::new(plan, &mut policy, Epochs::new(letters()), prompt, Parts, Seed::new(3));
    let error = one_line(&trainer.step().unwrap_err());
    assert!(
        error.contains(r#"no reward component "leter""#) && error.contains(r#"{"length", "letter"}"#),
        "{error}"
    );
}

#[test]
fn adpo_needs_a_consistency_and_scales_by_it() {
    let adpo = config().with_steps(6).with_adpo(Some(Adpo::default()));
    let run = |p: Option<f64>| {
        let (mut policy, plan) = (toy(), adpo.clone().build().unwrap());
        let reward = reward_fn("r", |task: &String, out: &Rollout| Some(f32::from(repeated(task, out))));
        let mut trainer =
            Trainer::new(plan, &mut policy, Epochs::new(letters()), prompt, reward, Seed::new(3));
        if let Some(p) = p {
            trainer = trainer.with_consistency(move |_, _| p);
        }
        let first = trainer.step()?.unwrap();
        assert!(first.scored.groups.iter().all(|score| score.consistency == p));
        Ok::<_, TrainError>(first.record.update.advantage_max)
    };
    assert!(run(None).unwrap_err().to_string().contains("with_consistency"));
    let (unsure, sure) = (run(Some(0.2)).unwrap(), run(Some(1.0)).unwrap());
    assert!((unsure - 0.6 * sure).abs() < 1e-6, "{unsure} of {sure}");
    let texts = ["b", "a", "b", ""].map(Rollout::from_text);
    let answers = texts.iter().map(|out| (!out.text.is_empty()).then_some(&out.text));
    assert_eq!(majority(answers), Some((2, 0)));
}

#[test]
fn the_reference_is_fixed_or_refreshed() {
    let kl = |reference: ReferenceKind| {
        let mut config = config().with_steps(9).with_lr(0.3).with_reference(reference);
        config.grpo.kl.coef = 1e-6;
        let mut policy = toy();
        let mut trainer = trainer(config, &mut policy, 7);
        std::iter::from_fn(|| trainer.step().unwrap())
            .map(|step| step.record.update.kl.unwrap())
            .collect::<Vec<_>>()
    };
    let (fixed, refreshed) = (kl(ReferenceKind::Fixed), kl(ReferenceKind::Refreshed { every: 3 }));
    assert_eq!(fixed[..3], refreshed[..3]);
    for step in [0, 3, 6] {
        assert!(refreshed[step].abs() < 1e-9, "the reference is the policy itself: {refreshed:?}");
    }
    assert!(fixed[3] > 1e-6 && refreshed[4] > 1e-9, "{fixed:?} and {refreshed:?}");
}

/// Rates reach the reward of their completion, and the record; a function that miscounts is named.
#[test]
fn solve_rates_are_those_of_their_completions() {
    let rate = |out: &Rollout| (out.text != "d").then(|| f32::from(out.text == "a"));
    let plan = config().with_steps(2).build().unwrap();
    let mut policy = toy();
    let mut trainer =
        Trainer::new(plan.clone(), &mut policy, Epochs::new(letters()), prompt, Given, Seed::new(7))
            .with_solve_rates(|_, groups, _| {
                Ok(groups.iter().map(|g| g.iter().map(rate).collect()).collect())
            });
    while let Some(step) = trainer.step().unwrap() {
        let rates: Vec<Option<f32>> = step.groups.iter().flatten().map(rate).collect();
        let rewards: Vec<Option<f32>> =
            step.scored.groups.iter().flat_map(|s| s.rewards.iter().copied()).collect();
        assert_eq!(rewards, rates);
        assert!(step.record.solve_rate.is_some_and(|mean| (0.0..=1.0).contains(&mean)));
    }
    drop(trainer);
    let mut trainer = Trainer::new(plan, &mut policy, Epochs::new(letters()), prompt, Given, Seed::new(7))
        .with_solve_rates(|_, groups, _| Ok(vec![vec![None]; groups.len()]));
    let error = one_line(&trainer.step().unwrap_err());
    assert!(error.contains("update 0") && error.contains("number of rates"), "{error}");
}

/// Pays the solve rate.
struct Given;

impl Reward<String> for Given {
    fn name(&self) -> &'static str {
        "given"
    }

    fn score(
        &self,
        _: &String,
        _: &[Rollout],
        ctx: &RewardContext<'_>,
    ) -> Result<Vec<Option<f32>>, BoxError> {
        Ok(ctx.solve_rates.to_vec())
    }
}

/// Refuses every prompt of no tokens.
struct NoEmptyPrompt;

impl Sampler for NoEmptyPrompt {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        let answer = |request: &SampleRequest| match &request.prompt {
            Prompt::Tokens(tokens) if tokens.is_empty() => Err(PolicyError::invalid("no tokens")),
            _ => Ok(vec![Rollout::from_text("yes"); request.n]),
        };
        requests.iter().map(answer).collect()
    }
}

#[test]
fn an_invalid_prompt_has_its_number_among_all_requests() {
    let prompts = (0..1300).map(|i| vec![1; usize::from(i != 1234)]);
    let requests = requests(prompts, 1, &SamplingParams::default(), Seed::new(1));
    let error = sample(&NoEmptyPrompt, "policy", &requests, |_| {}).unwrap_err();
    assert!(one_line(&error).contains("sample request 1234: no tokens"), "{error}");
    let mut calls = Vec::new();
    let groups = sample_where_possible(&NoEmptyPrompt, "policy", &requests, |done| calls.push(done)).unwrap();
    assert_eq!(groups.iter().position(Option::is_none), Some(1234));
    // A small call first: how long would a large one take?
    assert_eq!(calls, [64, 576, 1088, 1300]);
}

#[test]
fn groups_and_scores_have_to_match() {
    let mut policy = toy();
    let params = SamplingParams::default().with_max_tokens(1);
    let groups = sample(&policy, "policy", &requests([vec![1]], 2, &params, Seed::new(1)), |_| {}).unwrap();
    let updater = Updater::new(GrpoConfig::default().build().unwrap());
    let none = Scored::default();
    let error = updater.update(&mut policy, None, &groups, &none, &mut Baselines::default(), 0.1);
    assert!(error.unwrap_err().to_string().contains("1 groups but 0 scores"));
    let short: Scored = [Score::from_rewards(vec![Some(1.0)])].into_iter().collect();
    let error = updater.update(&mut policy, None, &groups, &short, &mut Baselines::default(), 0.1);
    assert!(one_line(&error.unwrap_err()).contains("2 completions but 1 rewards"));
}

#[test]
fn settings_survive_their_file_and_mistakes_name_their_field() {
    let text = toml::to_string_pretty(&stateful()).unwrap();
    assert_eq!(TrainConfig::from_toml(&text, "x.toml").unwrap(), stateful());
    let cases = [
        ("steps = 0", "steps = 0"),
        ("group_size = 0", "group_size = 0"),
        ("prompts_per_step = 0", "prompts_per_step = 0"),
        ("checkpoint_every = 0", "checkpoint_every = 0"),
        ("checkpoints_kept = 0", "checkpoints_kept = 0"),
        ("lr = nan", "lr = NaN"),
        ("lr = 1e300", "must be a number greater than 0, at most 1000000"),
        ("steps = 1000000000000", "steps = 1000000000000: must be at most 1000000"),
        ("group_size = 4000000000000", "group_size = 4000000000000: must be at most 10000"),
        (
            "group_size = 10000\nprompts_per_step = 1000",
            "prompts_per_step * group_size = 10000000: must be at most",
        ),
        ("evaluate_every = 2000000000", "evaluate_every = 2000000000: must be at most"),
        ("[sampling]\nmax_tokens = 1000000000000", "sampling.max_tokens = 1000000000000: must be at most"),
        ("[sampling]\ntop_k = 1000000000000", "sampling.top_k = 1000000000000: must be at most"),
        ("[sampling]\ntemperature = 1e300", "sampling.temperature = inf: must be a number from 0 to 1000"),
        ("[sampling]\ntemperature = nan", "sampling.temperature = NaN: must be a number from 0 to 1000"),
        ("[grpo]\nepochs = 1000000000000", "grpo.epochs = 1000000000000: must be at most"),
        ("[sampling]\ntop_p = 2.0", "sampling.top_p"),
        ("[sampling]\ntemperature = 0.0", "sampling.temperature = 0"),
        ("[grpo]\nepochs = 0", "grpo.epochs = 0"),
        ("reference = { kind = \"fixed\" }", "reference = Fixed"),
        ("part_weights = { x = inf }\ngrpo = { advantage = \"normalize_then_sum\" }", "part_weights.x = inf"),
        ("part_weights = { x = 1.0 }", "part_weights.x = 1"),
        ("lr_schedule = { kind = \"linear\", to = -1.0 }", "lr_schedule.to = -1"),
        ("[grpo]\nexpert_gamma = 0.1", "grpo.expert_gamma = 0.1"),
        ("[grpo]\ntemperature = 0.5", "grpo.temperature = 0.5"),
        (
            "sampling = { max_tokens = 8 }\ngrpo = { soft_overlong = { max = 16, cache = 8 } }",
            "never applies to completions of at most 8 tokens",
        ),
        ("adpo = { min_scale = 1.5 }", "adpo.min_scale = 1.5"),
        ("adpo = { extra_clip = -1.0 }", "adpo.extra_clip = -1"),
        ("adpo = {}\ngrpo = { loss = \"vespo\" }", "needs a loss that clips"),
    ];
    for (text, wanted) in cases {
        let error = TrainConfig::from_toml(text, "x.toml").unwrap().build().unwrap_err().to_string();
        assert!(error.contains(wanted), "{text:?} gave {error:?}");
    }
    let error = TrainConfig::from_toml("lr = 0.1\nsteppes = 3\n", "my.toml").unwrap_err().to_string();
    assert!(error.starts_with("my.toml, line 2: ") && error.contains("steppes"), "{error}");
}

#[test]
fn records_keep_their_kind_and_rates_are_shares() {
    let dir = tempfile::tempdir().unwrap();
    for (i, (record, wanted)) in [
        (serde_json::json!({ "kind": "mine" }), "the field `kind` is taken"),
        (serde_json::json!(3), "must be an object"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut policy = toy();
        let mut trainer = trainer(config(), &mut policy, 7)
            .with_recorder(move |_, journal| journal.record("my_record", &record));
        let error = trainer.run(dir.path().join(i.to_string())).unwrap_err().to_string();
        assert!(error.contains("my_record") && error.contains(wanted), "{error}");
    }
    let mut policy = toy();
    let mut trainer = trainer(config(), &mut policy, 7).with_solve_rates(|_, groups, _| {
        Ok(groups.iter().map(|group| vec![Some(f32::NAN); group.len()]).collect())
    });
    let error = one_line(&trainer.step().unwrap_err());
    assert!(error.contains("NaN, which is not in [0, 1]"), "{error}");
}
