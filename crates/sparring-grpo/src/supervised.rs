//! Supervised fine-tuning: the negative log-likelihood of given completions, for baselines to compare reinforcement
//! learning with.
//!
//! ```
//! use sparring_core::{Encoder, Message, Seed, TokenGroup};
//! use sparring_grpo::supervised;
//! use sparring_testkit::ToyPolicy;
//!
//! let mut policy = ToyPolicy::new("abc", Seed::new(1));
//! let prompt = policy.prompt(&vec![Message::user("b?")].into())?;
//! let answer = policy.completion("cab")?;
//! let examples = [TokenGroup::new(&prompt, vec![&answer])];
//! let first = supervised::update(&mut policy, &examples, 4096, 0.1)?;
//! let second = supervised::update(&mut policy, &examples, 4096, 0.1)?;
//! assert!(second.loss < first.loss);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::GrpoError;
use crate::micro_batch::{Piece, pack};
use serde::{Deserialize, Serialize};
use sparring_core::{Learner, TokenBatch, TokenGradients, TokenGroup, TokenLoss, TokenStats};

/// The loss L = −w·Σ_t ℓ_t over the completion tokens of a batch. With w = 1 / tokens of the whole update it is the
/// mean negative log-likelihood of a token, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NegativeLogLikelihood {
    /// w, at least 0.
    pub weight: f64,
}

impl TokenLoss for NegativeLogLikelihood {
    fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        gradients.logp.fill(-self.weight as f32);
        -self.weight * stats.logp.iter().map(|&logp| f64::from(logp)).sum::<f64>()
    }
}

/// The outcome of one supervised update.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SupervisedReport {
    /// Number of completions trained on.
    pub examples: usize,
    /// Number of their tokens.
    pub tokens: usize,
    /// Mean negative log-likelihood of a token before the step, nats.
    pub loss: f64,
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Whether the gradient was clipped.
    pub clipped: bool,
}

/// Takes one optimiser step at rate `lr` on the mean negative log-likelihood of the examples' completion tokens.
///
/// Every token weighs the same. Were every completion to weigh the same, the first token of a short one would count
/// more than that of a long one: of a call and a refusal of three words, a policy would learn the refusal for both.
///
/// The learner gets micro-batches of at most `micro_batch_tokens` tokens, prompts included, but for what a prompt has
/// in common with the one before; a longer group is one micro-batch. The step does not depend on this, up to rounding.
/// Examples without any completion token give no step.
///
/// # Errors
/// [`GrpoError::Config`] if `lr` is not a number of at least 0; [`GrpoError::Policy`] if the backend fails, in which
/// case nothing is applied.
pub fn update(
    learner: &mut dyn Learner,
    examples: &[TokenGroup<'_>],
    micro_batch_tokens: usize,
    lr: f64,
) -> Result<SupervisedReport, GrpoError> {
    if !(lr.is_finite() && lr >= 0.0) {
        return Err(GrpoError::Config { field: "lr", why: format!("is {lr}; it must be at least 0") });
    }
    let tokens = TokenBatch::new(examples, 1.0).completion_tokens();
    let mut report = SupervisedReport {
        examples: examples.iter().map(|group| group.completions.len()).sum(),
        tokens,
        ..SupervisedReport::default()
    };
    if tokens == 0 {
        return Ok(report);
    }
    let loss = NegativeLogLikelihood { weight: 1.0 / tokens as f64 };
    for range in pack(examples.iter().map(piece), micro_batch_tokens) {
        let batch = TokenBatch::new(&examples[range], 1.0);
        let value = learner.accumulate(batch, &loss).inspect_err(|_| learner.discard());
        report.loss += value.map_err(GrpoError::policy("Learner::accumulate"))?;
    }
    let step = learner.step(lr).inspect_err(|_| learner.discard());
    let step = step.map_err(GrpoError::policy("Learner::step"))?;
    (report.grad_norm, report.clipped) = (step.grad_norm, step.clipped);
    Ok(report)
}

/// One group, which is not split.
fn piece<'a>(group: &'a TokenGroup<'_>) -> Piece<'a> {
    let tokens = group.completions.iter().map(|completion| completion.len()).sum();
    Piece { prompt: group.prompt, count: 1, tokens }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring_core::{Scorer, Seed};
    use sparring_testkit::ToyPolicy;

    const PROMPTS: [&[u32]; 2] = [&[1, 2], &[3]];
    const ANSWERS: [&[u32]; 3] = [&[1, 1, 0], &[2, 0], &[3, 3, 3, 0]];

    fn examples() -> [TokenGroup<'static>; 2] {
        [
            TokenGroup::new(PROMPTS[0], vec![ANSWERS[0], ANSWERS[1]]),
            TokenGroup::new(PROMPTS[1], vec![ANSWERS[2]]),
        ]
    }

    fn loss(policy: &ToyPolicy) -> f64 {
        let logp = policy.score(TokenBatch::new(&examples(), 1.0)).unwrap();
        -logp.iter().map(|&l| f64::from(l)).sum::<f64>() / logp.len() as f64
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let logp = [-0.5_f32, -1.25, -3.0];
        let quarter = NegativeLogLikelihood { weight: 0.25 };
        let mut gradients = [0.0_f32; 3];
        let value = |logp: &[f32], gradients: &mut [f32]| {
            let gradients = TokenGradients::new(gradients, None);
            quarter.evaluate(TokenStats::new(logp, None), gradients)
        };
        let at = value(&logp, &mut gradients);
        for t in 0..3 {
            let mut moved = logp;
            moved[t] += 0.5;
            let difference = (value(&moved, &mut [0.0; 3]) - at) / 0.5;
            assert!((difference - f64::from(gradients[t])).abs() < 1e-9);
        }
        // Check a real model along its own gradient as well.
        let mut policy = ToyPolicy::new("abc", Seed::new(3));
        let weight = NegativeLogLikelihood { weight: 1.0 / 9.0 };
        let batch = examples();
        let before = policy.accumulate(TokenBatch::new(&batch, 1.0), &weight).unwrap();
        let gradient = policy.gradient().to_vec();
        let square: f64 = gradient.iter().map(|g| g * g).sum();
        let step = 1e-3;
        policy.weights_mut().iter_mut().zip(&gradient).for_each(|(w, g)| *w += step * g);
        let difference = (loss(&policy) - before) / step;
        assert!((difference - square).abs() < 1e-2 * square, "{difference} is not {square}");
    }

    #[test]
    fn any_split_gives_the_same_step() {
        let mut stepped = [1, 5, 10_000].map(|budget| {
            let mut policy = ToyPolicy::new("abc", Seed::new(3));
            let report = update(&mut policy, &examples(), budget, 0.1).unwrap();
            assert_eq!((report.examples, report.tokens), (3, 9));
            assert!((report.loss - loss(&ToyPolicy::new("abc", Seed::new(3)))).abs() < 1e-6);
            policy.weights().to_vec()
        });
        let whole = stepped[2].clone();
        for weights in &mut stepped {
            assert!(weights.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-9));
        }
    }

    #[test]
    fn no_examples_give_no_step_and_a_wrong_rate_is_refused() {
        let mut policy = ToyPolicy::new("abc", Seed::new(3));
        let before = policy.weights().to_vec();
        assert_eq!(update(&mut policy, &[], 10, 0.1).unwrap(), SupervisedReport::default());
        assert!(update(&mut policy, &examples(), 10, f64::NAN).is_err());
        assert_eq!(policy.weights(), before);
    }
}
