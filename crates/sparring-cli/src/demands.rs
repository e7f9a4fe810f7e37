//! What a run will need: the model's speed, by a short trial on a copy that is thrown away, and the memory.

use crate::models::Model;
use sparring::core::{BoxError, Prompt, Rollout, SampleRequest, SamplingParams, Seed, one_line};
use sparring::grpo::GrpoConfig;
use sparring::grpo::advantage::Baselines;
use sparring::train::progress::Bar;
use sparring::train::{Demands, Score, Scored, Speed, Updater, show_memory};
use std::path::Path;
use std::time::{Duration, Instant};

/// Completions of each prompt of a trial.
const GROUP: usize = 4;
/// Their length; completions are drawn to their end only if that is expected to take less than [`LONG`].
const TOKENS: usize = 16;
const LONG: Duration = Duration::from_secs(3);

/// The run that is asked about.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    /// Some prompts of the run, with the token limit of their completions.
    pub(crate) prompts: Vec<(Prompt, usize)>,
    /// Rank of the adapters.
    pub(crate) lora: Option<usize>,
    /// Models that learn, those of them that have an optimiser at the same time, and frozen copies.
    pub(crate) learners: usize,
    pub(crate) optimizers: usize,
    pub(crate) references: usize,
    /// Prompts and completions of the largest update.
    pub(crate) update: (usize, usize),
    pub(crate) grpo: &'a GrpoConfig,
    pub(crate) threads: usize,
}

/// Warns of too little memory, and tries the model; a run that is over, or of which nothing can be tried, needs no
/// estimate. The trial changes nothing that the run does.
pub(crate) fn measure(dir: &Path, base: &Model, run: &Planned<'_>) -> Option<Demands> {
    if dir.join("summary.json").exists() || run.prompts.is_empty() {
        return None;
    }
    // A large model may take a while even for this.
    let bar = Bar::new("trying the model", 2);
    let measured = try_model(base, run, &bar);
    drop(bar);
    measured.inspect_err(|error| eprintln!("note: no estimate of the time: {}", one_line(&**error))).ok()
}

fn try_model(base: &Model, run: &Planned<'_>, bar: &Bar) -> Result<Demands, BoxError> {
    let seed = Seed::new(0).child("trial");
    let trained = match run.lora {
        Some(_) => base.copy(run.lora, seed)?.parameter_count(),
        None => base.parameter_count(),
    };
    let mut prompt = 0;
    for (text, _) in &run.prompts {
        prompt += base.tokenizer().encode_prompt(text)?.len();
    }
    let memory = memory(base, run, trained as f64, prompt as f64 / run.prompts.len() as f64) as u64;
    if let Some(machine) = machine_memory().filter(|machine| *machine < memory) {
        let (needed, there) = (show_memory(memory), show_memory(machine));
        bar.line(&format!(
            "warning: the run needs about {needed} of memory, but the machine has {there}: train adapters \
             (--lora), fewer or shorter completions, or a smaller model"
        ));
    }
    let mut copy = base.copy(run.lora, seed)?;
    let (groups, mut speed) = sampling(&copy, run, seed)?;
    bar.add(1, "");
    learning(&mut copy, &groups, &mut speed)?;
    Ok(Demands::new(speed, Some(memory)))
}

type Groups = Vec<Vec<Rollout>>;

/// Times the first token, some tokens, and whole completions if they are short.
fn sampling(model: &Model, run: &Planned<'_>, seed: Seed) -> Result<(Groups, Speed), BoxError> {
    let draw = |most: usize| -> Result<(Groups, f64, f64), BoxError> {
        let request = |(prompt, limit): &(Prompt, usize)| {
            let params = SamplingParams::default().with_max_tokens(most.min(*limit));
            SampleRequest::new(prompt.clone(), GROUP, params, seed)
        };
        let requests: Vec<SampleRequest> = run.prompts.iter().map(request).collect();
        let began = Instant::now();
        let groups = model.sampler().sample_all(&requests)?;
        let tokens = groups.iter().flatten().map(|out| out.tokens.len()).sum::<usize>();
        Ok((groups, tokens as f64, began.elapsed().as_secs_f64()))
    };
    let prompts = run.prompts.len() as f64;
    let (_, first, first_seconds) = draw(1)?;
    let (mut groups, mut tokens, mut seconds) = draw(TOKENS)?;
    let limits = run.prompts.iter().map(|(_, limit)| (limit * GROUP) as f64).sum::<f64>();
    let mut length = None;
    if limits * seconds / tokens.max(1.0) < LONG.as_secs_f64() {
        (groups, tokens, seconds) = draw(usize::MAX)?;
        length = Some(tokens / limits);
    }
    let more = tokens - first;
    // A clock too coarse for a small model, or one-token answers, leave the mean.
    let token = if more > 0.0 && seconds > first_seconds {
        (seconds - first_seconds) / more
    } else {
        seconds / tokens.max(1.0)
    };
    let mut speed = Speed::default();
    (speed.token, speed.length) = (token, length);
    speed.prompt = ((seconds - token * tokens) / prompts).max(0.0);
    Ok((groups, speed))
}

