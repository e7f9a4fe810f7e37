use super::*;
use crate::report::sections::{drift, policy};
use crate::summary::DriftNote;
use crate::{Report, write_report};
use sparring_core::{BoxError, Event, one_line, task_source_fn};
use sparring_grpo::UpdateReport;

#[test]
fn it_learns_measures_and_writes_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let mut policy = toy();
    let summary = trainer(config().with_steps(40), &mut policy, 7).run(dir.path()).unwrap();
    assert!(summary.reward_last > summary.reward_first, "{summary:?}");
    assert!(summary.last["heldout_accuracy"].as_f64() > summary.base["heldout_accuracy"].as_f64());
    assert_eq!((summary.steps, summary.reward.len(), summary.solve_rate.len()), (40, 40, 40));
    let text = std::fs::read_to_string(dir.path().join("summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<TrainSummary>(&text).unwrap(), summary);
    let page = std::fs::read_to_string(write_report(dir.path()).unwrap()).unwrap();
    for heading in ["Result", "Accuracy", "Training", "before and after", "Settings", "<svg"] {
        assert!(page.contains(heading), "{heading}");
    }
    assert!(!page.contains("not finished"));
}

#[test]
fn a_report_has_sections_of_ones_own() {
    let dir = tempfile::tempdir().unwrap();
    trainer(config(), &mut toy(), 7).run(dir.path()).unwrap();
    let path = Report::open(dir.path())
        .unwrap()
        .with_render(|task| format!("<{}>", task.as_str().unwrap()))
        .with_section("Mine", |records| format!("<p>{} records</p>", records.of("my_tasks").count()))
        .write()
        .unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("<h2>Mine</h2>") && page.contains("<p>12 records</p>"));
    assert!(page.contains("&lt;a&gt;"), "tasks as they are rendered");
    assert!(page.contains("svg role=\"img\""));
    let error = Report::open(dir.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("run.json"), "{error}");
}

#[test]
fn drift_is_recorded_drawn_and_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    trainer(config(), &mut toy(), 7).run(dir.path()).unwrap();
    let steps = records(dir.path(), "step");
    assert!(steps.iter().all(|step| step["update"]["drift_mean"].is_f64()));
    let steps: Vec<&serde_json::Value> = steps.iter().collect();
    assert!(policy(&steps).contains("sampler drift"));
    assert_eq!(drift(&steps), "");
    let mut worse = steps[0].clone();
    worse["update"]["drifted"] = true.into();
    worse["update"]["drift_mean"] = 0.5.into();
    assert!(drift(&[steps[0], &worse]).contains("In 1 of 2 updates"));
}

/// The learner computes at the temperature of the sampling, which a run cannot get wrong; what cuts the distribution is
/// reported.
#[test]
fn a_run_learns_at_the_temperature_of_its_sampling() {
    let update = |sampling: SamplingParams| {
        let mut policy = toy();
        let mut trainer = trainer(config().with_sampling(sampling.with_max_tokens(1)), &mut policy, 7);
        let mut updates = std::iter::from_fn(|| trainer.step().unwrap()).map(|step| step.record.update);
        updates.find(|update| update.steps > 0).unwrap()
    };
    for temperature in [0.5, 1.0, 1.5] {
        let update = update(SamplingParams::default().with_temperature(temperature));
        assert!(update.drift_max.unwrap() < 1e-4 && !update.drifted, "{update:?}");
    }
    let cut = update(SamplingParams::default().with_top_p(0.8));
    assert!(cut.drifted && cut.drift_mean.unwrap() > 0.05, "{cut:?}");
    let mut note = DriftNote::default();
    assert!(note.of(&cut).contains("the sampler drifted by"));
    let mut dropout = UpdateReport::default();
    (dropout.scoring_differs, dropout.scoring_gap_mean) = (true, Some(0.04));
    assert!(DriftNote::default().of(&dropout).contains("0.040 nats a token apart: is there dropout?"));
}

#[test]
fn evaluations_are_run_before_between_and_after_updates() {
    let end = uninterrupted(&config());
    let steps: Vec<usize> = end.summary.evaluations.iter().map(|row| row.step).collect();
    assert_eq!(steps, [0, 5, 10, 12]);
    let only_ends = uninterrupted(&config().with_evaluate_every(0));
    assert_eq!(only_ends.summary.evaluations.iter().map(|row| row.step).collect::<Vec<_>>(), [0, 12]);
    assert_eq!(only_ends.policy, end.policy, "measuring changes nothing");
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    assert_eq!(uninterrupted(&stateful()), uninterrupted(&stateful()));
    let mut other = toy();
    trainer(stateful(), &mut other, 8).run(tempfile::tempdir().unwrap().path()).unwrap();
    assert_ne!(other, uninterrupted(&stateful()).policy);
}

#[test]
fn steps_in_memory_are_the_steps_of_a_run() {
    let mut policy = toy();
    let mut trainer = trainer(stateful(), &mut policy, 7);
    let mut rewards = Vec::new();
    while let Some(step) = trainer.step().unwrap() {
        assert_eq!((step.tasks.len(), step.scored.groups.len()), (step.groups.len(), step.groups.len()));
        rewards.push(step.record.reward);
    }
    assert_eq!(rewards.len(), 12);
    drop(trainer);
    let end = uninterrupted(&stateful());
    assert_eq!((policy, rewards), (end.policy, end.summary.reward));
}

