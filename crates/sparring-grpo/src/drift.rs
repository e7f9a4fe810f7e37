use sparring_core::Rollout;

/// The distance between the sampler's log-probabilities and the learner's.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Drift {
    sum: f64,
    max: f64,
    tokens: usize,
}

impl Drift {
    /// Adds one completion with the learner's log-probabilities. Measured are the tokens that the policy wrote (not the
    /// environment, nor an expert the first `expert_prefix`) and that have a log-probability of the sampler.
    pub(crate) fn see(&mut self, rollout: &Rollout, expert_prefix: usize, learner: &[f32]) {
        for (t, (&sampler, &learner)) in rollout.logp.iter().zip(learner).enumerate().skip(expert_prefix) {
            let distance = (f64::from(sampler) - f64::from(learner)).abs();
            if rollout.wrote(t) && distance.is_finite() {
                self.sum += distance;
                self.max = self.max.max(distance);
                self.tokens += 1;
            }
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sum += other.sum;
        self.max = self.max.max(other.max);
        self.tokens += other.tokens;
    }

    /// Mean and maximum, nats; `None` if no token was measured.
    pub(crate) fn mean_and_max(&self) -> Option<(f64, f64)> {
        (self.tokens > 0).then(|| (self.sum / self.tokens as f64, self.max))
    }
}
