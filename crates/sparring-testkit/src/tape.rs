use sparring_core::{
    Learner, PolicyError, Scorer, StepReport, TokenBatch, TokenGradients, TokenLoss, TokenStats,
};

/// A learner without weights that records the gradients of a loss: the log-probability of token `i` is `logp[i]`, and
/// its gradients add up in `gradients[i]`.
///
/// ```
/// use sparring_core::{Learner, TokenBatch, TokenGroup};
/// use sparring_testkit::Tape;
/// # use sparring_core::{TokenGradients, TokenLoss, TokenStats};
/// # struct Nll;
/// # impl TokenLoss for Nll {
/// #     fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
/// #         gradients.logp.fill(-1.0);
/// #         -stats.logp.iter().map(|&l| f64::from(l)).sum::<f64>()
/// #     }
/// # }
/// let mut tape = Tape::new(vec![-0.5, -2.0]);
/// let groups = [TokenGroup::new(&[0], vec![&[1]])];
/// let loss = tape.accumulate(TokenBatch::new(&groups, 1.0), &Nll)?;
/// assert_eq!((loss, tape.gradients), (2.0, vec![0.0, -1.0]));
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Tape {
    /// Log-probability of each token, nats.
    pub logp: Vec<f32>,
    /// Entropy of each token, nats; may be empty.
    pub entropy: Vec<f32>,
    /// ∂L/∂logp of each token, summed over the calls.
    pub gradients: Vec<f64>,
    /// ∂L/∂entropy of each token, summed over the calls.
    pub entropy_gradients: Vec<f64>,
    /// Number of calls of `accumulate`.
    pub calls: usize,
    /// Number of calls of `step`.
    pub steps: usize,
}

impl Tape {
    /// Returns a tape of tokens with these log-probabilities.
    pub fn new(logp: Vec<f32>) -> Self {
        let n = logp.len();
        Self { logp, gradients: vec![0.0; n], entropy_gradients: vec![0.0; n], ..Self::default() }
    }

    fn ids(batch: TokenBatch<'_>) -> Vec<usize> {
        batch.groups.iter().flat_map(|g| &g.completions).flat_map(|c| c.iter()).map(|&t| t as usize).collect()
    }
}

impl Scorer for Tape {
    fn score(&self, batch: TokenBatch<'_>) -> Result<Vec<f32>, PolicyError> {
        Ok(Self::ids(batch).into_iter().map(|id| self.logp[id]).collect())
    }
}

impl Learner for Tape {
    fn accumulate(&mut self, batch: TokenBatch<'_>, loss: &dyn TokenLoss) -> Result<f64, PolicyError> {
        self.calls += 1;
        let ids = Self::ids(batch);
        let logp: Vec<f32> = ids.iter().map(|&id| self.logp[id]).collect();
        let entropy: Vec<f32> = ids.iter().filter_map(|&id| self.entropy.get(id).copied()).collect();
        let mut gradients = vec![0.0; ids.len()];
        let mut entropy_gradients = vec![0.0; ids.len()];
        let asks = loss.needs_entropy();
        let value = loss.evaluate(
            TokenStats::new(&logp, asks.then_some(&entropy)),
            TokenGradients::new(&mut gradients, asks.then_some(&mut entropy_gradients)),
        );
        for ((id, a), b) in ids.into_iter().zip(gradients).zip(entropy_gradients) {
            self.gradients[id] += f64::from(a);
            self.entropy_gradients[id] += f64::from(b);
        }
        Ok(value)
    }

    fn step(&mut self, _: f64) -> Result<StepReport, PolicyError> {
        self.steps += 1;
        Ok(StepReport::new(self.gradients.iter().map(|s| s * s).sum::<f64>().sqrt(), false))
    }

    fn reset(&mut self) {}
}