#[test]
fn old_checkpoints_go() {
    for kept in [1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let mut policy = toy();
        let config = config().with_checkpoint_every(1).with_checkpoints_kept(kept);
        trainer(config, &mut policy, 7).run(dir.path()).unwrap();
        let count = || std::fs::read_dir(dir.path().join("checkpoints")).unwrap().count();
        assert_eq!(count(), kept);
    }
    // The checkpoint with the reference model stays as well.
    let dir = tempfile::tempdir().unwrap();
    let mut fixed = config().with_checkpoint_every(1).with_reference(ReferenceKind::Fixed);
    fixed.grpo.kl.coef = 0.1;
    trainer(fixed, &mut toy(), 7).run(dir.path()).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(dir.path().join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // Thirteen were written: before the first update, after each but the last, and at the end.
    assert_eq!(names, ["000001", "000012", "000013"]);
}

#[test]
fn a_source_that_ends_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut policy = toy();
    fault::never_wait();
    let reward = reward_fn("any", |_: &String, out: &Rollout| Some(out.text.len() as f32));
    // Ten tasks: three updates of three, one of one.
    let source = task_source_fn(|i, _| Ok((i < 10).then(|| LETTERS[i as usize % 4].to_owned())));
    let plan = config().build().unwrap();
    let summary = Trainer::new(plan, &mut policy, source, prompt, reward, Seed::new(1))
        .with_solved(repeated)
        .with_evaluation(Evaluation::greedy("heldout", letters()))
        .run(dir.path())
        .unwrap();
    assert_eq!(summary.steps, 4);
    assert_eq!(records(dir.path(), "step")[3]["drawn"], 1);
    assert_eq!(summary.evaluations.last().unwrap().step, 4);
}

#[test]
fn failures_stop_the_run_by_name() {
    let fails = |reward: fn(&String, &Rollout) -> Option<f32>,
                 source: fn(u64) -> Result<Option<String>, BoxError>| {
        let mut policy = toy();
        let source = task_source_fn(move |i, _| source(i));
        let plan = config().build().unwrap();
        let reward = reward_fn("judge", reward);
        let mut trainer = Trainer::new(plan, &mut policy, source, prompt, reward, Seed::new(1));
        one_line(&trainer.run(tempfile::tempdir().unwrap().path()).unwrap_err())
    };
    let error = fails(|_, _| Some(f32::NAN), |_| Ok(Some("a".into())));
    assert!(error.starts_with("reward `judge` failed") && error.contains("not finite"), "{error}");
    let error =
        fails(|_, _| Some(1.0), |i| if i < 4 { Ok(Some("a".into())) } else { Err("no network".into()) });
    assert_eq!(error, "the task source failed at task 3: no network");
    let mut policy = toy();
    let reward = reward_fn("any", |_: &String, _: &Rollout| Some(1.0));
    let nothing = |_: &String| Vec::<Message>::new();
    let plan = config().build().unwrap();
    let mut trainer = Trainer::new(plan, &mut policy, Epochs::new(letters()), nothing, reward, Seed::new(1));
    let error = one_line(&trainer.step().unwrap_err());
    assert!(error.starts_with("the policy failed: ") && error.contains("empty"), "{error}");
}

#[test]
fn observers_get_everything_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut policy = toy();
    let (mut kinds, mut done, mut phases, mut units) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let observer = |event: Event<'_>| match event {
        Event::Record { kind, json } => {
            let record: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(record["kind"], kind);
            kinds.push(kind.to_owned());
        }
        Event::Progress { done: of_phase, note } => {
            assert!(of_phase <= units, "{note}: {of_phase} of {units}");
            if note.starts_with("reward") {
                done.push(of_phase);
            }
        }
        Event::PhaseStarted { phase, steps, iteration } => {
            units = steps;
            phases.push((phase.as_str(), steps, iteration));
        }
        Event::PhaseEnded { seconds, .. } => {
            assert!(seconds > 0.0);
            phases.push(("end", 0, 0));
        }
        _ => {}
    };
    trainer(config(), &mut policy, 7).with_observer(observer).run(dir.path()).unwrap();
    assert_eq!(done, (1..=12).collect::<Vec<_>>());
    // Evaluations before the first update, after the fifth and the tenth, and at the end: of 4 tasks each.
    let (train, end) = (("train", 12, 1), ("end", 0, 0));
    let [before, later] = [0, 1].map(|iteration| ("evaluate", 8, iteration));
    assert_eq!(
        phases,
        [[before, end, train, end], [later, end, train, end], [later, end, train, end]]
            .concat()
            .into_iter()
            .chain([later, end])
            .collect::<Vec<_>>()
    );
    assert_eq!(
        kinds.len(),
        std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap().lines().count()
    );
    assert_eq!(kinds.iter().filter(|kind| *kind == "step").count(), 12);
    assert_eq!(kinds.iter().filter(|kind| *kind == "evaluation").count(), 8);
}
