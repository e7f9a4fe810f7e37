use sparring_core::Rollout;

/// The distance between two log-probabilities of the same tokens: the sampler's and the learner's, for one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Drift {
    sum: f64,
    max: f64,
    tokens: usize,
}

impl Drift {
    /// Adds one completion with the learner's log-probabilities, compared with the sampler's.
    pub(crate) fn see(&mut self, rollout: &Rollout, expert_prefix: usize, learner: &[f32]) {
        self.compare(rollout, expert_prefix, &rollout.logp, learner);
    }

    /// Adds the distance between two log-probabilities of one completion. Measured are the tokens that the policy wrote
    /// (not the environment, nor an expert the first `expert_prefix`) and for which there are both.
    pub(crate) fn compare(&mut self, rollout: &Rollout, expert_prefix: usize, one: &[f32], other: &[f32]) {
        for (t, (&one, &other)) in one.iter().zip(other).enumerate().skip(expert_prefix) {
            let distance = (f64::from(one) - f64::from(other)).abs();
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
