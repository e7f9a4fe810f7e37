//! Policies made from next-token models: one that is not linear in its weights, and faulty ones.
#![allow(clippy::unwrap_used, missing_docs)]
use sparring_core::{Checkpoint, Learner, Message, PolicyError, Prompt, SampleRequest, Sampler, Scorer};
use sparring_core::{SamplingParams, Seed, TokenBatch, TokenGradients, TokenGroup, TokenLoss, TokenStats};
use sparring_testkit::{NextToken, NextTokenPolicy, TokenContext, conformance};

const TOKENS: usize = 5;
const RANK: usize = 2;

/// logits[j] = Σ_k left[last][k]·right[k][j], with an optional fault.
#[derive(Debug, Clone)]
struct LowRank(&'static str);

impl LowRank {
    fn policy(fault: &'static str) -> NextTokenPolicy<Self> {
        let weights = (0..2 * TOKENS * RANK).map(|i| (i as f64 * 0.7).sin()).collect();
        NextTokenPolicy::from_weights(Self(fault), weights)
    }
}

impl NextToken for LowRank {
    fn vocabulary_size(&self) -> usize {
        if self.0 == "empty" { 0 } else { TOKENS }
    }

    fn end(&self) -> u32 {
        if self.0 == "end" { 5 } else { 4 }
    }

    fn encode(&self, messages: &[Message]) -> Vec<u32> {
        messages.iter().map(|message| message.content.len() as u32 % 5).collect()
    }

    fn decode(&self, token: u32) -> &str {
        let words = if self.0 == "words" { ["n", "e", "s", "w", ""] } else { ["N", "E", "S", "W", ""] };
        words[token as usize]
    }

    fn logits(&self, weights: &[f64], context: TokenContext<'_>) -> Vec<f64> {
        let (left, right) = weights.split_at(TOKENS * RANK);
        let left = &left[context.last() as usize * RANK..][..RANK];
        let logit = |j| (0..RANK).map(|k| left[k] * right[k * TOKENS + j]).sum();
        let mut logits: Vec<f64> = (0..TOKENS).map(logit).collect();
        match self.0 {
            "short" => logits.truncate(3),
            "infinite" => logits[2] = f64::INFINITY,
            _ => {}
        }
        logits
    }

    fn backward(&self, weights: &[f64], context: TokenContext<'_>, d_logits: &[f64], gradient: &mut [f64]) {
        let last = context.last() as usize;
        for k in 0..RANK {
            for (j, d) in d_logits.iter().enumerate() {
                let (left, right) = (last * RANK + k, TOKENS * RANK + k * TOKENS + j);
                gradient[left] += d * weights[right];
                gradient[right] += d * weights[left];
            }
        }
        if self.0 == "gradient" {
            gradient[7] = f64::NAN;
        }
    }
}

/// L = −Σ logp.
struct MaximumLikelihood;

impl TokenLoss for MaximumLikelihood {
    fn evaluate(&self, stats: TokenStats<'_>, gradients: TokenGradients<'_>) -> f64 {
        gradients.logp.fill(-1.0);
        -stats.logp.iter().map(|&l| f64::from(l)).sum::<f64>()
    }
}

fn prompts() -> [Prompt; 2] {
    [Prompt::Tokens([3, 1].into()), vec![Message::user("which way?")].into()]
}

fn accumulate(policy: &mut NextTokenPolicy<LowRank>) -> Result<f64, PolicyError> {
    let groups = [TokenGroup::new(&[1], vec![&[0, 2, 4]])];
    policy.accumulate(TokenBatch::new(&groups, 1.0), &MaximumLikelihood)
}

#[test]
fn a_model_that_is_not_linear_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let (fresh, options) = (|| LowRank::policy(""), conformance::Options::default());
    conformance::policy(&fresh(), &prompts(), &options).unwrap();
    conformance::learner(fresh, &prompts(), &options).unwrap();
    conformance::checkpoint(fresh, &prompts(), dir.path(), &options).unwrap();
}

#[test]
fn the_end_token_ends_a_completion() {
    let params = SamplingParams::default().with_max_tokens(50);
    let request = SampleRequest::new(Prompt::Tokens([0].into()), 20, params, Seed::new(1));
    for rollout in LowRank::policy("").sample_one(&request).unwrap() {
        assert_eq!(rollout.tokens.iter().position(|&t| t == 4), Some(rollout.tokens.len() - 1));
        assert_eq!(rollout.text.len(), rollout.tokens.len() - 1);
    }
}

#[test]
fn faults_are_named_errors() {
    for (fault, words) in [("short", "3 numbers for 5 tokens"), ("infinite", "the logit of token 2")] {
        let mut policy = LowRank::policy(fault);
        let groups = [TokenGroup::new(&[1], vec![&[0]])];
        let scored = policy.score(TokenBatch::new(&groups, 1.0));
        assert!(scored.unwrap_err().to_string().contains(words), "{fault}");
        assert!(accumulate(&mut policy).is_err(), "{fault}");
    }
    let mut policy = LowRank::policy("gradient");
    let before = policy.weights().to_vec();
    accumulate(&mut policy).unwrap();
    let error = policy.step(0.1).unwrap_err();
    assert!(error.to_string().contains("the gradient of weight 7"), "{error}");
    assert_eq!(policy.weights(), before);
}

#[test]
fn an_end_outside_the_vocabulary_is_refused() {
    for (fault, words) in [("end", "end is 5, but the vocabulary has 5 tokens"), ("empty", "has 0 tokens")] {
        let mut policy = LowRank::policy(fault);
        let [prompt, _] = prompts();
        let request = SampleRequest::new(prompt, 1, SamplingParams::default(), Seed::new(1));
        let groups = [TokenGroup::new(&[1], vec![&[0]])];
        let batch = TokenBatch::new(&groups, 1.0);
        let errors = [
            policy.sample_one(&request).unwrap_err(),
            policy.score(batch).unwrap_err(),
            policy.accumulate(batch, &MaximumLikelihood).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(&error, PolicyError::Invalid { what } if what.contains(words)), "{error}");
        }
    }
}

#[test]
fn the_state_of_another_model_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut trained = LowRank::policy("");
    accumulate(&mut trained).unwrap();
    trained.step(0.1).unwrap();
    trained.save(dir.path()).unwrap();
    let shorter = NextTokenPolicy::from_weights(LowRank(""), vec![0.5; 3]);
    for mut other in [LowRank::policy("words"), shorter] {
        let before = other.weights().to_vec();
        let error = other.restore(dir.path()).unwrap_err();
        assert!(error.to_string().contains("another vocabulary or number of weights"), "{error}");
        assert_eq!(other.weights(), before);
    }
    let mut same = LowRank::policy("");
    same.restore(dir.path()).unwrap();
    assert_eq!(same.weights(), trained.weights());
}
