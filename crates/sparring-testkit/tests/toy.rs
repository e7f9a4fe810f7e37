//! The toy policy: its gradients against finite differences, and that it learns.
#![allow(clippy::unwrap_used, missing_docs)]
use proptest::prelude::*;
use sparring_core::{
    Learner, Prompt, SampleRequest, Sampler, SamplingParams, Scorer, Seed, TokenBatch, TokenGradients,
    TokenGroup, TokenLoss, TokenStats,
};
use sparring_testkit::ToyPolicy;

/// Σ c·logp + e·Σ entropy.
struct Linear {
    coefficients: Vec<f32>,
    entropy: f32,
}

impl TokenLoss for Linear {
    fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        gradients.logp.copy_from_slice(&self.coefficients);
        gradients.entropy.unwrap().fill(self.entropy);
        let entropies: f32 = stats.entropy.unwrap().iter().sum();
        stats.logp.iter().zip(&self.coefficients).map(|(l, c)| f64::from(l * c)).sum::<f64>()
            + f64::from(self.entropy * entropies)
    }

    fn needs_entropy(&self) -> bool {
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The accumulated gradient is the derivative of the loss with respect to every weight. The loss is evaluated in
    /// f32, so the differences are wide and the tolerance is that of their rounding.
    #[test]
    fn gradient_by_finite_differences(
        seed in 0u64..1000,
        tokens in proptest::collection::vec(0u32..4, 1..6),
        temperature in 0.5f32..2.0,
        entropy in -1.0f32..1.0,
    ) {
        let mut policy = ToyPolicy::new("abc", Seed::new(seed));
        let prompt = policy.encode("ab");
        let groups = [TokenGroup::new(&prompt, vec![&tokens, &[], &tokens[..1]])];
        let batch = TokenBatch::new(&groups, temperature);
        let coefficients = (0..batch.completion_tokens()).map(|t| 0.3 * t as f32 - 0.5).collect();
        let loss = Linear { coefficients, entropy };
        policy.accumulate(batch, &loss).unwrap();
        let gradient = policy.gradient().to_vec();
        let touched: Vec<usize> = (0..gradient.len()).filter(|&i| gradient[i] != 0.0).collect();
        prop_assert!(!touched.is_empty());
        for i in touched {
            let h = 1e-2;
            let at = |delta: f64| {
                let mut moved = policy.clone();
                moved.weights_mut()[i] += delta;
                moved.accumulate(batch, &loss).unwrap()
            };
            let slope = (at(h) - at(-h)) / (2.0 * h);
            prop_assert!((slope - gradient[i]).abs() < 1e-3 * (1.0 + slope.abs()), "{i}: {slope} {}", gradient[i]);
        }
    }
}

#[test]
fn probabilities_add_up_to_one() {
    let policy = ToyPolicy::from_words(["yes", "no", "maybe"], Seed::new(4));
    let prompt = policy.encode("yes?");
    let groups = [TokenGroup::new(&prompt, vec![&[0], &[1], &[2], &[3]])];
    let logp = policy.score(TokenBatch::new(&groups, 0.8)).unwrap();
    assert!((logp.iter().map(|l| l.exp()).sum::<f32>() - 1.0).abs() < 1e-6);
}

#[test]
fn top_p_keeps_the_head_and_reports_it() {
    let mut policy = ToyPolicy::from_words(["a", "b"], Seed::new(4));
    policy.weights_mut().fill(0.0);
    // p = (¼, ¼, ½) for end, a, b at every position.
    for (i, w) in policy.weights_mut().iter_mut().enumerate() {
        *w = if i % 3 == 2 { 0.5 * 2.0_f64.ln() } else { 0.0 };
    }
    let request = SampleRequest::new(
        Prompt::Tokens([1].into()),
        400,
        SamplingParams::default().with_top_p(0.7).with_max_tokens(1),
        Seed::new(5),
    );
    let group = policy.sample_one(&request).unwrap();
    // The nucleus is {b, end}, of mass ¾.
    let count = |t: u32| group.iter().filter(|r| r.tokens == [t]).count();
    assert_eq!(count(1), 0);
    assert!((count(2) as f64 - 400.0 * 2.0 / 3.0).abs() < 50.0, "{}", count(2));
    let logp = group.iter().find(|r| r.tokens == [2]).unwrap().logp[0];
    assert!((logp - (2.0_f32 / 3.0).ln()).abs() < 1e-6);
}

#[test]
fn learns_one_answer_per_prompt() {
    let mut policy = ToyPolicy::new("xyz", Seed::new(6));
    let pairs = [("x", "zy"), ("yx", "xx")].map(|(p, c)| {
        let answer: Vec<u32> = policy.encode(c).iter().copied().chain([0]).collect();
        (policy.encode(p), answer)
    });
    for _ in 0..150 {
        for (prompt, answer) in &pairs {
            let groups = [TokenGroup::new(prompt, vec![answer])];
            let loss = Linear { coefficients: vec![-1.0; answer.len()], entropy: 0.0 };
            policy.accumulate(TokenBatch::new(&groups, 1.0), &loss).unwrap();
        }
        policy.step(0.05).unwrap();
    }
    for (prompt, answer) in &pairs {
        let request =
            SampleRequest::new(Prompt::Tokens(prompt.clone()), 1, SamplingParams::greedy(), Seed::new(0));
        assert_eq!(policy.sample_one(&request).unwrap()[0].tokens, *answer);
    }
}