/// Times one update on what was sampled; a prompt token counts like another.
fn learning(model: &mut Model, groups: &Groups, speed: &mut Speed) -> Result<(), BoxError> {
    let updater = Updater::new(GrpoConfig::default().build()?);
    let alternate =
        |group: &Vec<Rollout>| Score::from_rewards((0..group.len()).map(|i| Some((i % 2) as f32)).collect());
    let scored: Scored = groups.iter().map(alternate).collect();
    let began = Instant::now();
    updater.update(model.policy_mut(), None, groups, &scored, &mut Baselines::default(), 1e-6)?;
    let prompts: usize = groups.iter().filter_map(|group| group.first()).map(|out| out.prompt.len()).sum();
    let tokens: usize = groups.iter().flatten().map(|out| out.tokens.len()).sum();
    speed.learned_token = began.elapsed().as_secs_f64() / (prompts + tokens).max(1) as f64;
    speed.learned_prompt = speed.learned_token * prompts as f64 / groups.len().max(1) as f64;
    Ok(())
}

/// Bytes, by the table of docs/backend.md.
fn memory(base: &Model, run: &Planned<'_>, trained: f64, prompt: f64) -> f64 {
    let c = base.config();
    let (layers, hidden) = (c.num_hidden_layers as f64, c.hidden_size as f64);
    let heads = |n: usize| (n * c.head_dim) as f64;
    let (attention, kv) = (heads(c.num_attention_heads), heads(c.num_key_value_heads));
    let qkv = attention + 2.0 * kv;
    let (all, learners) = (base.parameter_count() as f64, run.learners as f64);
    let cpu = matches!(base, Model::Cpu(_));
    // The packed weights of the CPU's sampler; gradients of each of its two shards.
    let (packed, shards) = if cpu { (4.0, 2.0) } else { (0.0, 1.0) };
    let weights = match run.lora {
        Some(_) => (4.0 + packed) * all + 4.0 * trained * learners,
        None => 4.0 * all * (1.0 + learners) + packed * all * (learners - 1.0).max(0.0),
    };
    // One of the models has gradients at a time.
    let optimizers = run.optimizers as f64;
    let learning = (4.0 * shards + 8.0 * optimizers) * trained;
    let references = run.references as f64 * (4.0 + packed) * trained;
    let limit = run.prompts.iter().map(|(_, limit)| *limit).max().unwrap_or_default() as f64;
    let (prompts, completions) = (run.update.0 as f64, run.update.1 as f64);
    let rows = (prompts * prompt + completions * limit).min(run.grpo.micro_batch_tokens as f64 + prompt);
    let row = if cpu { 3.0 * hidden + qkv + attention + 2.0 * c.intermediate_size as f64 } else { hidden };
    let sequences = if cpu { completions.min(64.0 * run.threads as f64) } else { completions };
    let cache = 8.0 * layers * kv * (sequences * limit + prompts * prompt);
    let recorded = 4.0 * layers * (2.0 * hidden + qkv + attention) * (prompts * prompt + completions * limit);
    let recorded = if cpu { recorded.min(512.0 * 1024.0 * 1024.0) * optimizers } else { 0.0 };
    weights + learning + references + 4.0 * layers * row * rows + cache + recorded
}

/// Bytes of memory of this machine, or of the control group that the process is confined to; known on Linux only.
fn machine_memory() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = total.split_whitespace().next()?.parse::<u64>().ok()? * 1024;
    let confined = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    Some(confined.and_then(|text| text.trim().parse().ok()).map_or(total, |limit: u64| limit.min(total)))
}
