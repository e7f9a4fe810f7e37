use super::{SampleRequest, Sampler};
use crate::{PolicyError, Rollout, Seed};
use std::fmt;
use std::time::Duration;

/// The number of attempts, and the waits between them.
///
/// The wait before attempt k + 1 is drawn uniformly from (0, min(`max`, `initial`·2^(k−1))]: exponential back-off with
/// full jitter, so that clients that failed together do not retry together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// Total number of attempts, including the first; at least 1.
    pub attempts: u32,
    /// Upper bound of the wait before the second attempt; it doubles with every further attempt.
    pub initial: Duration,
    /// Upper bound of every wait.
    pub max: Duration,
    /// Seed of the jitter; give clients of one server different seeds.
    pub seed: Seed,
}

impl Default for Backoff {
    /// Six attempts within about half a minute.
    fn default() -> Self {
        let (initial, max) = (Duration::from_secs(1), Duration::from_secs(30));
        Self { attempts: 6, initial, max, seed: Seed::new(0) }
    }
}

impl Backoff {
    /// Sets the total number of attempts.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// Sets the upper bound of the wait before the second attempt.
    #[must_use]
    pub fn with_initial(mut self, initial: Duration) -> Self {
        self.initial = initial;
        self
    }

    /// Sets the upper bound of every wait.
    #[must_use]
    pub fn with_max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// Sets the seed of the jitter.
    #[must_use]
    pub fn with_seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// Returns the wait after `failed` attempts (at least 1) of a request with this seed.
    pub fn wait(&self, failed: u32, request: Seed) -> Duration {
        let doubled =
            2_u32.checked_pow(failed.saturating_sub(1)).and_then(|times| self.initial.checked_mul(times));
        let seed = self.seed.child("retry").index(request.value()).index(u64::from(failed));
        // In (0, 1]: the highest 53 bits, which f64 holds exactly.
        let share = ((seed.value() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        doubled.unwrap_or(self.max).min(self.max).mul_f64(share)
    }
}

/// A [`Sampler`] that retries the requests for which another was temporarily unavailable.
///
/// Only requests that failed with [`PolicyError::Transient`] are retried; answers and other errors are kept. A request
/// that still fails at the last attempt keeps that error. Requests carry their seeds, so the answers do not depend on
/// the number of attempts.
///
/// ```
/// use sparring_core::{Backoff, PolicyError, Retry, Rollout, SampleRequest, Sampler, SamplingParams, Seed};
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// /// Overloaded at first.
/// struct Server(AtomicBool);
/// impl Sampler for Server {
///     fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
///         if !self.0.swap(true, Ordering::Relaxed) {
///             return vec![Err(PolicyError::transient("asking the server", "status 429")); requests.len()];
///         }
///         requests.iter().map(|request| Ok(vec![Rollout::from_text("yes"); request.n])).collect()
///     }
/// }
///
/// let sampler = Retry::new(Server(AtomicBool::new(false)), Backoff::default()).with_sleep(|_wait| ());
/// let request = SampleRequest::new(vec![7], 2, SamplingParams::default(), Seed::new(1));
/// assert_eq!(sampler.sample_one(&request)?.len(), 2);
/// # Ok::<(), PolicyError>(())
/// ```
pub struct Retry<S> {
    sampler: S,
    backoff: Backoff,
    sleep: Box<dyn Fn(Duration) + Send + Sync>,
}

impl<S: Sampler> Retry<S> {
    /// Wraps `sampler`, which may be a reference or a box, with at most `backoff.attempts` attempts.
    pub fn new(sampler: S, backoff: Backoff) -> Self {
        Self { sampler, backoff, sleep: Box::new(std::thread::sleep) }
    }

    /// Sets the function that waits, for tests and for runtimes with their own clock.
    #[must_use]
    pub fn with_sleep(mut self, sleep: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.sleep = Box::new(sleep);
        self
    }
}

impl<S: Sampler> Sampler for Retry<S> {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        let mut answers = self.sampler.sample_checked(requests);
        for failed in 1..self.backoff.attempts {
            let unavailable = |i: &usize| matches!(&answers[*i], Err(error) if error.is_transient());
            let open: Vec<usize> = (0..requests.len()).filter(unavailable).collect();
            let Some(&first) = open.first() else { break };
            (self.sleep)(self.backoff.wait(failed, requests[first].seed));
            let again: Vec<SampleRequest> = open.iter().map(|&i| requests[i].clone()).collect();
            for (i, answer) in open.into_iter().zip(self.sampler.sample_checked(&again)) {
                answers[i] = answer;
            }
        }
        answers
    }

    fn rest(&self) {
        self.sampler.rest();
    }
}

impl<S: fmt::Debug> fmt::Debug for Retry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Retry");
        debug.field("sampler", &self.sampler).field("backoff", &self.backoff).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SamplingParams;
    use std::sync::{Arc, Mutex};

