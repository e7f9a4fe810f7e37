use super::*;
use crate::store::disk::fault::{fail_after, never_wait};
use crate::{Epochs, Evaluation, TrainConfig, Trainer, Watch};
use sparring_core::{Message, Rollout, SamplingParams, Seed, reward_fn};
use sparring_testkit::ToyPolicy;
use std::collections::BTreeMap;

/// The fields of a protobuf message: number, and the bytes or the number (fixed ones as their bits).
fn fields(mut data: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let varint = |data: &mut &[u8]| {
        let (mut n, mut shift) = (0, 0);
        loop {
            let byte = data[0];
            *data = &data[1..];
            n |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return n;
            }
        }
    };
    let mut found = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data);
        let length = match key & 7 {
            0 => {
                found.push((key >> 3, varint(&mut data).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            5 => 4,
            2 => varint(&mut data) as usize,
            wire => panic!("wire type {wire}"),
        };
        found.push((key >> 3, data[..length].to_vec()));
        data = &data[length..];
    }
    found
}

type Curves = BTreeMap<String, Vec<(u64, f32)>>;

/// What TensorBoard shows of a run: `event_accumulator.py` drops what has the step of a restart, or a later one.
fn shown(dir: &Path) -> (Curves, usize) {
    let mut paths: Vec<_> =
        fs::read_dir(dir.join("tensorboard")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut curves = Curves::new();
    for path in &paths {
        let bytes = fs::read(path).unwrap();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let event = fields(&rest[12..12 + length]);
            rest = &rest[16 + length..];
            let step = event.iter().find(|(field, _)| *field == 2);
            let step = step.map_or(0, |(_, n)| u64::from_le_bytes(n[..].try_into().unwrap()));
            for (field, data) in event {
                match field {
                    7 => curves.values_mut().for_each(|curve| curve.retain(|(at, _)| *at < step)),
                    5 => {
                        for (_, value) in fields(&data) {
                            let value = fields(&value);
                            let tag = String::from_utf8(value[0].1.clone()).unwrap();
                            let number = f32::from_le_bytes(value[1].1[..].try_into().unwrap());
                            curves.entry(tag).or_default().push((step, number));
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    curves.retain(|tag, _| !tag.ends_with("tokens_per_second"));
    (curves, paths.len())
}

/// Begins or resumes a run in `dir`.
fn train(dir: &Path) -> bool {
    never_wait();
    let (mut policy, watch) = (ToyPolicy::new("ab", Seed::new(1)), Watch::default());
    let same = |task: &String, out: &Rollout| out.text == *task;
    let letters = || ["a", "b"].map(String::from).to_vec();
    let sampling = SamplingParams::default().with_max_tokens(1);
    let config = TrainConfig::default().with_steps(8).with_lr(0.1).with_sampling(sampling);
    let plan = config.with_checkpoint_every(3).with_evaluate_every(2).build().unwrap();
    let prompt = |task: &String| vec![Message::user(task.clone())];
    let reward = reward_fn("same", move |task: &String, out: &Rollout| Some(f32::from(same(task, out))));
    let mut trainer = Trainer::new(plan, &mut policy, Epochs::new(letters()), prompt, reward, Seed::new(1))
        .with_solved(same)
        .with_evaluation(Evaluation::greedy("heldout", letters()))
        .with_observer(TensorBoard::new(dir).with_meter(watch.meter.clone()))
        .with_watch(watch);
    if dir.join("run.json").exists() { trainer.resume(dir) } else { trainer.run(dir) }.is_ok()
}

#[test]
fn an_interrupted_run_shows_the_curves_of_an_uninterrupted_one() {
    let whole = tempfile::tempdir().unwrap();
    assert!(train(whole.path()));
    let (curves, files) = shown(whole.path());
    assert_eq!(files, 1);
    let steps = |tag: &str| curves[tag].iter().map(|point| point.0).collect::<Vec<_>>();
    for tag in ["train/reward", "train/components/same", "train/solve_rate", "train/lr", "train/grad_norm"] {
        assert_eq!(steps(tag), (0..8).collect::<Vec<_>>(), "{tag}");
    }
    assert_eq!(steps("evaluation/heldout_accuracy"), [0, 2, 4, 6, 8]);
    for writes in (20..).step_by(3) {
        let dir = tempfile::tempdir().unwrap();
        fail_after(Some(writes));
        let ended = train(dir.path());
        fail_after(None);
        if ended {
            assert!(writes > 45, "only {writes} writes");
            break;
        }
        assert!(train(dir.path()));
        assert_eq!(shown(dir.path()), (curves.clone(), 2), "killed at write {writes}");
    }
}
