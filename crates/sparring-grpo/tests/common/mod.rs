//! Instrumented learners, and rollouts with given numbers.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]
use sparring_core::{
    Learner, PolicyError, Prompt, Rollout, SampleRequest, Sampler, SamplingParams, Scorer, Seed, StepReport,
    TokenBatch, TokenGradients, TokenLoss, TokenStats,
};
use sparring_testkit::ToyPolicy;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// The toy policy, with its calls counted; one call of `accumulate` can be made to fail.
#[derive(Debug)]
pub struct Spy {
    pub toy: ToyPolicy,
    pub scores: AtomicUsize,
    pub calls: usize,
    pub tokens: Vec<usize>,
    pub steps: usize,
    pub discards: usize,
    pub fail: Option<(usize, Failure)>,
}

/// How a call fails.
#[derive(Debug, Clone, Copy)]
pub enum Failure {
    /// Token `.0` of the call has no log-probability.
    Nan(usize),
    /// The loss gets one token too few.
    Short,
    /// The backend reports an error.
    Error,
}

impl Spy {
    pub fn new(toy: ToyPolicy) -> Self {
        let scores = AtomicUsize::new(0);
        Self { toy, scores, calls: 0, tokens: Vec::new(), steps: 0, discards: 0, fail: None }
    }

    pub fn scores(&self) -> usize {
        self.scores.load(Ordering::Relaxed)
    }
}

struct Faulty<'a>(&'a dyn TokenLoss, Failure);

impl TokenLoss for Faulty<'_> {
    fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        let mut logp = stats.logp.to_vec();
        match self.1 {
            Failure::Nan(token) => logp[token] = f32::NAN,
            _ => drop(logp.pop()),
        }
        self.0.evaluate(TokenStats::new(&logp, stats.entropy), gradients)
    }
}

impl Scorer for Spy {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        self.scores.fetch_add(1, Ordering::Relaxed);
        self.toy.score(batch)
    }
}

impl Learner for Spy {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError> {
        self.calls += 1;
        self.tokens.push(batch.completion_tokens());
        match self.fail {
            Some((call, Failure::Error)) if call == self.calls => Err(PolicyError::invalid("no")),
            Some((call, failure)) if call == self.calls => self.toy.accumulate(batch, &Faulty(loss, failure)),
            _ => self.toy.accumulate(batch, loss),
        }
    }

    fn step(&mut self, lr: f64) -> Result<StepReport, PolicyError> {
        self.steps += 1;
        self.toy.step(lr)
    }

    fn reset(&mut self) {
        self.toy.reset();
    }

    fn discard(&mut self) {
        self.discards += 1;
        self.toy.discard();
    }
}

/// A toy over four letters.
pub fn toy() -> ToyPolicy {
    ToyPolicy::new("abcd", Seed::new(11))
}

/// `prompts` groups of `n` completions of up to `max_tokens` tokens.
pub fn rollouts(toy: &ToyPolicy, prompts: u32, n: usize, max_tokens: usize) -> Vec<Vec<Rollout>> {
    let requests: Vec<SampleRequest> = (0..prompts)
        .map(|p| {
            SampleRequest::new(
                Prompt::Tokens([1 + p % 4, 1 + p / 4, 2].into()),
                n,
                SamplingParams::default().with_max_tokens(max_tokens),
                Seed::new(5).index(u64::from(p)),
            )
        })
        .collect();
    toy.sample_all(&requests).unwrap()
}

/// Rewards that differ within every group and depend on the position only.
pub fn varied(groups: &[Vec<Rollout>]) -> Vec<Vec<Option<f32>>> {
    let reward = |g: usize, i: usize| Some(((g * 7 + i * 5) % 4) as f32 * 0.5 + i as f32 * 0.01);
    groups.iter().enumerate().map(|(g, group)| (0..group.len()).map(|i| reward(g, i)).collect()).collect()
}

/// A rollout with these tokens and log-probabilities.
pub fn rollout(tokens: Vec<u32>, logp: Vec<f32>) -> Rollout {
    Rollout::from_text("").with_tokens([0], tokens).with_logp(logp)
}

/// A buffer of log lines.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What `f` logs.
pub fn logged(f: impl FnOnce()) -> String {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, f);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}