    /// A sampler for which request i is unavailable the first `failures[i]` times; it records every call.
    struct Flaky {
        failures: Mutex<Vec<u32>>,
        calls: Mutex<Vec<Vec<u32>>>,
    }

    impl Flaky {
        fn new(failures: &[u32]) -> Self {
            Self { failures: Mutex::new(failures.to_vec()), calls: Mutex::default() }
        }
    }

    impl Sampler for Flaky {
        fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
            let mut failures = self.failures.lock().unwrap();
            let ids: Vec<u32> = requests.iter().map(|request| request.seed.value() as u32).collect();
            self.calls.lock().unwrap().push(ids.clone());
            let mut answer = |id: u32| {
                let left = &mut failures[id as usize];
                match *left {
                    u32::MAX => Err(PolicyError::invalid("too long")),
                    0 => Ok(vec![Rollout::from_text(id.to_string())]),
                    _ => {
                        *left -= 1;
                        Err(PolicyError::transient(format!("request {id}"), "status 429"))
                    }
                }
            };
            ids.into_iter().map(&mut answer).collect()
        }
    }

    fn requests(n: u64) -> Vec<SampleRequest> {
        let request = |i| SampleRequest::new(vec![1], 1, SamplingParams::default(), Seed::new(i));
        (0..n).map(request).collect()
    }

    /// Returns the texts or errors of all requests, the ids of each call, and the waits.
    fn ask(failures: &[u32], backoff: Backoff) -> (Vec<String>, Vec<Vec<u32>>, Vec<Duration>) {
        let flaky = Arc::new(Flaky::new(failures));
        let waits = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&waits);
        let boxed: Box<dyn Sampler> = Box::new(Arc::clone(&flaky));
        let retry = Retry::new(boxed, backoff).with_sleep(move |wait| noted.lock().unwrap().push(wait));
        let answers = retry.sample(&requests(failures.len() as u64));
        let shown = answers.into_iter().map(|answer| match answer {
            Ok(group) => group[0].text.clone(),
            Err(error) => error.to_string(),
        });
        let (calls, waits) = (flaky.calls.lock().unwrap().clone(), waits.lock().unwrap().clone());
        (shown.collect(), calls, waits)
    }

    #[test]
    fn only_unavailable_requests_are_retried() {
        let (answers, calls, waits) = ask(&[0, 2, u32::MAX, 1], Backoff::default());
        assert_eq!(answers, ["0", "1", "too long", "3"]);
        assert_eq!(calls, [vec![0, 1, 2, 3], vec![1, 3], vec![1]]);
        assert_eq!(waits.len(), 2);
        let (_, calls, waits) = ask(&[0, u32::MAX], Backoff::default());
        assert!(calls.len() == 1 && waits.is_empty(), "nothing to wait for: {calls:?}, {waits:?}");
    }

    #[test]
    fn attempts_are_bounded_and_the_last_error_is_kept() {
        let (answers, calls, waits) = ask(&[9, 0], Backoff::default().with_attempts(3));
        assert_eq!(answers, ["temporarily unavailable: request 0", "1"]);
        assert_eq!((calls.len(), waits.len()), (3, 2));
        assert_eq!(ask(&[9], Backoff::default().with_attempts(0)).1.len(), 1);
    }

    #[test]
    fn waits_double_up_to_the_maximum_and_are_jittered_by_the_seed() {
        let (initial, max) = (Duration::from_millis(100), Duration::from_secs(2));
        let backoff = Backoff::default().with_attempts(41).with_initial(initial).with_max(max);
        let waits = ask(&[99], backoff.clone()).2;
        assert_eq!(waits.len(), 40);
        for (k, wait) in waits.iter().enumerate() {
            let longest = initial.saturating_mul(1 << k.min(20)).min(max);
            assert!(!wait.is_zero() && *wait <= longest, "wait {k}: {wait:?} of {longest:?}");
        }
        let mean = waits[5..].iter().sum::<Duration>() / 35;
        assert!((0.7..1.3).contains(&mean.as_secs_f64()), "uniform up to {max:?}: {mean:?}");
        assert_eq!(waits, ask(&[99], backoff.clone()).2);
        assert_ne!(waits, ask(&[99], backoff.with_seed(Seed::new(1))).2);
    }

    #[test]
    fn a_sampler_that_loses_an_answer_fails_every_request() {
        struct Loses;
        impl Sampler for Loses {
            fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
                requests.iter().skip(1).map(|_| Ok(vec![Rollout::from_text("")])).collect()
            }
        }
        let answers = Retry::new(&Loses, Backoff::default()).sample(&requests(3));
        let what = "model backend: the sampler gave 2 answers to 3 requests";
        assert_eq!(answers.len(), 3);
        assert!(answers.iter().all(|a| a.as_ref().is_err_and(|error| error.to_string() == what)));
    }
}
