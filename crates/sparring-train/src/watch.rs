//! What a run shares with those who watch it: whether it is to stop, and what it has sampled.

use crate::TrainError;
use sparring_core::{PolicyError, Rollout, SampleRequest, Sampler};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Asks a run to stop, from another thread or a signal handler. Clones are the same flag.
///
/// A run looks at it before it samples, at most a few hundred completions at a time. It then writes a checkpoint,
/// unless the newest one is as good, and returns [`TrainError::Stopped`]; an update that has begun to learn is finished
/// first. The run can be resumed as after any other interruption.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// For loops of your own.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] if somebody asked to stop.
    pub fn check(&self) -> Result<(), TrainError> {
        if self.is_requested() { Err(TrainError::Stopped) } else { Ok(()) }
    }
}

impl From<Arc<AtomicBool>> for StopFlag {
    /// The flag that a signal handler sets.
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }
}

/// Counts what was sampled. Clones are the same counter.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    completions: AtomicU64,
    tokens: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What was sampled up to some moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// Completions.
    pub completions: u64,
    /// Their tokens; 0 for those of a sampler that does not know its tokens.
    pub tokens: u64,
    /// Time in the sampler.
    pub time: Duration,
}

impl Reading {
    /// Tokens a second of sampling since an `earlier` reading; `None` if none were sampled.
    pub fn speed_since(&self, earlier: &Self) -> Option<f64> {
        let (tokens, time) = (self.tokens.checked_sub(earlier.tokens)?, self.time.checked_sub(earlier.time)?);
        (tokens > 0 && !time.is_zero()).then(|| tokens as f64 / time.as_secs_f64())
    }
}

impl Meter {
    /// A counter at 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The counts now.
    pub fn read(&self) -> Reading {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let time = Duration::from_nanos(load(&self.0.nanoseconds));
        Reading { completions: load(&self.0.completions), tokens: load(&self.0.tokens), time }
    }

    fn add(&self, answers: &[Result<Vec<Rollout>, PolicyError>], time: Duration) {
        let (mut completions, mut tokens) = (0, 0);
        for rollout in answers.iter().flatten().flatten() {
            completions += 1;
            tokens += rollout.tokens.len() as u64;
        }
        let add = |count: &AtomicU64, more: u64| count.fetch_add(more, Ordering::Relaxed);
        add(&self.0.completions, completions);
        add(&self.0.tokens, tokens);
        add(&self.0.nanoseconds, time.as_nanos() as u64);
    }
}

/// A stop flag and a meter, to wrap samplers in.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Asks to stop.
    pub stop: StopFlag,
    /// Counts.
    pub meter: Meter,
}

impl Watch {
    /// The sampler, watched: what it samples is counted, and once somebody asked to stop it fails with
    /// [`PolicyError::Stopped`].
    pub fn over<'s>(&'s self, sampler: &'s dyn Sampler) -> Watched<'s> {
        Watched { sampler, watch: self }
    }
}

/// A sampler that counts and can be stopped: see [`Watch::over`].
pub struct Watched<'s> {
    sampler: &'s dyn Sampler,
    watch: &'s Watch,
}

impl std::fmt::Debug for Watched<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("watch", self.watch).finish_non_exhaustive()
    }
}

impl Sampler for Watched<'_> {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        if self.watch.stop.is_requested() {
            return vec![Err(PolicyError::Stopped); requests.len()];
        }
        let began = Instant::now();
        let answers = self.sampler.sample(requests);
        self.watch.meter.add(&answers, began.elapsed());
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring_core::{SamplingParams, Seed};
    use sparring_testkit::ToyPolicy;

    #[test]
    fn it_counts_until_it_is_stopped() {
        let (watch, toy) = (Watch::default(), ToyPolicy::new("ab", Seed::new(1)));
        let params = SamplingParams::default().with_max_tokens(3);
        let requests = crate::requests((0..2).map(|_| vec![1]), 4, &params, Seed::new(1));
        let sampler = watch.over(&toy);
        assert_eq!(sampler.sample_all(&requests).unwrap(), toy.sample_all(&requests).unwrap());
        let first = watch.meter.read();
        assert!(first.completions == 8 && (8..=24).contains(&first.tokens), "{first:?}");
        assert!(first.speed_since(&Reading::default()).is_some());
        assert_eq!(first.speed_since(&first), None);
        watch.clone().stop.request();
        let stopped = crate::sample(&sampler, "policy", &requests, |_| {});
        assert!(matches!(stopped, Err(TrainError::Stopped)), "{stopped:?}");
        assert_eq!(watch.meter.read(), first);
    }
}
