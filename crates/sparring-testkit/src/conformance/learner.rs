use super::counter::Counter;
use super::{Options, Outcome, constrained, difference, ensure, failed, grouped, samples, under, ungrouped};
use crate::conformance::ConformanceFailure;
use rand::Rng;
use sparring_core::{
    Hook, Policy, PolicyError, Prompt, Rollout, TokenBatch, TokenGradients, TokenGroup, TokenLoss, TokenStats,
};
use std::sync::Mutex;

/// L = Σ_t c_t·logp_t (+ e·Σ_t H_t): its gradients are c and e for every policy.
pub(super) struct LinearLoss {
    pub(super) coefficients: Vec<f32>,
    /// Coefficient of the entropies; `None` if they are not needed.
    pub(super) entropy: Option<f32>,
    /// Added to L; NaN to check that it is refused.
    pub(super) offset: f64,
    seen: Mutex<(Vec<f32>, Vec<f32>)>,
}

impl LinearLoss {
    pub(super) fn new(coefficients: Vec<f32>) -> Self {
        Self { coefficients, entropy: None, offset: 0.0, seen: Mutex::default() }
    }

    fn seen(&self) -> (Vec<f32>, Vec<f32>) {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl TokenLoss for LinearLoss {
    fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        let entropies = stats.entropy.unwrap_or_default();
        *self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            (stats.logp.to_vec(), entropies.to_vec());
        for (out, coefficient) in gradients.logp.iter_mut().zip(&self.coefficients) {
            *out = *coefficient;
        }
        let coefficient = self.entropy.unwrap_or(0.0);
        if let Some(out) = gradients.entropy {
            out.fill(coefficient);
        }
        let sum: f64 = stats.logp.iter().zip(&self.coefficients).map(|(l, c)| f64::from(l * c)).sum();
        sum + f64::from(coefficient * entropies.iter().sum::<f32>()) + self.offset
    }

    fn needs_entropy(&self) -> bool {
        self.entropy.is_some()
    }
}

/// Checks the contract of [`Learner`](sparring_core::Learner). `fresh` returns equal policies (same weights, new
/// optimiser); the sequences are sampled from one of them.
///
/// The gradient is checked without access to the weights: a step against it lowers the loss, its norm is homogeneous
/// and obeys the parallelogram law, and it does not depend on how the batch is split.
///
/// # Errors
/// The first check that fails.
pub fn learner<P: Policy>(fresh: impl Fn() -> P, prompts: &[Prompt], options: &Options) -> Outcome {
    let groups = samples(&fresh(), prompts, options, "learner/samples")?;
    let bench = Bench { fresh: &fresh, groups: &groups, hook: None, options };
    bench.value()?;
    bench.descent()?;
    bench.linearity()?;
    bench.grouping()?;
    bench.zero_gradients()?;
    bench.forgetting()?;
    bench.non_finite()?;
    bench.entropy()?;
    let requests = options.requests(prompts);
    let Some((hook, groups)) = constrained(&fresh(), &requests, options, "learner/samples under a hook")?
    else {
        return Ok(());
    };
    let bench = Bench { fresh: &fresh, groups: &groups, hook: Some(&hook), options };
    bench.value()?;
    bench.descent()?;
    bench.linearity()?;
    bench.grouping()?;
    bench.entropy()?;
    bench.forced()
}

struct Bench<'a, F> {
    fresh: &'a F,
    groups: &'a [Vec<Rollout>],
    /// The hook that they were drawn under.
    hook: Option<&'a Hook>,
    options: &'a Options,
}

impl<P: Policy, F: Fn() -> P> Bench<'_, F> {
    /// Random loss gradients in [−1, 1], one per completion token.
    fn coefficients(&self, tag: &str) -> Vec<f32> {
        let mut rng = self.options.seed.child(tag).rng();
        self.groups.iter().flatten().flat_map(|r| &r.tokens).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    fn score(&self, policy: &P, check: &'static str) -> Result<Vec<f32>, ConformanceFailure> {
        let tokens = under(grouped(self.groups), self.hook);
        policy.score(TokenBatch::new(&tokens, 1.0)).map_err(failed(check))
    }

    fn accumulate(&self, policy: &mut P, loss: &LinearLoss) -> Result<f64, PolicyError> {
        let tokens = under(grouped(self.groups), self.hook);
        policy.accumulate(TokenBatch::new(&tokens, 1.0), loss)
    }

    /// Returns the norm of the gradient of Σ c·logp, from a step's report.
    fn norm(&self, coefficients: Vec<f32>, check: &'static str) -> Result<f64, ConformanceFailure> {
        let mut policy = (self.fresh)();
        self.accumulate(&mut policy, &LinearLoss::new(coefficients)).map_err(failed(check))?;
        Ok(policy.step(0.0).map_err(failed(check))?.grad_norm)
    }

    /// The loss is evaluated on the scorer's log-probabilities, and its value is returned.
    fn value(&self) -> Outcome {
        let check = "learner/loss sees the scores";
        let mut policy = (self.fresh)();
        let scores = self.score(&policy, check)?;
        let loss = LinearLoss::new(self.coefficients("value"));
        let value = self.accumulate(&mut policy, &loss).map_err(failed(check))?;
        if let Some(what) = difference(&scores, &loss.seen().0, self.options.tolerance) {
            return ensure(false, check, || what);
        }
        let expected: f64 = loss.seen().0.iter().zip(&loss.coefficients).map(|(l, c)| f64::from(l * c)).sum();
        ensure((value - expected).abs() <= 1e-6 * expected.abs().max(1.0), check, || {
            format!("accumulate returned {value}, the loss {expected}")
        })
    }

    /// A small step against the gradient lowers the loss: for a random loss, and for single tokens.
    fn descent(&self) -> Outcome {
        let check = "learner/descent";
        let tokens = self.coefficients("tokens").len();
        let single = |t: usize| (0..tokens).map(|s| if s == t { -1.0 } else { 0.0 }).collect();
        let losses: [Vec<f32>; 4] =
            [self.coefficients("descent"), single(0), single(tokens / 2), single(tokens - 1)];
        for (i, coefficients) in losses.into_iter().enumerate() {
            let mut policy = (self.fresh)();
            let before = self.score(&policy, check)?;
            self.accumulate(&mut policy, &LinearLoss::new(coefficients.clone())).map_err(failed(check))?;
            let report = policy.step(self.options.lr).map_err(failed(check))?;
            let after = self.score(&policy, check)?;
            let value = |logp: &[f32]| -> f64 {
                logp.iter().zip(&coefficients).map(|(l, c)| f64::from(*l) * f64::from(*c)).sum()
            };
            let fell = value(&after) < value(&before);
            // A token of probability 1 has no gradient.
            let flat = report.grad_norm < f64::from(self.options.tolerance);
            ensure(fell || flat, check, || {
                format!(
                    "loss {i}: {} before, {} after, gradient {}",
                    value(&before),
                    value(&after),
                    report.grad_norm
                )
            })?;
        }
        Ok(())
    }

    /// ‖2g‖ = 2‖g‖, and ‖g+h‖² + ‖g−h‖² = 2‖g‖² + 2‖h‖².
    fn linearity(&self) -> Outcome {
        let check = "learner/linearity";
        let (a, b) = (self.coefficients("a"), self.coefficients("b"));
        let combine = |f: fn(f32, f32) -> f32| a.iter().zip(&b).map(|(&x, &y)| f(x, y)).collect::<Vec<f32>>();
        let [na, nb, sum, minus, twice] =
            [a.clone(), b.clone(), combine(|x, y| x + y), combine(|x, y| x - y), combine(|x, _| 2.0 * x)]
                .map(|coefficients| self.norm(coefficients, check));
        let (na, nb, sum, minus, twice) = (na?, nb?, sum?, minus?, twice?);
        let (left, right) = (sum * sum + minus * minus, 2.0 * (na * na + nb * nb));
        let tolerance = 10.0 * f64::from(self.options.tolerance);
        // A hook may force every token.
        ensure(na > 0.0 || self.hook.is_some(), check, || "a random loss has no gradient".to_owned())?;
        ensure((twice - 2.0 * na).abs() <= tolerance * na, check, || {
            format!("twice the loss has the gradient norm {twice}, once {na}")
        })?;
        ensure((left - right).abs() <= tolerance * right, check, || {
            format!("‖g+h‖² + ‖g−h‖² = {left}, 2‖g‖² + 2‖h‖² = {right}")
        })
    }

    /// One call, one call per group and one call per completion give the same step.
    fn grouping(&self) -> Outcome {
        let check = "learner/micro-batches";
        let coefficients = self.coefficients("grouping");
        let (together, apart) =
            (under(grouped(self.groups), self.hook), under(ungrouped(self.groups), self.hook));
        let cuts: [Vec<&[TokenGroup<'_>]>; 4] = [
            vec![&together],
            together.iter().map(std::slice::from_ref).collect(),
            vec![&apart],
            apart.iter().map(std::slice::from_ref).collect(),
        ];
        let mut outcomes = Vec::new();
        for calls in cuts {
            let mut policy = (self.fresh)();
            let mut rest = coefficients.as_slice();
            for groups in calls {
                let batch = TokenBatch::new(groups, 1.0);
                let (own, others) = rest.split_at(batch.completion_tokens());
                rest = others;
                policy.accumulate(batch, &LinearLoss::new(own.to_vec())).map_err(failed(check))?;
            }
            let norm = policy.step(self.options.lr).map_err(failed(check))?.grad_norm;
            outcomes.push((norm, self.score(&policy, check)?));
        }
        let (norm, scores) = &outcomes[0];
        for (i, (other_norm, other_scores)) in outcomes.iter().enumerate().skip(1) {
            let tolerance = 10.0 * f64::from(self.options.tolerance) * norm.max(1e-12);
            ensure((norm - other_norm).abs() <= tolerance, check, || {
                format!("cut {i}: gradient norm {other_norm} against {norm}")
            })?;
            if let Some(what) = difference(scores, other_scores, self.options.tolerance) {
                return ensure(false, check, || format!("cut {i}, after the step: {what}"));
            }
        }
        Ok(())
    }

    /// All-zero gradients change nothing, and a step clears the gradient.
    fn zero_gradients(&self) -> Outcome {
        let check = "learner/zero gradients";
        let zeros = LinearLoss::new(vec![0.0; self.coefficients("zero").len()]);
        let mut policy = (self.fresh)();
        let before = self.score(&policy, check)?;
        self.accumulate(&mut policy, &zeros).map_err(failed(check))?;
        policy.step(self.options.lr).map_err(failed(check))?;
        if let Some(what) = difference(&before, &self.score(&policy, check)?, self.options.tolerance) {
            return ensure(false, check, || what);
        }
        let check = "learner/step clears";
        self.accumulate(&mut policy, &LinearLoss::new(self.coefficients("clears"))).map_err(failed(check))?;
        policy.step(self.options.lr).map_err(failed(check))?;
        self.accumulate(&mut policy, &zeros).map_err(failed(check))?;
        let norm = policy.step(self.options.lr).map_err(failed(check))?.grad_norm;
        ensure(norm <= f64::from(self.options.tolerance), check, || {
            format!("a step without a gradient, after one with, reports the norm {norm}")
        })
    }

    /// `discard` and `reset` clear what was accumulated, and `reset` also the optimiser's state.
    fn forgetting(&self) -> Outcome {
        let zeros = LinearLoss::new(vec![0.0; self.coefficients("zero").len()]);
        for (check, reset) in [("learner/discard", false), ("learner/reset", true)] {
            let mut policy = (self.fresh)();
            if reset {
                self.accumulate(&mut policy, &LinearLoss::new(self.coefficients("moment")))
                    .map_err(failed(check))?;
                policy.step(self.options.lr).map_err(failed(check))?;
            }
            let before = self.score(&policy, check)?;
            self.accumulate(&mut policy, &LinearLoss::new(self.coefficients("forgotten")))
                .map_err(failed(check))?;
            if reset {
                policy.reset();
            } else {
                policy.discard();
            }
            self.accumulate(&mut policy, &zeros).map_err(failed(check))?;
            policy.step(self.options.lr).map_err(failed(check))?;
            if let Some(what) = difference(&before, &self.score(&policy, check)?, self.options.tolerance) {
                return ensure(false, check, || format!("the next step still moved: {what}"));
            }
        }
        Ok(())
    }

    /// A loss or gradient that is not finite is an error and changes nothing.
    fn non_finite(&self) -> Outcome {
        let check = "learner/not finite";
        let zeros = LinearLoss::new(vec![0.0; self.coefficients("zero").len()]);
        let mut bad_value = LinearLoss::new(self.coefficients("value"));
        bad_value.offset = f64::NAN;
        let mut bad_gradient = LinearLoss::new(self.coefficients("coefficient"));
        if let Some(coefficient) = bad_gradient.coefficients.last_mut() {
            *coefficient = f32::INFINITY;
        }
        for (what, loss) in [("loss", bad_value), ("gradient", bad_gradient)] {
            let mut policy = (self.fresh)();
            let before = self.score(&policy, check)?;
            let outcome = self.accumulate(&mut policy, &loss);
            ensure(matches!(outcome, Err(PolicyError::NonFinite { .. })), check, || {
                format!("a {what} that is not finite gave {outcome:?} instead of PolicyError::NonFinite")
            })?;
            self.accumulate(&mut policy, &zeros).map_err(failed(check))?;
            policy.step(self.options.lr).map_err(failed(check))?;
            if let Some(how) = difference(&before, &self.score(&policy, check)?, self.options.tolerance) {
                return ensure(false, check, || format!("a {what} that was refused left a gradient: {how}"));
            }
        }
        Ok(())
    }

    /// A token that the hook forces has no gradient.
    fn forced(&self) -> Outcome {
        let check = "learner/forced tokens";
        let forced = |rollout: &Rollout| {
            (0..rollout.tokens.len()).map(|place| f32::from(u8::from(Counter::forces(place))))
        };
        let coefficients =
            self.groups.iter().flatten().flat_map(|rollout| forced(rollout).collect::<Vec<_>>());
        let norm = self.norm(coefficients.collect(), check)?;
        ensure(norm <= f64::from(self.options.tolerance), check, || {
            format!("the gradient of tokens that a hook forces has the norm {norm}")
        })
    }

    /// Entropies are at least 0, and a step along their gradient raises them. Support is optional.
    fn entropy(&self) -> Outcome {
        let check = "learner/entropy";
        let mut policy = (self.fresh)();
        let mut loss = LinearLoss::new(vec![0.0; self.coefficients("zero").len()]);
        loss.entropy = Some(-1.0);
        match self.accumulate(&mut policy, &loss) {
            Err(PolicyError::Unsupported { .. }) => return Ok(()),
            other => other.map_err(failed(check))?,
        };
        let (logp, before) = loss.seen();
        ensure(before.len() == logp.len(), check, || {
            format!("{} entropies for {} tokens", before.len(), logp.len())
        })?;
        ensure(before.iter().all(|h| h.is_finite() && *h >= -self.options.tolerance), check, || {
            "an entropy is negative or not finite".to_owned()
        })?;
        let report = policy.step(self.options.lr).map_err(failed(check))?;
        self.accumulate(&mut policy, &loss).map_err(failed(check))?;
        let sum = |h: &[f32]| h.iter().map(|&h| f64::from(h)).sum::<f64>();
        let (before, after) = (sum(&before), sum(&loss.seen().1));
        ensure(after > before || report.grad_norm < f64::from(self.options.tolerance), check, || {
            format!("a step towards more entropy went from {before} to {after}")
        })
    }
}
